import { STATUS_INVALID_ENVELOPE, STATUS_OK } from '../../assembly/abi.js';
import type { SealcastError } from '../errors.js';
import type { Arena } from '../kernel/arena.js';
import type { Unsealed } from '../kernel/unsealed.js';
import type { V1Envelope } from '../kernel/envelope.js';
import type { KernelBatch } from './scheduler.js';
import { chunkError, entryError } from './seal-batch.js';

/** Owner of the envelopes; hears the outcome of each. */
export interface UnsealListener {
  /** The envelope for the kernel; null when there is nothing for it to do. May be asked again. */
  parse(index: number): V1Envelope | null;
  /** null is an invalid envelope. */
  unsealed(index: number, unsealed: Unsealed | null): void;
  failed(index: number, error: SealcastError): void;
}

/**
 * v1 envelopes to unseal. They are parsed when their turn comes: a large batch does not hold up its
 * caller.
 */
export class UnsealBatch implements KernelBatch {
  readonly kind = 'unseal';
  readonly count: number;
  readonly signal: AbortSignal | undefined;
  readonly #listener: UnsealListener;

  constructor(count: number, listener: UnsealListener, signal?: AbortSignal) {
    this.count = count;
    this.signal = signal;
    this.#listener = listener;
  }

  fill(arena: Arena, index: number): 'added' | 'skipped' | 'full' {
    const envelope = this.#listener.parse(index);
    if (envelope === null) return 'skipped';
    return arena.addEnvelope(envelope) ? 'added' : 'full';
  }

  collect(arena: Arena, place: number, index: number): void {
    const status = arena.status(place);
    if (status === STATUS_OK) this.#listener.unsealed(index, arena.unsealed(place));
    else if (status === STATUS_INVALID_ENVELOPE) this.#listener.unsealed(index, null);
    else this.#listener.failed(index, entryError(status, index));
  }

  fail(index: number, error: SealcastError): void {
    this.#listener.failed(index, chunkError(error, index));
  }
}
