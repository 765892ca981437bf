import { loadLibsignal } from '../access/libsignal.js';
import type { LibsignalUnsealer } from './libsignal-unsealer.js';
import type { UnsealResult, UnsealVerdicts } from './unseal-verdicts.js';
import { SealcastError } from '../errors.js';
import { MAX_UNSEALED_BYTES } from '../kernel/arena.js';
import type { Unsealed } from '../kernel/unsealed.js';
import { parseV1Envelope, type V1Envelope } from '../kernel/envelope.js';
import type { AbortWatch } from '../util/abort-watch.js';
import { abortedError } from '../engine/scheduler.js';
import { findCertificate } from './usmc.js';
import { viewIfAttached } from '../util/bytes.js';
import type { Turns, TurnJob } from '../engine/turns.js';
import type { UnsealListener } from '../engine/unseal-batch.js';

/** Parts of its Sealer that an unsealing needs. */
export interface UnsealingHost {
  readonly turns: Turns;
  readonly aborts: AbortWatch;
  libsignal(): LibsignalUnsealer;
  /**
   * Has a worker verify certificates: 1 for each whose signatures hold. Undefined where no worker
   * could.
   */
  verify(
    certificates: readonly Uint8Array<ArrayBuffer>[],
    trustRoots: readonly Uint8Array<ArrayBuffer>[],
  ): Promise<Uint8Array | undefined>;
}

/** An opened envelope. */
interface Met {
  readonly index: number;
  readonly unsealed: Unsealed;
}

/**
 * Certificates that are worth a worker's job: fewer are verified on this thread sooner, in 60 to
 * 150 us each (measured: Node 20, Intel Xeon, 2026-11).
 */
const MIN_VERIFIED = 4;

