import { KEY_BYTES } from '../../assembly/abi.js';
import { CertificateMemory } from './certificate-cache.js';
import { CertificateValidator } from './certificate-validator.js';
import { LibsignalUnsealer } from './libsignal-unsealer.js';

import { UnsealVerdicts, type UnsealResult, type Validation } from './unseal-verdicts.js';
import {
  checkArray,
  checkBoolean,
  checkContent,
  checkEnvelope,
  checkOptions,
  checkPublicKey,
  checkSealerOptions,
  checkSignal,
  checkTimestamp,
  PublicKeyList,
  refuse,
  type PublicKeyInput,
  type SealerOptions,
} from './options.js';
import { LruMap } from '../util/lru-map.js';
import { Engine } from '../engine/engine.js';
import { closedError } from '../engine/scheduler.js';
import { checkNames, type NamesOf } from '../util/known-names.js';
import { PrepareBatch } from '../engine/prepare-batch.js';
import type { PrepareResult, SealResult } from '../engine/types.js';
import { SealBatch } from '../engine/seal-batch.js';
import { UnsealBatch } from '../engine/unseal-batch.js';
import { Unsealing, type UnsealingHost } from './unseal-call.js';
import type { CertificatesReply, CertificatesRequest } from './worker/verify-certificates.js';

/** One envelope to make. */
export interface SealRequest {
  /** A libsignal `PublicKey`, or its 33 bytes. */
  readonly recipientIdentityKey: PublicKeyInput;
  /** The serialized USMC, 1 byte to 256 KiB. Must not change until the call has ended. */
  readonly content: Uint8Array;
}

/** Options of every call that works on a batch. */
export interface CallOptions {
  /**
   * Ends the call with ERR_ABORTED; workers finish the chunks that they process, and the results
   * are dropped.
   */
  readonly signal?: AbortSignal;
}

/** Options of {@link Sealer.seal}. */
export interface SealOptions extends CallOptions {
  /**
   * Makes the envelopes of the call views of common buffers, in place of a buffer each.
   *
   * A buffer has up to 256 envelopes or 1 MiB. Default false. Takes less time and memory for each
   * envelope, and suits callers that write all of them soon after.
   *
   * An envelope then keeps its whole buffer from being freed, and its `buffer` has other envelopes
   * in it: pass on the view, never `envelope.buffer` alone, and transfer none of them to another
   * thread. Envelopes do not overlap, and between them are zeros.
   */
  readonly packed?: boolean;
}

/** Options of {@link Sealer.unseal}. */
export interface UnsealOptions extends CallOptions {
  /**
   * With them, and `timestamp`, sender certificates are validated: libsignal `PublicKey`s, or their
   * 33 bytes.
   */
  readonly trustRoots?: readonly PublicKeyInput[];
  /**
   * The time, in ms since the epoch, at which certificates must not have expired: the envelope's
   * server timestamp. One for all envelopes, or an array of one for each.
   */
  readonly timestamp?: number | readonly number[];
}

/** Statistics of a Sealer, at one moment. */
export interface SealerStats {
  /** The kernel in use: `fma` or `int`. */
  readonly kernel: string;
  readonly threads: number;
  /** Parties for which DH(S, R) is kept. */
  readonly cachedRecipients: number;
  /** Recipients of whose keys multiples are kept, so that sealing to them needs no ladder. */
  readonly tables: number;
  /** Envelopes that were sealed with such tables, since the start. */
  readonly servedByTable: number;
  /**
   * Envelopes that were sealed without: first contacts, and recipients for whom there is no room.
   */
  readonly servedByLadder: number;
  /** Bytes that all of it takes, of `recipientCacheBytes`. */
  readonly cachedBytes: number;
  /** Entries that wait, for a worker or for this thread. */
  readonly queueLength: number;
}

const REQUEST_NAMES = { recipientIdentityKey: true, content: true } satisfies NamesOf<SealRequest>;
const CALL_NAMES = { signal: true } satisfies NamesOf<CallOptions>;
const SEAL_NAMES = { ...CALL_NAMES, packed: true } satisfies NamesOf<SealOptions>;
const UNSEAL_NAMES = {
  ...CALL_NAMES,
  trustRoots: true,
  timestamp: true,
} satisfies NamesOf<UnsealOptions>;

/**
 * Sets of trust roots that are remembered with the certificates they vouched for; a service has
 * one.
 */
const MAX_VALIDATORS = 4;

/**
 * Seals and unseals sealed-sender envelopes in batches. The work runs in a WebAssembly kernel on
 * worker threads.
 *
 * Arguments are checked before any work starts: a wrong one rejects the call with
 * ERR_INVALID_ARGUMENT, naming the entry. A failure that only the work can find is that entry's own
 * result, and no entry ever fails another.
 */
export class Sealer {
  readonly #engine: Engine;
  readonly #certificates = new CertificateMemory();
  readonly #validators = new LruMap<string, CertificateValidator>(MAX_VALIDATORS);
  readonly #unsealingHost: UnsealingHost;
  /** Calls that are not finished. */
  readonly #unsealings = new Set<Unsealing>();
  #libsignal: LibsignalUnsealer | undefined;
  #closed = false;

