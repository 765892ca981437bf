import { accessAsRead } from '../../access/access-mode.js';
import type { SenderCertificate } from '../../access/sender-certificate.js';
import { SealcastError, type SealcastErrorCode } from '../../errors.js';
import { CIPHERTEXT_TYPES, unpack } from '../../session/protocol.js';
import { workerReadable } from '../../store/lmdb/lmdb-store.js';
import type { StoredChange, WorkerReadable } from '../../store/lmdb/worker-records.js';
import type { BroadcastRecord } from '../../store/tables/broadcasts.js';
import type { EncryptedDevice } from '../../store/tables/outbox.js';
import type { BroadcastContext } from '../context.js';
import type { DeliveryRows, EncryptedDelivery, Sealed } from '../delivery.js';
import {
  ACCESS_MODES,
  TABLES_OF_CHANGES,
  type StoredChunkReply,
  type StoredChunkRequest,
} from './protocol.js';

type Context = Pick<
  BroadcastContext,
  | 'account'
  | 'certificates'
  | 'clock'
  | 'guard'
  | 'list'
  | 'outbox'
  | 'policies'
  | 'seals'
  | 'sessionClient'
  | 'telemetry'
>;

/** Failures of a worker job after which the usual way is tried. */
const FALLBACK_CODES: ReadonlySet<SealcastErrorCode> = new Set([
  'ERR_LIBSIGNAL_UNAVAILABLE',
  'ERR_WORKER_LOST',
]);

export interface StoredEncryptorOptions {
  readonly id: string;
  readonly record: BroadcastRecord;
  readonly context: Context;
  readonly rows: DeliveryRows;
}

/** Recipients that were encrypted for, and the recipients that are left. */
export interface StoredDeliveries {
  /** Their ciphertexts are on the disk. */
  readonly encrypted: readonly PendingDelivery[];
  readonly left: readonly string[];
}

/** Delivery whose envelopes are being made. */
export interface PendingDelivery {
  readonly delivery: EncryptedDelivery;
  /** Resolves with undefined where the step that follows has to seal; never rejects. */
  readonly sealed: () => Promise<Sealed | undefined>;
}

/**
 * Encrypts for recipients in one worker job: it reads their contacts and sessions in the store
 * itself, encrypts, and brings the changes into the form in which they are stored. This thread
 * commits them, and has the envelopes sealed while they are flushed.
 *
 * Contacts and sessions never come to this thread as objects, which took it longer than all else of
 * a broadcast. It is for recipients who have all that it takes; the others are left to the
 * `Encryptor`, with nothing about them changed.
 */
export class StoredEncryptor {
  readonly #options: StoredEncryptorOptions;
  readonly #store: WorkerReadable;
  #works = true;

  private constructor(options: StoredEncryptorOptions, store: WorkerReadable) {
    this.#options = options;
    this.#store = store;
  }

  /** @returns undefined where workers cannot read the store. */
  static on(options: StoredEncryptorOptions): StoredEncryptor | undefined {
    const store = workerReadable(options.context.outbox.source);
    return store && new StoredEncryptor(options, store);
  }

