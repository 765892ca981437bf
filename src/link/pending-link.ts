import { randomBytes, randomInt } from 'node:crypto';
import { KyberPreKeyRecord, PrivateKey, SignedPreKeyRecord } from '@signalapp/libsignal-client';
import type { Capabilities } from '../access/capabilities.js';
import { generatePreKeys } from '../session/worker/prekeys.js';
import { unpack } from '../session/protocol.js';
import type { AccountRecord } from '../store/tables/account.js';
import type {
  CredentialsRecord,
  LinkPreKeys,
  PendingLinkRecord,
} from '../store/tables/credentials.js';
import { withSecretCopy } from '../util/bytes.js';
import { encryptDeviceName } from './device-name.js';
import type { Provision } from './provision-envelope.js';

/** 14 bits, but for 0. */
const MAX_REGISTRATION_ID = 0x3fff;
/** Ids of prekeys are 1 to 2^24 - 1. */
const MAX_PREKEY_ID = 0xff_ffff;
const PASSWORD_BYTES = 24;

/** Makes the password of a device. */
export const newPassword = (): string => randomBytes(PASSWORD_BYTES).toString('base64url');

export interface NewLink {
  readonly provision: Provision;
  readonly deviceName: string;
  readonly capabilities: Capabilities;
  /** The store's account of an earlier link, whose registration id is not used again. */
  readonly earlier: Pick<AccountRecord, 'registrationId'> | undefined;
  readonly nowMs: number;
}

/** Makes everything of a new device: password, registration ids, and the prekeys for its link. */
export function createPendingLink(link: NewLink): PendingLinkRecord {
  const { provision, deviceName, capabilities, earlier, nowMs } = link;
  const { aci, identityPublicKey, identityPrivateKey, profileKey, pniIdentity } = provision;
  const registrationId = newRegistrationId(earlier?.registrationId);
  const credentials: CredentialsRecord = {
    ...secretsOf(provision),
    password: newPassword(),
    deviceName,
    ...(pniIdentity !== undefined && {
      pniIdentity: { ...pniIdentity, registrationId: newRegistrationId(registrationId) },
    }),
    // The service refuses (409) a device without it on an account without a phone number.
    capabilities:
      pniIdentity === undefined ? { optionalPhoneNumber: true, ...capabilities } : capabilities,
    createdAtMs: nowMs,
  };
  return {
    aci,
    registrationId,
    identityPublicKey,
    identityPrivateKey,
    profileKey,
    credentials,
    aciPreKeys: newPreKeys(identityPrivateKey, nowMs),
    ...(pniIdentity !== undefined && {
      pniPreKeys: newPreKeys(pniIdentity.identityPrivateKey, nowMs),
    }),
  };
}

function secretsOf(provision: Provision): Partial<CredentialsRecord> {
  const { number, readReceipts, accountEntropyPool, masterKey } = provision;
  const { mediaRootBackupKey, authCredentialSalt } = provision;
  return {
    ...(number !== undefined && { number }),
    ...(readReceipts !== undefined && { readReceipts }),
    ...(accountEntropyPool !== undefined && { accountEntropyPool }),
    ...(masterKey !== undefined && { masterKey }),
    ...(mediaRootBackupKey !== undefined && { mediaRootBackupKey }),
    ...(authCredentialSalt !== undefined && { authCredentialSalt }),
  };
}

/**
 * Makes a registration id other than the given one.
 *
 * A contact that knows the device by its old id is to see that it is another one.
 */
export function newRegistrationId(other: number | undefined): number {
  for (;;) {
    const id = randomInt(1, MAX_REGISTRATION_ID + 1);
    if (id !== other) return id;
  }
}

/** Makes the two prekeys for the first request of a device, with random ids. */
export function newPreKeys(identityPrivateKey: Uint8Array, nowMs: number): LinkPreKeys {
  const randomId = (): Uint32Array<ArrayBuffer> => Uint32Array.of(randomInt(1, MAX_PREKEY_ID + 1));
  const made = generatePreKeys(
    {
      kind: 'generate-prekeys',
      nowMs,
      preKeyIds: new Uint32Array(0),
      signedPreKeyIds: randomId(),
      kyberPreKeyIds: randomId(),
    },
    withSecretCopy(identityPrivateKey, (copy) => PrivateKey.deserialize(copy)),
  );
  const [signedPreKey] = unpack(made.signedPreKeys);
  const [lastResortKyberPreKey] = unpack(made.kyberPreKeys);
  if (signedPreKey === undefined || lastResortKyberPreKey === undefined)
    throw new RangeError('one prekey of each kind');
  return { signedPreKey, lastResortKyberPreKey };
}

interface PreKeyJson {
  readonly keyId: number;
  readonly publicKey: string;
  readonly signature: string;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function preKeyJson(record: SignedPreKeyRecord | KyberPreKeyRecord): PreKeyJson {
  return {
    keyId: record.id(),
    publicKey: base64(record.publicKey().serialize()),
    signature: base64(record.signature()),
  };
}

const signedPreKeyOf = ({ signedPreKey }: LinkPreKeys): SignedPreKeyRecord =>
  SignedPreKeyRecord.deserialize(Uint8Array.from(signedPreKey));
const kyberPreKeyOf = ({ lastResortKyberPreKey }: LinkPreKeys): KyberPreKeyRecord =>
  KyberPreKeyRecord.deserialize(Uint8Array.from(lastResortKyberPreKey));

/** Ids of the two prekeys. */
export const preKeyIdsOf = (
  preKeys: LinkPreKeys,
): { readonly signedPreKeyId: number; readonly kyberPreKeyId: number } => ({
  signedPreKeyId: signedPreKeyOf(preKeys).id(),
  kyberPreKeyId: kyberPreKeyOf(preKeys).id(),
});

/** The body of `PUT /v1/devices/link`; parts of the PNI only where the account has one. */
export function linkRequestJson(link: PendingLinkRecord, provisioningCode: string): object {
  const { credentials, registrationId, identityPublicKey, aciPreKeys, pniPreKeys } = link;
  const { deviceName, pniIdentity, capabilities } = credentials;
  return {
    verificationCode: provisioningCode,
    accountAttributes: {
      fetchesMessages: true,
      registrationId,
      ...(pniIdentity !== undefined && { pniRegistrationId: pniIdentity.registrationId }),
      name: base64(encryptDeviceName(deviceName ?? '', identityPublicKey)),
      capabilities,
    },
    aciSignedPreKey: preKeyJson(signedPreKeyOf(aciPreKeys)),
    aciPqLastResortPreKey: preKeyJson(kyberPreKeyOf(aciPreKeys)),
    ...(pniPreKeys !== undefined && {
      pniSignedPreKey: preKeyJson(signedPreKeyOf(pniPreKeys)),
      pniPqLastResortPreKey: preKeyJson(kyberPreKeyOf(pniPreKeys)),
    }),
  };
}
