import type * as LibsignalModule from '@signalapp/libsignal-client';
import { fieldsOf } from '../mapping/registration.js';
import type { HttpAnswer } from '../mapping/http.js';
import { base64 } from './answer-fields.js';

/** State of a verification session, as the service last told it. */
export interface SessionState {
  readonly allowedToRequestCode: boolean;
  readonly verified: boolean;
  readonly requestedInformation: readonly ('captcha' | 'pushChallenge')[];
  /** ms since the epoch; absent: no text message can be sent. */
  readonly nextSmsAtMs?: number;
  /** ms since the epoch; absent: no call can be made. */
  readonly nextCallAtMs?: number;
  /** ms since the epoch; absent: no code can be handed in. */
  readonly nextAttemptAtMs?: number;
}

/** Keys of one identity, as a store keeps them. */
export interface NewIdentityKeys {
  /** 33 bytes */
  readonly publicKey: Uint8Array;
  /** Records of libsignal. */
  readonly signedPreKey: Uint8Array;
  readonly lastResortKyberPreKey: Uint8Array;
}

/** The request that makes the account. */
export interface RegisterRequest {
  readonly number: string;
  readonly password: string;
  readonly registrationId: number;
  readonly pniRegistrationId: number;
  /** 32 bytes */
  readonly recoveryPassword: Uint8Array;
  /** Hex, 64 digits. */
  readonly registrationLock: string | undefined;
  /** 16 bytes */
  readonly accessKey: Uint8Array;
  readonly capabilities: Readonly<Record<string, boolean>>;
  readonly discoverableByPhoneNumber: boolean;
  readonly aci: NewIdentityKeys;
  readonly pni: NewIdentityKeys;
}

/** Proof that the number is ours: a verified session, or the account's recovery password. */
export type RegistrationProof =
  { readonly sessionId: string } | { readonly recoveryPassword: Uint8Array };

/** The body of `POST /v1/registration` (as libsignal 0.103 makes it). */
export function registerRequestJson(
  request: RegisterRequest,
  proof: RegistrationProof,
  { SignedPreKeyRecord, KyberPreKeyRecord }: typeof LibsignalModule,
): object {
  type PreKey = LibsignalModule.SignedPreKeyRecord | LibsignalModule.KyberPreKeyRecord;
  const preKeyJson = (record: PreKey): object => ({
    keyId: record.id(),
    publicKey: base64(record.publicKey().serialize()),
    signature: base64(record.signature()),
  });
  const signed = ({ signedPreKey }: NewIdentityKeys): object =>
    preKeyJson(SignedPreKeyRecord.deserialize(Uint8Array.from(signedPreKey)));
  const kyber = ({ lastResortKyberPreKey }: NewIdentityKeys): object =>
    preKeyJson(KyberPreKeyRecord.deserialize(Uint8Array.from(lastResortKyberPreKey)));
  const { aci, pni, registrationLock } = request;
  return {
    ...('sessionId' in proof
      ? { sessionId: proof.sessionId }
      : { recoveryPassword: base64(proof.recoveryPassword) }),
    accountAttributes: {
      fetchesMessages: true,
      registrationId: request.registrationId,
      pniRegistrationId: request.pniRegistrationId,
      recoveryPassword: base64(request.recoveryPassword),
      ...(registrationLock !== undefined && { registrationLock }),
      // Jackson takes an array for `byte[]`; so does libsignal send it.
      unidentifiedAccessKey: [...request.accessKey],
      unrestrictedUnidentifiedAccess: false,
      capabilities: request.capabilities,
      discoverableByPhoneNumber: request.discoverableByPhoneNumber,
    },
    // The other device would have to be asked for its history, which sealcast does not read.
    skipDeviceTransfer: true,
    aciIdentityKey: base64(aci.publicKey),
    pniIdentityKey: base64(pni.publicKey),
    aciSignedPreKey: signed(aci),
    pniSignedPreKey: signed(pni),
    aciPqLastResortPreKey: kyber(aci),
    pniPqLastResortPreKey: kyber(pni),
  };
}

/** Reads a session's id and state; undefined where the body is of another form. */
export function readSession(
  answer: HttpAnswer,
  nowMs: number,
): { readonly id: string; readonly state: SessionState } | undefined {
  const { id, allowedToRequestCode, verified, ...fields } = fieldsOf(answer);
  if (typeof id !== 'string' || id === '') return undefined;
  if (typeof allowedToRequestCode !== 'boolean' || typeof verified !== 'boolean') return undefined;
  const requested: unknown = fields['requestedInformation'];
  const at = (name: string, seconds: unknown): object =>
    typeof seconds === 'number' && seconds >= 0 ? { [name]: nowMs + seconds * 1_000 } : {};
  return {
    id,
    state: {
      allowedToRequestCode,
      verified,
      requestedInformation: (Array.isArray(requested) ? (requested as unknown[]) : []).filter(
        (each) => each === 'captcha' || each === 'pushChallenge',
      ),
      ...at('nextSmsAtMs', fields['nextSms']),
      ...at('nextCallAtMs', fields['nextCall']),
      ...at('nextAttemptAtMs', fields['nextVerificationAttempt']),
    },
  };
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Reads the ids of a new account; undefined where the answer has none for a number. */
export function readRegistered(
  answer: HttpAnswer,
): { readonly aci: string; readonly pni: string } | undefined {
  const idOf = (value: unknown): string | undefined => {
    const id = typeof value === 'string' ? value.toLowerCase().replace(/^pni:/, '') : '';
    return UUID.test(id) ? id : undefined;
  };
  const { uuid, pni } = fieldsOf(answer);
  const [aci, pniUuid] = [idOf(uuid), idOf(pni)];
  return aci === undefined || pniUuid === undefined ? undefined : { aci, pni: `PNI:${pniUuid}` };
}
