import { KEY_BYTES, STATUS_LOW_ORDER_KEY, STATUS_OK } from '../../assembly/abi.js';
import { SealcastError } from '../errors.js';
import type { Arena } from '../kernel/arena.js';
import type { KernelBatch } from './scheduler.js';
import type { Recipients } from './recipient-cache/cache.js';
import type { SealResult } from './types.js';
import { viewIfAttached } from '../util/bytes.js';

/** Error that a key or a status means for its entry. */
export function entryError(status: number, index: number): SealcastError {
  if (status === STATUS_LOW_ORDER_KEY) {
    const message = `entry ${index}: the identity key is a point of low order, which no account owns`;
    return new SealcastError('ERR_LOW_ORDER_KEY', message, { index });
  }
  return new SealcastError('ERR_KERNEL_FAULT', `entry ${index}: the kernel gave status ${status}`, {
    index,
  });
}

/** The error of a whole chunk as one entry's own. */
export function chunkError(error: SealcastError, index: number): SealcastError {
  return new SealcastError(error.code, `entry ${index}: ${error.message}`, {
    index,
    cause: error.cause,
  });
}

/** Parts of a {@link SealBatch}. */
interface SealBatchParts {
  /** u-coordinates of the recipients, 32 bytes each, one behind the other. */
  readonly keys: Uint8Array;
  readonly contents: readonly Uint8Array[];
  /** Whether the envelopes of a chunk may share one buffer. */
  readonly packed?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Contents to seal, one envelope each. */
export class SealBatch implements KernelBatch {
  readonly kind = 'seal';
  readonly count: number;
  readonly signal: AbortSignal | undefined;
  readonly results: SealResult[];
  readonly #keys: Uint8Array;
  readonly #contents: readonly Uint8Array[];
  readonly #recipients: Recipients;
  readonly #packed: boolean;
  /** Envelopes of the chunk that is being collected, where they are packed. */
  #chunk: ArrayBuffer | undefined;

  constructor({ keys, contents, packed = false, signal }: SealBatchParts, recipients: Recipients) {
    this.count = contents.length;
    this.signal = signal;
    this.results = new Array<SealResult>(contents.length);
    this.#keys = keys;
    this.#contents = contents;
    this.#recipients = recipients;
    this.#packed = packed;
  }

  fill(arena: Arena, index: number): 'added' | 'skipped' | 'full' {
    const content = viewIfAttached(this.#contents[index]);
    if (content === null) {
      const message = `entry ${index}: content was resized or transferred while it waited`;
      this.#refuse(
        index,
        new SealcastError('ERR_INVALID_ARGUMENT', message, { index, field: 'content' }),
      );
      return 'skipped';
    }
    if (!arena.addContent(this.#keys, content, index * KEY_BYTES)) return 'full';
    this.#recipients.useForSealing(arena, arena.count - 1, this.#keys, index * KEY_BYTES);
    return 'added';
  }

  collect(arena: Arena, place: number, index: number): void {
    const status = arena.status(place);
    if (status !== STATUS_OK) {
      this.#refuse(index, entryError(status, index));
      return;
    }
    this.results[index] = { ok: true, envelope: this.#takeEnvelope(arena, place) };
    this.#recipients.countSealed(arena, place);
  }

  #takeEnvelope(arena: Arena, place: number): Uint8Array<ArrayBuffer> {
    if (!this.#packed) return arena.envelope(place);
    this.#chunk ??= arena.copyEnvelopes();
    return arena.envelopeIn(this.#chunk, place);
  }

  release(arena: Arena): void {
    this.#chunk = undefined;
    this.#recipients.release(arena);
  }

  fail(index: number, error: SealcastError): void {
    this.#refuse(index, chunkError(error, index));
  }

  #refuse(index: number, error: SealcastError): void {
    this.results[index] = { ok: false, error };
  }
}
