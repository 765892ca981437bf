import type { Engine } from '../engine/engine.js';
import { outliveWorkers, unlessWorkersDied } from '../engine/worker-loss.js';
import {
  CIPHERTEXT_TYPES,
  ENCRYPT_STATUSES,
  type ArchiveReply,
  type ArchiveRequest,
  type EncryptReply,
  type EncryptRequest,
  type DescribePreKeysReply,
  type EncryptStatus,
  type RatchetRequest,
  type GeneratePreKeysReply,
  type GeneratePreKeysRequest,
  type BundleSetup,
  pack,
  unpack,
} from './protocol.js';
import type { AccountRecord } from '../store/tables/account.js';
import { copySecret } from '../util/bytes.js';
import type { Clock } from '../util/clock.js';

/** A device to encrypt for. */
export interface EncryptInput {
  readonly serviceId: string;
  readonly deviceId: number;
  /** Padded content; devices that get the same one share the array. */
  readonly plaintext: Uint8Array<ArrayBuffer>;
  /** 33 bytes: whom the session must be with. */
  readonly identityKey: Uint8Array;
  /** Its record, if there is one. */
  readonly session: Uint8Array<ArrayBuffer> | undefined;
  readonly renewal: BundleSetup | undefined;
}

/** Outcome of a device; see {@link EncryptReply}. */
export interface Encrypted {
  readonly status: EncryptStatus;
  readonly registrationId: number;
  readonly type: (typeof CIPHERTEXT_TYPES)[number];
  readonly reason: string | undefined;
  /** There where the status is `ok`. */
  readonly session: Uint8Array<ArrayBuffer> | undefined;
  readonly ciphertext: Uint8Array<ArrayBuffer> | undefined;
}

/** Steps that a received message waits for go before outgoing ones. */
const LANES: Readonly<Record<RatchetRequest['kind'], 'incoming' | 'outgoing'>> = {
  encrypt: 'outgoing',
  archive: 'incoming',
  decrypt: 'incoming',
  group: 'incoming',
  'generate-prekeys': 'outgoing',
  'describe-prekeys': 'outgoing',
};

/** Each worker gets a share, and as each share is one message, not many small ones. */
const MIN_SHARE = 16;
/**
 * Highest cost of a share, in steps on existing sessions: some 15 ms, the time that more urgent
 * work has to wait. To begin a session costs as much as many of them (X25519 and ML-KEM of two
 * prekeys).
 */
const MAX_SHARE_STEPS = 256;
const STEPS_OF_RENEWAL = 32;

/**
 * Runs steps on sessions in the workers. The caller holds the locks of the addresses, and commits
 * the results.
 */
export class SessionClient {
  readonly #engine: Engine;
  /** Workers that steps may run in. */
  readonly threads: number;
  readonly #own: EncryptRequest['own'];
  readonly #clock: Pick<Clock, 'now'>;

  constructor(engine: Engine, threads: number, account: AccountRecord, clock: Pick<Clock, 'now'>) {
    const { aci, deviceId, registrationId } = account;
    this.#engine = engine;
    this.threads = threads;
    this.#clock = clock;
    this.#own = { serviceId: aci, deviceId, registrationId };
  }

  /**
   * @returns in order.
   * @throws SealcastError ERR_CLOSED, ERR_WORKER_LOST, ERR_LIBSIGNAL_UNAVAILABLE; then nothing of
   *   it was done.
   */
  async encrypt(inputs: readonly EncryptInput[]): Promise<Encrypted[]> {
    const shares = sharesOf(inputs, this.shareOf(inputs.length));
    const replies = await Promise.all(shares.map((part) => this.#encryptShare(part)));
    return replies.flat();
  }

  #encryptShare(inputs: readonly EncryptInput[]): Promise<Encrypted[]> {
    return this.run<EncryptReply>(() => {
      const request = requestOf(inputs, this.#own, this.#clock.now());
      return { request, moved: [request.sessions.bytes.buffer, request.identityKeys.bytes.buffer] };
    }).then(outputsOf);
  }

  /**
   * Session records that no more is sent with; undefined for one that cannot be read, or that no
   * worker outlives.
   *
   * @param ratchetKeys of each, if given: archived only if our side of the session uses it, else
   *   undefined too.
   */
  async archive(
    records: readonly Uint8Array<ArrayBuffer>[],
    ratchetKeys?: readonly (Uint8Array | undefined)[],
  ): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    if (records.length === 0) return [];
    const asked = this.run<ArchiveReply>(() => {
      const sessions = pack(records);
      const request: ArchiveRequest = {
        kind: 'archive',
        sessions,
        ...(ratchetKeys !== undefined && { ratchetKeys: pack(ratchetKeys) }),
      };
      return { request, moved: [sessions.bytes.buffer] };
    });
    // An old session that stays is no reason to stop.
    const reply = await unlessWorkersDied(asked, undefined);
    return reply === undefined ? records.map(() => undefined) : unpack(reply.sessions);
  }

  /**
   * Has one worker do one thing.
   *
   * @param make gives the request, and the buffers of it that move to the worker; again for each
   *   attempt.
   * @throws SealcastError ERR_CLOSED, ERR_WORKER_LOST, ERR_LIBSIGNAL_UNAVAILABLE; then nothing of
   *   it was done.
   */
  run<Reply>(
    make: () => { readonly request: RatchetRequest; readonly moved: ArrayBuffer[] },
  ): Promise<Reply> {
    return outliveWorkers(async () => {
      const { request, moved } = make();
      return (await this.#engine.scheduler.runRatchet(
        request,
        LANES[request.kind],
        moved,
      )) as Reply;
    });
  }