/** The certificate of an opened envelope, as a key of a map; undefined in an unusual USMC. */
function certificateName({ content }: Unsealed): string | undefined {
  const bytes = findCertificate(content);
  if (bytes === null) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/**
 * One call's envelopes on their way: the kernel opens v1; libsignal opens the rest on this thread;
 * this thread judges the opened ones: at once where the certificate was judged before, which takes
 * microseconds, else in turns. Parsing and validating with libsignal delay the event loop, and
 * strangers decide how often.
 */
export class Unsealing implements UnsealListener {
  readonly #envelopes: readonly Uint8Array[];
  readonly #verdicts: UnsealVerdicts;
  readonly #host: UnsealingHost;
  readonly #signal: AbortSignal | undefined;
  #pending = 0;
  /** Envelopes with certificates that were not judged before, until they are verified. */
  #met: Met[] = [];
  #stopped: SealcastError | undefined;
  #onChange: (() => void) | undefined;

  constructor(
    envelopes: readonly Uint8Array[],
    verdicts: UnsealVerdicts,
    host: UnsealingHost,
    signal: AbortSignal | undefined,
  ) {
    this.#envelopes = envelopes;
    this.#verdicts = verdicts;
    this.#host = host;
    this.#signal = signal;
  }

  get results(): UnsealResult[] {
    return this.#verdicts.results;
  }

  parse(index: number): V1Envelope | null {
    const envelope = viewIfAttached(this.#envelopes[index]);
    if (envelope === null) {
      this.#failMoved(index);
      return null;
    }
    // libsignal takes the high nibble: 0 and 1 are v1, 2 is v2 (sealed_sender.rs,
    // UnidentifiedSenderMessage).
    const version = envelope.length === 0 ? undefined : (envelope[0] ?? 0) >> 4;
    if (version === 2) this.#openWithLibsignal(index, envelope, 2);
    else if (version !== 0 && version !== 1) this.#verdicts.invalid(index);
    else if (envelope.length > MAX_UNSEALED_BYTES) this.#openWithLibsignal(index, envelope, 1);
    else {
      const parsed = parseV1Envelope(envelope);
      if (parsed === null) this.#verdicts.invalid(index);
      return parsed;
    }
    return null;
  }

  unsealed(index: number, unsealed: Unsealed | null): void {
    if (unsealed === null) this.#verdicts.invalid(index);
    else if (!this.#isKnown(index, unsealed)) this.#meet({ index, unsealed });
  }

  /** Judges an envelope at once where its certificate was judged before. */
  #isKnown(index: number, unsealed: Unsealed): boolean {
    return this.#stopped === undefined && this.#verdicts.takeKnown(index, unsealed);
  }

  /** Has envelopes wait for the others of their chunk: their certificates are verified together. */
  #meet(met: Met): void {
    this.#pending += 1;
    this.#met.push(met);
    if (this.#met.length === 1) queueMicrotask(() => void this.#judgeMet());
  }

  /** Judges envelopes with certificates that were not judged before. */
  async #judgeMet(): Promise<void> {
    const met = this.#met;
    this.#met = [];
    const verified = await this.#verify(met);
    for (const { index, unsealed } of met) {
      this.#pending -= 1;
      const name = certificateName(unsealed);
      this.#later(index, () =>
        this.#verdicts.unsealed(index, unsealed, name !== undefined && verified.has(name)),
      );
    }
  }

  /** Names of certificates whose signatures a worker found good; of few, none is asked. */
  async #verify(met: readonly Met[]): Promise<ReadonlySet<string>> {
    const { trustRoots } = this.#verdicts;
    const names = new Set(trustRoots && met.map(({ unsealed }) => certificateName(unsealed)));
    names.delete(undefined);
    if (trustRoots === undefined || names.size < MIN_VERIFIED) return new Set();
    const asked = [...names].filter((name) => name !== undefined);
    const certificates = asked.map((name) => new Uint8Array(Buffer.from(name, 'latin1')));
    const held = await this.#host.verify(certificates, trustRoots);
    return new Set(asked.filter((_, i) => held?.[i] === 1));
  }

  failed(index: number, error: SealcastError): void {
    this.#verdicts.failed(index, error);
  }

  #failMoved(index: number): void {
    const message = `entry ${index}: envelope was resized or transferred while it waited`;
    this.failed(
      index,
      new SealcastError('ERR_INVALID_ARGUMENT', message, { index, field: 'envelope' }),
    );
  }

  #openWithLibsignal(index: number, envelope: Uint8Array, version: 1 | 2): void {
    this.#later(index, async () => {
      const intact = viewIfAttached(envelope);
      if (intact === null) {
        this.#failMoved(index);
        return;
      }
      const copy = new Uint8Array(intact.length);
      copy.set(intact);
      const content = await this.#host.libsignal().unseal(copy);
      // Closed or aborted meanwhile: nothing is to be remembered of it.
      if (this.#stopped !== undefined) return;
      this.#verdicts.unsealedByLibsignal(index, content, version);
    });
  }

  #later(index: number, job: TurnJob): void {
    this.#pending += 1;
    this.#host.turns.push(() =>
      this.#stopped === undefined ? this.#judge(index, job) : undefined,
    );
  }

  /** Judges at once where it can: most verdicts need no promise. */
  #judge(index: number, job: TurnJob): Promise<void> | undefined {
    try {
      const pending = loadLibsignal()?.then(() => this.#unlessStopped(job)) ?? job();
      if (pending !== undefined) return this.#judgeLater(index, pending);
    } catch (cause) {
      this.#failJudging(index, cause);
    }
    this.#judged();
    return undefined;
  }

  async #judgeLater(index: number, pending: Promise<void>): Promise<void> {
    try {
      await pending;
    } catch (cause) {
      this.#failJudging(index, cause);
    }
    this.#judged();
  }

  /** Closed or aborted meanwhile: no caller waits for the verdict. */
  #unlessStopped(job: TurnJob): void | Promise<void> {
    return this.#stopped === undefined ? job() : undefined;
  }

  #failJudging(index: number, cause: unknown): void {
    const code = cause instanceof SealcastError ? cause.code : 'ERR_OUT_OF_MEMORY';
    this.failed(
      index,
      new SealcastError(code, `entry ${index}: it could not be judged`, { index, cause }),
    );
  }

  #judged(): void {
    this.#pending -= 1;
    this.#onChange?.();
  }

  /** Drops the rest of the work: no caller waits for the results any more. */
  stop(error: SealcastError): void {
    this.#stopped ??= error;
    this.#onChange?.();
  }

  /**
   * Resolves once the last envelope was judged; rejects as soon as the signal fires or the call is
   * stopped.
   */
  async finish(): Promise<void> {
    const signal = this.#signal;
    const unwatch = signal && this.#host.aborts.add(signal, () => this.stop(abortedError(signal)));
    try {
      if (signal?.aborted === true) throw abortedError(signal);
      await new Promise<void>((resolve, reject) => {
        this.#onChange = () => {
          if (this.#stopped !== undefined) reject(this.#stopped);
          else if (this.#pending === 0) resolve();
        };
        this.#onChange();
      });
    } finally {
      unwatch?.();
    }
  }
}
