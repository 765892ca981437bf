import { SealcastError } from '../errors.js';
import type { Engine } from '../pool/engine.js';
import type {
  ArchiveReply,
  ArchiveRequest,
  EncryptOutcome,
  EncryptReply,
  EncryptRequest,
  EncryptTask,
} from '../ratchet/messages.js';
import { pack, unpack } from '../ratchet/packed.js';
import type { AccountRecord } from '../store/records.js';

/** A device to encrypt for, with its session record if it has one. */
export interface EncryptInput extends EncryptTask {
  readonly session: Uint8Array<ArrayBuffer> | undefined;
}

export interface Encrypted extends EncryptOutcome {
  /** There where the status is `ok`. */
  readonly session: Uint8Array<ArrayBuffer> | undefined;
  readonly ciphertext: Uint8Array<ArrayBuffer> | undefined;
}

/** Each worker gets a share, and as each share is one message, not many small ones. */
const MIN_SHARE = 16;
const MAX_ATTEMPTS = 3;

/** Has the workers take steps on sessions. Whoever asks holds the locks of the addresses, and commits what comes back. */
export class RatchetClient {
  readonly #engine: Engine;
  readonly #threads: number;
  readonly #own: EncryptRequest['own'];

  constructor(engine: Engine, threads: number, { aci, deviceId, registrationId }: AccountRecord) {
    this.#engine = engine;
    this.#threads = threads;
    this.#own = { serviceId: aci, deviceId, registrationId };
  }

  /**
   * @param plaintexts padded contents; each input names one.
   * @returns in order.
   * @throws SealcastError ERR_CLOSED, ERR_WORKER_LOST, ERR_LIBSIGNAL_UNAVAILABLE; then nothing of it was done.
   */
  async encrypt(inputs: readonly EncryptInput[], plaintexts: readonly Uint8Array<ArrayBuffer>[]): Promise<Encrypted[]> {
    const share = Math.max(MIN_SHARE, Math.ceil(inputs.length / this.#threads));
    const shares: (readonly EncryptInput[])[] = [];
    for (let from = 0; from < inputs.length; from += share) shares.push(inputs.slice(from, from + share));
    const replies = await Promise.all(shares.map((part) => this.#encryptShare(part, plaintexts)));
    return replies.flat();
  }

  /** A worker's death loses what it had in hand and nothing else: no record of it was kept, and another one begins anew. */
  async #encryptShare(
    inputs: readonly EncryptInput[],
    plaintexts: readonly Uint8Array<ArrayBuffer>[],
  ): Promise<Encrypted[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#encryptOnce(inputs, plaintexts);
      } catch (error) {
        const isLost = error instanceof SealcastError && error.code === 'ERR_WORKER_LOST';
        if (!isLost || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  async #encryptOnce(
    inputs: readonly EncryptInput[],
    plaintexts: readonly Uint8Array<ArrayBuffer>[],
  ): Promise<Encrypted[]> {
    const sessions = pack(inputs.map(({ session }) => session));
    const request: EncryptRequest = {
      kind: 'encrypt',
      own: this.#own,
      nowMs: Date.now(),
      plaintexts,
      tasks: inputs.map(({ serviceId, deviceId, plaintext, identityKey, bundle, renew }) => ({
        serviceId,
        deviceId,
        plaintext,
        identityKey,
        ...(bundle !== undefined && { bundle }),
        ...(renew !== undefined && { renew }),
      })),
      sessions,
    };
    const reply = (await this.#engine.pool.runRatchet(request, [sessions.bytes])) as EncryptReply;
    const records = unpack(reply.sessions);
    const ciphertexts = unpack(reply.ciphertexts);
    return reply.outcomes.map((outcome, i) => ({ ...outcome, session: records[i], ciphertext: ciphertexts[i] }));
  }

  /** Session records that no more is sent with; undefined for one that cannot be read. */
  async archive(records: readonly Uint8Array<ArrayBuffer>[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    if (records.length === 0) return [];
    const sessions = pack(records);
    const request: ArchiveRequest = { kind: 'archive', sessions };
    const reply = (await this.#engine.pool.runRatchet(request, [sessions.bytes])) as ArchiveReply;
    return unpack(reply.sessions);
  }
}
