import {
  CiphertextMessageType,
  ErrorCode,
  KEMPublicKey,
  LibSignalErrorBase,
  PreKeyBundle,
  ProtocolAddress,
  PublicKey,
  processPreKeyBundle,
  signalEncrypt,
  type PrivateKey,
} from '@signalapp/libsignal-client';
import type { PreKeyBundleFields } from '../../transport/transport.js';
import {
  CIPHERTEXT_TYPES,
  ENCRYPT_STATUSES,
  type EncryptReply,
  type EncryptRequest,
  type EncryptStatus,
  type BundleSetup,
  pack,
  unpack,
} from '../protocol.js';
import { sessionOf, TaskIdentities, TaskSession } from './task-stores.js';

/** As `CiphertextMessage.type()` numbers it. */
const PREKEY_TYPE: number = CiphertextMessageType.PreKey;

/** One device to encrypt for. */
export interface EncryptionTask {
  readonly serviceId: string;
  readonly deviceId: number;
  readonly plaintext: Uint8Array<ArrayBuffer> | undefined;
  readonly identityKey: Uint8Array<ArrayBuffer> | undefined;
  readonly record: Uint8Array<ArrayBuffer> | undefined;
  readonly renewal: BundleSetup | undefined;
}

/** Outcome of an {@link EncryptionTask}. */
export type EncryptionStep =
  | {
      readonly status: 'ok';
      readonly registrationId: number;
      readonly type: (typeof CIPHERTEXT_TYPES)[number];
      readonly session: Uint8Array<ArrayBuffer>;
      readonly ciphertext: Uint8Array<ArrayBuffer>;
    }
  | { readonly status: Exclude<EncryptStatus, 'ok'>; readonly reason?: string };

/**
 * The ratchet's step for one device after the other, from record bytes to record bytes: a bundle is
 * processed where there is one (PQXDH), then the plaintext is encrypted (libsignal
 * `session_encrypt`). The returned records alone have the new state: the caller must commit them
 * before a ciphertext leaves.
 */
export async function encryptAll(
  request: EncryptRequest,
  privateKey: PrivateKey,
): Promise<EncryptReply> {
  const encryption = new Encryption(
    request,
    new TaskIdentities(privateKey, request.own.registrationId),
  );
  const steps: EncryptionStep[] = [];
  for (const task of tasksOf(request)) steps.push(await encryption.run(task));
  const done = steps.map((step) => (step.status === 'ok' ? step : undefined));
  return {
    statuses: Uint8Array.from(steps, ({ status }) => ENCRYPT_STATUSES.indexOf(status)),
    types: Uint8Array.from(done, (step) => CIPHERTEXT_TYPES.indexOf(step?.type ?? 'whisper')),
    registrationIds: Uint32Array.from(done, (step) => step?.registrationId ?? 0),
    reasons: new Map(
      steps.flatMap((step, i): [number, string][] =>
        step.status === 'ok' || step.reason === undefined ? [] : [[i, step.reason]],
      ),
    ),
    sessions: pack(done.map((step) => step?.session)),
    ciphertexts: pack(done.map((step) => step?.ciphertext)),
  };
}

function tasksOf(request: EncryptRequest): EncryptionTask[] {
  const { deviceIds, contents, plaintexts, renewals } = request;
  const identityKeys = unpack(request.identityKeys);
  const records = unpack(request.sessions);
  return request.serviceIds.split(' ').map((serviceId, i) => ({
    serviceId,
    deviceId: deviceIds[i] ?? 0,
    plaintext: plaintexts[contents[i] ?? 0],
    identityKey: identityKeys[i],
    record: records[i],
    renewal: renewals.get(i),
  }));
}

/** The ratchet's steps of one request, one device after the other. */
export class Encryption {
  readonly #now: Date;
  readonly #own: ProtocolAddress;
  readonly #sessions = new TaskSession();
  readonly #identities: TaskIdentities;

  constructor({ own, nowMs }: Pick<EncryptRequest, 'own' | 'nowMs'>, identities: TaskIdentities) {
    this.#now = new Date(nowMs);
    this.#own = ProtocolAddress.new(own.serviceId, own.deviceId);
    this.#identities = identities;
  }

  /** Never throws: what is wrong with one device is its own outcome. */
  async run({
    serviceId,
    deviceId,
    plaintext,
    identityKey,
    record: bytes,
    renewal,
  }: EncryptionTask): Promise<EncryptionStep> {
    const now = this.#now;
    const own = this.#own;
    const sessions = this.#sessions;
    const identities = this.#identities;
    let failed: Exclude<EncryptStatus, 'ok'> = 'failed';
    try {
      if (plaintext === undefined || identityKey === undefined)
        throw new Error('the request is incomplete');
      identities.trust(identityKey);
      const address = ProtocolAddress.new(serviceId, deviceId);
      sessions.begin(sessionOf(bytes));
      if (renewal !== undefined && this.#isWanted(renewal)) {
        failed = 'bad-bundle';
        const bundle = bundleOf(renewal.bundle, identityKey);
        await processPreKeyBundle(bundle, address, own, sessions, identities, now);
        failed = 'failed';
      }
      if (sessions.record?.hasCurrentState(now) !== true) return { status: 'no-session' };
      const encrypted = await signalEncrypt(plaintext, address, own, sessions, identities, now);
      const { record } = sessions;
      return {
        status: 'ok',
        registrationId: record.remoteRegistrationId(),
        type: encrypted.type() === PREKEY_TYPE ? 'prekey' : 'whisper',
        session: record.serialize(),
        ciphertext: encrypted.serialize(),
      };
    } catch (error) {
      const isOver =
        failed === 'failed' &&
        error instanceof LibSignalErrorBase &&
        (error.code === ErrorCode.InvalidSession || error.code === ErrorCode.UntrustedIdentity);
      const reason = error instanceof Error ? error.message : String(error);
      return { status: isOver ? 'no-session' : failed, reason };
    }
  }

  #isWanted({ renew, bundle }: BundleSetup): boolean {
    const { record } = this.#sessions;
    if (renew || record?.hasCurrentState(this.#now) !== true) return true;
    return record.remoteRegistrationId() !== bundle.registrationId;
  }
}

function bundleOf(bundle: PreKeyBundleFields, identityKey: Uint8Array<ArrayBuffer>): PreKeyBundle {
  return PreKeyBundle.new(
    bundle.registrationId,
    bundle.deviceId,
    bundle.preKeyId ?? null,
    bundle.preKeyPublic === undefined ? null : PublicKey.deserialize(bundle.preKeyPublic),
    bundle.signedPreKeyId,
    PublicKey.deserialize(bundle.signedPreKeyPublic),
    bundle.signedPreKeySignature,
    PublicKey.deserialize(identityKey),
    bundle.kyberPreKeyId,
    KEMPublicKey.deserialize(bundle.kyberPreKeyPublic),
    bundle.kyberPreKeySignature,
  );
}
