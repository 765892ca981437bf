import { KEY_BYTES, STATUS_OK } from '../../assembly/abi.js';
import type { SealcastError } from '../errors.js';
import type { Arena } from '../kernel/arena.js';
import type { KernelBatch } from './scheduler.js';
import type { Recipients } from './recipient-cache/cache.js';
import type { PrepareResult } from './types.js';
import { chunkError, entryError } from './seal-batch.js';

/** Keys whose slots are to be filled, and tables to be built, ahead of a broadcast. */
export class PrepareBatch implements KernelBatch {
  readonly kind = 'prepare';
  readonly count: number;
  readonly signal: AbortSignal | undefined;
  readonly results: PrepareResult[];
  readonly #keys: Uint8Array;
  readonly #recipients: Recipients;

  /** @param keys u-coordinates, 32 bytes each, one behind the other. */
  constructor(keys: Uint8Array, recipients: Recipients, signal?: AbortSignal) {
    this.count = keys.length / KEY_BYTES;
    this.signal = signal;
    this.results = new Array<PrepareResult>(this.count);
    this.#keys = keys;
    this.#recipients = recipients;
  }

  fill(arena: Arena, index: number): 'added' | 'full' {
    if (!arena.addKey(this.#keys, index * KEY_BYTES)) return 'full';
    this.#recipients.useForPreparing(arena, arena.count - 1, this.#keys, index * KEY_BYTES);
    return 'added';
  }

  collect(arena: Arena, place: number, index: number): void {
    const status = arena.status(place);
    this.results[index] =
      status === STATUS_OK ? { ok: true } : { ok: false, error: entryError(status, index) };
  }

  release(arena: Arena): void {
    this.#recipients.release(arena);
  }

  fail(index: number, error: SealcastError): void {
    this.results[index] = { ok: false, error: chunkError(error, index) };
  }
}