  /**
   * Encrypts for recipients whose rows are `queued`. The caller holds their locks.
   *
   * Resolves when sessions and ciphertexts are on the disk.
   */
  async encrypt(serviceIds: readonly string[]): Promise<StoredDeliveries> {
    if (!this.#works) return { encrypted: [], left: serviceIds };
    const count = this.#options.context.sessionClient.shareOf(serviceIds.length);
    const shares: Promise<StoredDeliveries>[] = [];
    for (let at = 0; at < serviceIds.length; at += count)
      shares.push(this.#encryptShare(serviceIds.slice(at, at + count)));
    // The locks are the caller's until every share has ended: one that fails releases none of the
    // others' recipients, whose sessions a worker may still be using.
    await Promise.allSettled(shares);
    const done = await Promise.all(shares);
    return {
      encrypted: done.flatMap(({ encrypted }) => encrypted),
      left: done.flatMap(({ left }) => left),
    };
  }

  async #encryptShare(serviceIds: readonly string[]): Promise<StoredDeliveries> {
    const { clock, certificates } = this.#options.context;
    // Where it has to be fetched first, the step that follows waits for it, without the locks.
    const certificate = certificates.ready();
    for (const serviceId of serviceIds) this.#options.rows.begin(serviceId, undefined);
    const startMs = clock.monotonicMs();
    const reply = await this.#ask(serviceIds, certificate);
    if (reply === undefined) return { encrypted: [], left: serviceIds };
    const encryptedMs = clock.monotonicMs();
    const ready = Array.from(reply.ready, (index) => serviceIds[index] ?? '');
    const sealed = certificate && this.#seal(reply, certificate);
    await this.#commit(ready, reply);
    this.#publish('ratchet', ready.length, encryptedMs - startMs);
    this.#publish('store', ready.length, clock.monotonicMs() - encryptedMs);
    const isReady = new Set(ready);
    return {
      encrypted: this.#deliveriesOf(ready, reply).map((delivery, place) => ({
        delivery,
        sealed: async () => (await sealed)?.[place],
      })),
      left: serviceIds.filter((serviceId) => !isReady.has(serviceId)),
    };
  }

  /** @returns undefined where the recipients are left to others. */
  async #ask(
    serviceIds: readonly string[],
    certificate: SenderCertificate | undefined,
  ): Promise<StoredChunkReply | undefined> {
    const { id, record, context } = this.#options;
    const { sessionClient, clock, policies, telemetry } = context;
    const { profileKey } = context.account();
    const request: StoredChunkRequest = {
      kind: 'stored-chunk',
      own: sessionClient.own,
      nowMs: clock.now(),
      store: this.#store.location,
      broadcastId: id,
      content: Uint8Array.from(record.content),
      profileKey: profileKey && Uint8Array.from(profileKey),
      policies: {
        onIdentityChange: policies.onIdentityChange,
        unsealedFallback: policies.unsealedFallback,
      },
      list: context.list,
      certificate: certificate?.bytes,
      serviceIds: serviceIds.join(' '),
    };
    try {
      return await sessionClient.runOutgoing<StoredChunkReply>(request);
    } catch (error) {
      if (!(error instanceof SealcastError) || !FALLBACK_CODES.has(error.code)) throw error;
      // The usual way does it, or says why it cannot either.
      this.#works = false;
      telemetry.log.warn({ id, code: error.code }, 'workers do not read the store');
      return undefined;
    }
  }

  #commit(ready: readonly string[], { changes }: StoredChunkReply): Promise<void> {
    const { context, rows } = this.#options;
    const keys = unpack(changes.keys);
    const values = unpack(changes.values);
    const kept: StoredChange[] = [];
    const contacts: string[] = [];
    // A row whose recipient asked for the message meanwhile stays `queued`.
    const asked = new Set(
      ready.filter((serviceId) => rows.encryptedAsStored(serviceId) === 'stays'),
    );
    changes.owners.forEach((owner, i) => {
      const table = TABLES_OF_CHANGES[changes.tables[i] ?? 0] ?? 'outbox';
      const serviceId = ready[owner] ?? '';
      const keyBytes = keys[i];
      const value = values[i];
      if (keyBytes === undefined || value === undefined)
        throw new RangeError('a key and a value for each change');
      if (table === 'contact') contacts.push(serviceId);
      if (table !== 'outbox' || !asked.has(serviceId)) kept.push({ table, keyBytes, value });
    });
    return context.outbox.commitStored(this.#store, kept, { contacts, sessions: ready });
  }

  /**
   * Seals for each device.
   *
   * @returns undefined where that failed: the step that follows seals again, and says why not.
   */
  async #seal(
    { sealingKeys, contents, deviceCounts }: StoredChunkReply,
    certificate: SenderCertificate,
  ): Promise<readonly (Sealed | undefined)[] | undefined> {
    const { seals, clock } = this.#options.context;
    const startMs = clock.monotonicMs();
    try {
      const plain = unpack(contents).map((content) => content ?? new Uint8Array(0));
      const results = await seals.sealChecked(sealingKeys, plain);
      const durationMs = clock.monotonicMs() - startMs;
      let next = 0;
      return Array.from(deviceCounts, (count) => {
        const own = results.slice(next, (next += count));
        const envelopes = own.flatMap((result) => (result.ok ? [result.envelope] : []));
        if (envelopes.length !== count) return undefined;
        this.#publish('seal', 1, durationMs);
        return { certificate, envelopes };
      });
    } catch {
      return undefined;
    }
  }

  #deliveriesOf(ready: readonly string[], reply: StoredChunkReply): EncryptedDelivery[] {
    // Of the contacts as they are now: their locks are held.
    const { revision } = this.#options.context.guard;
    const profileKeys = unpack(reply.profileKeys);
    const accessKeys = unpack(reply.accessKeys);
    const identityKeys = unpack(reply.identityKeys);
    const ciphertexts = unpack(reply.ciphertexts);
    let next = 0;
    return ready.map((serviceId, place) => {
      const devices: EncryptedDevice[] = [];
      for (const end = next + (reply.deviceCounts[place] ?? 0); next < end; next++) {
        devices.push({
          deviceId: reply.deviceIds[next] ?? 0,
          registrationId: reply.registrationIds[next] ?? 0,
          type: CIPHERTEXT_TYPES[reply.types[next] ?? 0] ?? 'whisper',
          ciphertext: ciphertexts[next] ?? new Uint8Array(0),
        });
      }
      return {
        serviceId,
        access: accessAsRead(
          ACCESS_MODES[reply.accessModes[place] ?? 0] ?? 'unknown',
          profileKeys[place],
          accessKeys[place],
        ),
        revision,
        identityKey: identityKeys[place] ?? new Uint8Array(0),
        devices,
        profileKeyMark: reply.profileKeyMark,
      };
    });
  }

  #publish(stage: 'ratchet' | 'store' | 'seal', recipients: number, durationMs: number): void {
    const { id, context } = this.#options;
    context.telemetry.publish('stage', { id, stage, recipients, durationMs });
  }
}
