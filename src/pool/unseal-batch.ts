import { STATUS_INVALID_ENVELOPE, STATUS_OK } from '../../assembly/abi.js';
import { SealcastError } from '../errors.js';
import type { Arena, Unsealed } from '../kernel/arena.js';
import type { V1Envelope } from '../kernel/envelope.js';
import type { Batch } from './pool.js';
import { chunkError, entryError } from './seal-batch.js';

/** A v1 envelope and its place in the caller's array. */
export interface IndexedEnvelope {
  readonly index: number;
  readonly envelope: V1Envelope;
  /** Length of message_ct when it was parsed; a buffer that the caller transfers shrinks to nothing. */
  readonly messageBytes: number;
}

/** Who hears what became of each envelope, by its place in the caller's array: null is an invalid one. */
export interface UnsealListener {
  unsealed(index: number, unsealed: Unsealed | null): void;
  failed(index: number, error: SealcastError): void;
}

/** v1 envelopes to unseal. */
export class UnsealBatch implements Batch {
  readonly kind = 'unseal';
  readonly count: number;
  readonly signal: AbortSignal | undefined;
  readonly #envelopes: readonly IndexedEnvelope[];
  readonly #listener: UnsealListener;

  constructor(envelopes: readonly IndexedEnvelope[], listener: UnsealListener, signal?: AbortSignal) {
    this.count = envelopes.length;
    this.signal = signal;
    this.#envelopes = envelopes;
    this.#listener = listener;
  }

  #at(index: number): IndexedEnvelope {
    const envelope = this.#envelopes[index];
    if (envelope === undefined) throw new RangeError(`no envelope ${index}`);
    return envelope;
  }

  fill(arena: Arena, index: number): 'added' | 'skipped' | 'full' {
    const { index: callersIndex, envelope, messageBytes } = this.#at(index);
    if (envelope.messageCiphertext.length !== messageBytes) {
      const message = `entry ${callersIndex}: envelope was resized or transferred while it waited`;
      const facts = { index: callersIndex, field: 'envelope' };
      this.#listener.failed(callersIndex, new SealcastError('ERR_INVALID_ARGUMENT', message, facts));
      return 'skipped';
    }
    return arena.addEnvelope(envelope) ? 'added' : 'full';
  }

  collect(arena: Arena, place: number, index: number): void {
    const { index: callersIndex } = this.#at(index);
    const status = arena.status(place);
    if (status === STATUS_OK) this.#listener.unsealed(callersIndex, arena.unsealed(place));
    else if (status === STATUS_INVALID_ENVELOPE) this.#listener.unsealed(callersIndex, null);
    else this.#listener.failed(callersIndex, entryError(status, callersIndex));
  }

  fail(index: number, error: SealcastError): void {
    const { index: callersIndex } = this.#at(index);
    this.#listener.failed(callersIndex, chunkError(error, callersIndex));
  }
}
