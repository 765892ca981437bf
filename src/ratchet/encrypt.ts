import {
  CiphertextMessageType,
  ErrorCode,
  KEMPublicKey,
  LibSignalErrorBase,
  PreKeyBundle,
  ProtocolAddress,
  PublicKey,
  SessionRecord,
  processPreKeyBundle,
  signalEncrypt,
  type PrivateKey,
} from '@signalapp/libsignal-client';
import type { PreKeyBundleFields } from '../transport/transport.js';
import type { EncryptOutcome, EncryptReply, EncryptRequest, EncryptStatus, EncryptTask } from './messages.js';
import { pack, unpack } from './packed.js';
import { TaskIdentities, TaskSession } from './task-stores.js';

/** As `CiphertextMessage.type()` numbers it. */
const PREKEY_TYPE: number = CiphertextMessageType.PreKey;

interface Step {
  readonly outcome: EncryptOutcome;
  readonly session?: Uint8Array<ArrayBuffer>;
  readonly ciphertext?: Uint8Array<ArrayBuffer>;
}

/**
 * The ratchet's step for one device after the other, from record bytes to record bytes: a bundle is processed where there is
 * one (PQXDH), then the plaintext is encrypted (libsignal `session_encrypt`). What a record went through is in what comes
 * back and nowhere else: whoever asked must keep it before the ciphertext leaves.
 */
export async function encryptAll(request: EncryptRequest, privateKey: PrivateKey): Promise<EncryptReply> {
  const { own, tasks } = request;
  const encryption = new Encryption(request, new TaskIdentities(privateKey, own.registrationId));
  const sessions = unpack(request.sessions);
  const steps: Step[] = [];
  for (const [i, task] of tasks.entries()) steps.push(await encryption.run(task, sessions[i]));
  return {
    outcomes: steps.map(({ outcome }) => outcome),
    sessions: pack(steps.map(({ session }) => session)),
    ciphertexts: pack(steps.map(({ ciphertext }) => ciphertext)),
  };
}

class Encryption {
  readonly #plaintexts: readonly Uint8Array<ArrayBuffer>[];
  readonly #now: Date;
  readonly #own: ProtocolAddress;
  readonly #sessions = new TaskSession();
  readonly #identities: TaskIdentities;

  constructor({ own, nowMs, plaintexts }: EncryptRequest, identities: TaskIdentities) {
    this.#plaintexts = plaintexts;
    this.#now = new Date(nowMs);
    this.#own = ProtocolAddress.new(own.serviceId, own.deviceId);
    this.#identities = identities;
  }

  #isWanted({ renew }: EncryptTask, { registrationId }: PreKeyBundleFields): boolean {
    const { record } = this.#sessions;
    if (renew === true || record?.hasCurrentState(this.#now) !== true) return true;
    return record.remoteRegistrationId() !== registrationId;
  }

  /** Never throws: what is wrong with one device is its own outcome. */
  async run(task: EncryptTask, recordBytes: Uint8Array<ArrayBuffer> | undefined): Promise<Step> {
    this.#identities.trusted = task.identityKey;
    let failed: EncryptStatus = 'failed';
    try {
      const address = ProtocolAddress.new(task.serviceId, task.deviceId);
      this.#sessions.record = recordBytes === undefined ? null : SessionRecord.deserialize(recordBytes);
      if (task.bundle !== undefined && this.#isWanted(task, task.bundle)) {
        failed = 'bad-bundle';
        const bundle = bundleOf(task.bundle, task.identityKey);
        await processPreKeyBundle(bundle, address, this.#own, this.#sessions, this.#identities, this.#now);
        failed = 'failed';
      }
      if (this.#sessions.record?.hasCurrentState(this.#now) !== true) return step('no-session');
      const plaintext = this.#plaintexts[task.plaintext];
      if (plaintext === undefined) throw new Error('no such plaintext');
      const encrypted = await signalEncrypt(plaintext, address, this.#own, this.#sessions, this.#identities, this.#now);
      const { record } = this.#sessions;
      return {
        outcome: {
          status: 'ok',
          registrationId: record.remoteRegistrationId(),
          type: encrypted.type() === PREKEY_TYPE ? 'prekey' : 'whisper',
        },
        session: record.serialize(),
        ciphertext: encrypted.serialize(),
      };
    } catch (error) {
      const isOver =
        failed === 'failed' &&
        error instanceof LibSignalErrorBase &&
        (error.code === ErrorCode.InvalidSession || error.code === ErrorCode.UntrustedIdentity);
      return step(isOver ? 'no-session' : failed, error instanceof Error ? error.message : String(error));
    }
  }
}

function step(status: EncryptStatus, reason?: string): Step {
  return { outcome: { status, registrationId: 0, type: 'whisper', ...(reason !== undefined && { reason }) } };
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