  /**
   * Has one worker do work on sessions that another room asks for, behind what came in.
   *
   * @throws as {@link SessionClient.run}
   */
  runOutgoing<Reply>(request: object): Promise<Reply> {
    return outliveWorkers(
      async () => (await this.#engine.scheduler.runRatchet(request, 'outgoing', [])) as Reply,
    );
  }

  /**
   * Whether a worker does a task that has nothing in it: what was lost before was not lost for want
   * of workers.
   */
  async isAlive(): Promise<boolean> {
    const none = { preKeys: pack([]), signedPreKeys: pack([]), kyberPreKeys: pack([]) };
    return (await unlessWorkersDied(this.describePreKeys(none), undefined)) !== undefined;
  }

  /**
   * Has every worker load libsignal's addon, which takes each some 100 ms (measured: Node 20, Zen
   * 4, 2026-11): the first message of a worker would wait for it. Failures are left to the first
   * job that meets them.
   */
  async warmUp(): Promise<void> {
    // A worker is busy while it loads, so each of these finds another one.
    await Promise.allSettled(Array.from({ length: this.threads }, () => this.isAlive()));
  }

  /** In how many parts work is best done, so that each worker has one and none is tiny. */
  shareOf(count: number): number {
    return Math.max(MIN_SHARE, Math.ceil(count / this.threads));
  }

  /** Our own device, as requests name it. */
  get own(): EncryptRequest['own'] {
    return this.#own;
  }

  /**
   * Generates records of new prekeys. The caller commits them before the public keys leave.
   *
   * @param privateKey of the identity that signs, 32 bytes; absent: our ACI's
   */
  generatePreKeys(
    wanted: Omit<GeneratePreKeysRequest, 'kind' | 'privateKey'>,
    privateKey?: Uint8Array,
  ): Promise<GeneratePreKeysReply> {
    return this.run(() => {
      const copy = movablePrivateKey(privateKey);
      return { request: { kind: 'generate-prekeys', ...wanted, ...copy.field }, moved: copy.moved };
    });
  }

  /** The public parts of prekeys, read from their records. These have the private halves. */
  describePreKeys(records: GeneratePreKeysReply): Promise<DescribePreKeysReply> {
    return this.run(() => ({ request: { kind: 'describe-prekeys', ...records }, moved: [] }));
  }
}

/** A copy of a private key, to be moved to a worker, which wipes it. */
export function movablePrivateKey(privateKey: Uint8Array | undefined): {
  readonly field: { readonly privateKey?: Uint8Array<ArrayBuffer> };
  readonly moved: ArrayBuffer[];
} {
  if (privateKey === undefined) return { field: {}, moved: [] };
  const copy = copySecret(privateKey);
  return { field: { privateKey: copy }, moved: [copy.buffer] };
}

/** Shares in order, at most `maxCount` entries each, and none that takes too long. */
function sharesOf(inputs: readonly EncryptInput[], maxCount: number): EncryptInput[][] {
  const shares: EncryptInput[][] = [];
  let share: EncryptInput[] = [];
  let steps = 0;
  for (const input of inputs) {
    const cost = input.renewal === undefined ? 1 : STEPS_OF_RENEWAL;
    if (share.length === maxCount || steps + cost > MAX_SHARE_STEPS) {
      shares.push(share);
      share = [];
      steps = 0;
    }
    share.push(input);
    steps += cost;
  }
  if (share.length > 0) shares.push(share);
  return shares;
}

function requestOf(
  inputs: readonly EncryptInput[],
  own: EncryptRequest['own'],
  nowMs: number,
): EncryptRequest {
  // By identity: a broadcast has one for each timer that its recipients have.
  const plaintexts = [...new Set(inputs.map(({ plaintext }) => plaintext))];
  const places = new Map(plaintexts.map((plaintext, place) => [plaintext, place]));
  return {
    kind: 'encrypt',
    own,
    nowMs,
    plaintexts,
    serviceIds: inputs.map(({ serviceId }) => serviceId).join(' '),
    deviceIds: Uint8Array.from(inputs, ({ deviceId }) => deviceId),
    contents: Uint32Array.from(inputs, ({ plaintext }) => places.get(plaintext) ?? 0),
    identityKeys: pack(inputs.map(({ identityKey }) => identityKey)),
    sessions: pack(inputs.map(({ session }) => session)),
    renewals: new Map(
      inputs.flatMap(({ renewal }, i) => (renewal === undefined ? [] : [[i, renewal]])),
    ),
  };
}

function outputsOf(reply: EncryptReply): Encrypted[] {
  const sessions = unpack(reply.sessions);
  const ciphertexts = unpack(reply.ciphertexts);
  return Array.from(reply.statuses, (status, i) => ({
    status: ENCRYPT_STATUSES[status] ?? 'failed',
    registrationId: reply.registrationIds[i] ?? 0,
    type: CIPHERTEXT_TYPES[reply.types[i] ?? 0] ?? 'whisper',
    reason: reply.reasons.get(i),
    session: sessions[i],
    ciphertext: ciphertexts[i],
  }));
}