  private constructor(engine: Engine) {
    this.#engine = engine;
    this.#unsealingHost = {
      turns: engine.turns,
      aborts: engine.aborts,
      libsignal: () => this.#libsignalUnsealer(),
      verify: (certificates, trustRoots) => this.#verify({ certificates, trustRoots }),
    };
  }

  /**
   * Starts the workers.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT (a bad option, a public key that is not the private
   *   key's), ERR_KERNEL_UNSUPPORTED (this engine cannot run the kernel), ERR_KERNEL_FAULT (its
   *   files cannot be read), ERR_OUT_OF_MEMORY, ERR_WORKER_LOST (no thread to be had).
   * @example
   * const sealer = await Sealer.create({ identityKeyPair, threads: 4 });
   */
  static async create(options: SealerOptions): Promise<Sealer> {
    return Sealer.on(await Engine.create(checkSealerOptions(options)));
  }

  /**
   * Puts a Sealer on an engine that others use too; closing it closes the engine.
   *
   * @internal
   */
  static on(engine: Engine): Sealer {
    return new Sealer(engine);
  }

  /**
   * Makes one sealed sender v1 envelope for each entry. The format is libsignal's
   * (`sealed_sender_encrypt`).
   *
   * @returns in order, one result each. A key of low order is its entry's ERR_LOW_ORDER_KEY; the
   *   death of a worker is ERR_WORKER_LOST for the entries that it processed.
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_QUEUE_FULL, ERR_ABORTED, ERR_CLOSED.
   * @example
   * const [result] = await sealer.seal([{ recipientIdentityKey, content }]);
   * if (result?.ok) console.log(result.envelope.length);
   */
  async seal(entries: readonly SealRequest[], options: SealOptions = {}): Promise<SealResult[]> {
    this.#assertOpen();
    const checked = checkOptions(options, SEAL_NAMES);
    const signal = checkSignal(checked['signal']);
    const packed = checkBoolean(checked['packed'], 'packed', false);
    const list = checkArray(entries, 'entries');
    const recipients = new PublicKeyList(list.length);
    const contents: Uint8Array[] = [];
    const checking = this.#engine.enter(list.length, signal, (index) => {
      const entry = list[index];
      if (typeof entry !== 'object' || entry === null) {
        refuse('entry', 'an object { recipientIdentityKey, content }', index);
      }
      checkNames(entry, REQUEST_NAMES, undefined, index);
      const { recipientIdentityKey, content } = entry as Partial<SealRequest>;
      recipients.set(index, recipientIdentityKey, 'recipientIdentityKey');
      contents.push(checkContent(content, index));
    });
    if (checking !== undefined) await checking;
    const batch = new SealBatch(
      { keys: recipients.keys, contents, packed, signal },
      this.#engine.recipients,
    );
    await this.#engine.scheduler.run(batch);
    return batch.results;
  }

  /**
   * Seals as {@link Sealer.seal} does, where the arguments are known to be right.
   *
   * @internal
   * @param keys u-coordinates of the recipients, 32 bytes each, one behind the other.
   */
  async sealChecked(keys: Uint8Array, contents: readonly Uint8Array[]): Promise<SealResult[]> {
    this.#assertOpen();
    const batch = new SealBatch({ keys, contents }, this.#engine.recipients);
    await this.#engine.scheduler.run(batch);
    return batch.results;
  }

  /**
   * Opens envelopes: v1 in the workers; v2, and v1 above 256 KiB, with libsignal on this thread, in
   * turns.
   *
   * Opening proves only that the certificate inside carries the key that sealed the envelope; any
   * sender can issue such a certificate. With `trustRoots` and `timestamp` the certificate is
   * validated too, and `sender` is the account that it names.
   *
   * @returns in order, one result each. Whatever is wrong with an envelope is ERR_INVALID_ENVELOPE,
   *   with libsignal's verdict on each; a certificate that does not hold is
   *   ERR_INVALID_CERTIFICATE.
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_QUEUE_FULL, ERR_ABORTED, ERR_CLOSED.
   * @example
   * const [result] = await sealer.unseal([envelope], { trustRoots, timestamp: Date.now() });
   * if (result?.ok) console.log(result.sender, result.content);
   */
  async unseal(
    envelopes: readonly Uint8Array[],
    options: UnsealOptions = {},
  ): Promise<UnsealResult[]> {
    this.#assertOpen();
    const checked = checkOptions(options, UNSEAL_NAMES);
    const signal = checkSignal(checked['signal']);
    const validation = this.#checkValidation(checked);
    const list = checkArray(envelopes, 'envelopes');
    const timestamps = validation?.timestamp;
    if (Array.isArray(timestamps) && timestamps.length !== list.length) {
      // The first envelope without a timestamp, or the first timestamp without an envelope.
      const index = Math.min(timestamps.length, list.length);
      refuse(
        'timestamp',
        `one for each envelope (${list.length}), not ${timestamps.length}`,
        index,
      );
    }
    const views: Uint8Array[] = [];
    const checking = this.#engine.enter(list.length, signal, (index) => {
      views.push(checkEnvelope(list[index], index));
      if (Array.isArray(timestamps)) checkTimestamp(timestamps[index], index);
    });
    if (checking !== undefined) await checking;

    const verdicts = new UnsealVerdicts(list.length, this.#certificates, validation, (key) =>
      this.#engine.admit(key),
    );
    const unsealing = new Unsealing(views, verdicts, this.#unsealingHost, signal);
    this.#unsealings.add(unsealing);
    try {
      await this.#engine.scheduler.run(new UnsealBatch(list.length, unsealing, signal));
      await unsealing.finish();
    } catch (error) {
      unsealing.stop(closedError());
      throw error;
    } finally {
      this.#unsealings.delete(unsealing);
    }
    return unsealing.results;
  }

  /** Never rejects: what no worker could verify is verified on this thread. */
  async #verify(asked: Omit<CertificatesRequest, 'kind'>): Promise<Uint8Array | undefined> {
    const request: CertificatesRequest = { kind: 'certificates', ...asked };
    try {
      const reply = await this.#engine.scheduler.runRatchet(request, 'incoming', []);
      return (reply as CertificatesReply).held;
    } catch {
      return undefined;
    }
  }

  #libsignalUnsealer(): LibsignalUnsealer {
    if (this.#libsignal === undefined) {
      const privateKey = this.#engine.control.copyPrivateKey();
      this.#libsignal = new LibsignalUnsealer(privateKey);
      privateKey.fill(0);
    }
    return this.#libsignal;
  }

  #checkValidation(options: Readonly<Record<string, unknown>>): Validation | undefined {
    const { trustRoots, timestamp } = options;
    if (trustRoots === undefined && timestamp === undefined) return undefined;
    if (trustRoots === undefined) refuse('trustRoots', 'given together with timestamp');
    const roots = checkArray(trustRoots, 'trustRoots').map((root, index) => {
      const serialized = new Uint8Array(KEY_BYTES + 1);
      serialized[0] = 5;
      serialized.set(checkPublicKey(root, 'trustRoots', index), 1);
      return serialized;
    });
    if (roots.length === 0) refuse('trustRoots', 'at least one public key');
    // Timestamps of an array are checked in turns, with the envelopes that they belong to.
    const isEach = Array.isArray(timestamp);
    const checkedTimestamp = isEach
      ? (checkArray(timestamp, 'timestamp') as number[])
      : checkTimestamp(timestamp);
    const name = roots.map((root) => Buffer.from(root).toString('base64')).join();
    let validator = this.#validators.get(name);
    if (validator === undefined) {
      validator = new CertificateValidator(roots);
      this.#validators.set(name, validator);
    }
    return { validator, timestamp: checkedTimestamp };
  }

  /**
   * Computes ahead of a broadcast what can be: DH(S, R) for each key, and tables of the key's
   * multiples, as far as `recipientCacheBytes` goes. Without it, tables are built at a recipient's
   * second envelope.
   *
   * @returns in order, one result each; a key of low order is its entry's ERR_LOW_ORDER_KEY.
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_QUEUE_FULL, ERR_ABORTED, ERR_CLOSED.
   * @example
   * await sealer.prepare(recipientIdentityKeys);
   */
  async prepare(
    recipientIdentityKeys: readonly PublicKeyInput[],
    options: CallOptions = {},
  ): Promise<PrepareResult[]> {
    this.#assertOpen();
    const signal = checkSignal(checkOptions(options, CALL_NAMES)['signal']);
    const list = checkArray(recipientIdentityKeys, 'recipientIdentityKeys');
    const recipients = new PublicKeyList(list.length);
    const checking = this.#engine.enter(list.length, signal, (index) => {
      recipients.set(index, list[index], 'recipientIdentityKey');
    });
    if (checking !== undefined) await checking;
    const batch = new PrepareBatch(recipients.keys, this.#engine.recipients, signal);
    await this.#engine.scheduler.run(batch);
    return batch.results;
  }

  /**
   * Returns the statistics of the Sealer at this moment.
   *
   * @example
   * const { servedByTable, servedByLadder, queueLength } = sealer.stats();
   */
  stats(): SealerStats {
    const { recipients } = this.#engine;
    return {
      kernel: this.#engine.kernel,
      threads: this.#engine.threads,
      cachedRecipients: recipients.slots.size,
      tables: recipients.tables.size,
      servedByTable: recipients.servedByTable,
      servedByLadder: recipients.servedByLadder,
      cachedBytes: recipients.bytes,
      queueLength: this.#engine.queueLength,
    };
  }

  /**
   * Rejects what is pending with ERR_CLOSED, ends the workers, wipes the keys. Further calls do
   * nothing.
   *
   * @example
   * await sealer.close();
   */
  close(): Promise<void> {
    this.#closed = true;
    this.#libsignal = undefined;
    for (const unsealing of this.#unsealings) unsealing.stop(closedError());
    return this.#engine.close();
  }

  /** Does what {@link close} does, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}
