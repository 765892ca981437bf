import { loadLibsignal } from '../access/libsignal.js';
import type { LibsignalUnsealer } from './libsignal-unsealer.js';
import type { UnsealResult, UnsealVerdicts } from './unseal-verdicts.js';
import { SealcastError } from '../errors.js';
import { MAX_UNSEALED_BYTES, type Unsealed } from '../kernel/arena.js';
import { parseV1Envelope, type V1Envelope } from '../kernel/envelope.js';
import type { AbortWatch } from '../util/abort-watch.js';
import { abortedError } from '../engine/scheduler.js';
import { viewIfAttached } from '../util/bytes.js';
import type { Turns, TurnJob } from '../engine/turns.js';
import type { UnsealListener } from '../engine/unseal-batch.js';

/** Parts of its Sealer that an unsealing needs. */
export interface UnsealingHost {
  readonly turns: Turns;
  readonly aborts: AbortWatch;
  libsignal(): LibsignalUnsealer;
}

/**
 * One call's envelopes on their way: the kernel opens v1; libsignal opens the rest on this thread;
 * this thread judges the opened ones. Work on this thread runs in turns: parsing and validating
 * with libsignal delay the event loop, and strangers decide how often.
 */
export class Unsealing implements UnsealListener {
  readonly #envelopes: readonly Uint8Array[];
  readonly #verdicts: UnsealVerdicts;
  readonly #host: UnsealingHost;
  readonly #signal: AbortSignal | undefined;
  #pending = 0;
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
    else this.#later(index, () => this.#verdicts.unsealed(index, unsealed));
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
