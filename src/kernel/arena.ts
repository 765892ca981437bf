import {
  CHUNK_CLOCK_OFFSET,
  CHUNK_COUNT_OFFSET,
  ENTRIES_OFFSET,
  ENTRY_BYTES,
  ENTRY_SCALAR_OFFSET,
  KEY_BYTES,
  MAC_BYTES,
  MAX_CHUNK_ENTRIES,
  MAX_ENVELOPE_BYTES,
  MESSAGE_LENGTH_OFFSET,
  PAYLOAD_OFFSET,
  RECORDS_OFFSET,
  RECORD_BYTES,
  RECORD_ENVELOPE_PTR_OFFSET,
  RECORD_KEY_OFFSET,
  RECORD_MESSAGE_BYTES_OFFSET,
  RECORD_MESSAGE_PTR_OFFSET,
  RECORD_STATIC_PTR_OFFSET,
  RECORD_STATUS_OFFSET,
  RECORD_TABLES_PTR_OFFSET,
  RECORD_TABLES_STATE_OFFSET,
  STATUS_OK,
  STATUS_PENDING,
} from '../../assembly/abi.js';
import type { V1Envelope } from './envelope.js';
import type { KernelExports } from './instance.js';
import type { Unsealed } from './unsealed.js';

/** Payload of an arena: 256 envelopes of 4 KiB, or three of the largest. */
const PAYLOAD_BYTES = 1024 * 1024;
/** Vectors of the payload begin at multiples of this. */
const ALIGNMENT = 16;
/** Shared memory that one arena takes. */
export const ARENA_BYTES = PAYLOAD_OFFSET + PAYLOAD_BYTES;
/** An envelope larger than this does not go through an arena. */
export const MAX_UNSEALED_BYTES = MAX_ENVELOPE_BYTES;

function varintBytes(value: number): number {
  return value < 1 << 7 ? 1 : value < 1 << 14 ? 2 : 3;
}

/**
 * The codec of a chunk: lays requests into a piece of shared memory as assembly/abi.ts draws it,
 * and reads results out. The host fills an arena and reads it; in between one worker has it for
 * itself.
 */
export class Arena {
  readonly ptr: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #clear: (ptr: number, bytes: number) => void;
  #count = 0;
  /** Where the next payload may begin, from the start of the arena. */
  #payloadEnd = PAYLOAD_OFFSET;

  /**
   * @param kernel whose `clear` wipes the arena: V8's own `fill` writes shared memory byte by byte,
   *   0.4 us for each envelope of 600 bytes in place of 0.02 (measured: V8 11.3 to 14.6, Intel Xeon,
   *   2026-11).
   */
  constructor(memory: WebAssembly.Memory, ptr: number, kernel?: Pick<KernelExports, 'clear'>) {
    this.ptr = ptr;
    this.#clear =
      kernel === undefined
        ? (begin, bytes) => this.#bytes.fill(0, begin - ptr, begin - ptr + bytes)
        : (begin, bytes) => kernel.clear(begin, bytes);
    this.#bytes = new Uint8Array(memory.buffer, ptr, ARENA_BYTES);
    this.#view = new DataView(memory.buffer, ptr, ARENA_BYTES);
  }

  get count(): number {
    return this.#count;
  }

  #hasRoom(payloadBytes: number): boolean {
    return this.#count < MAX_CHUNK_ENTRIES && this.#payloadEnd + payloadBytes <= ARENA_BYTES;
  }

  /** A new record, pending, with the key that begins at `keyAt` of `keys`. */
  #addRecord(keys: Uint8Array, keyAt: number): number {
    const record = RECORDS_OFFSET + this.#count * RECORD_BYTES;
    // A loop: it costs less than a view of 32 bytes.
    for (let i = 0; i < KEY_BYTES; i++)
      this.#bytes[record + RECORD_KEY_OFFSET + i] = keys[keyAt + i] ?? 0;
    this.#view.setUint32(record + RECORD_STATUS_OFFSET, STATUS_PENDING, true);
    this.#count += 1;
    this.#view.setUint32(CHUNK_COUNT_OFFSET, this.#count, true);
    return record;
  }

  #takePayload(bytes: number): number {
    const at = this.#payloadEnd;
    this.#payloadEnd = at + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return at;
  }

  // In what follows the caller's bytes are copied before the record is added: copying throws when
  // they are gone, and then the chunk is as it was. Each copy begins at a multiple of 8, here as
  // there: V8 copies to and from shared memory byte by byte otherwise, 600 bytes in 0.7 us in place
  // of 0.04 (V8 11.3 to 13.6, 2026-11). The kernel moves it where it has to be.

  /**
   * Adds a content to seal to the recipient whose u-coordinate begins at `keyAt` of `keys`.
   *
   * @returns false when the arena is full.
   */
  addContent(keys: Uint8Array, content: Uint8Array, keyAt = 0): boolean {
    const headBytes = MESSAGE_LENGTH_OFFSET + varintBytes(content.length + MAC_BYTES);
    const contentOffset = Math.ceil(headBytes / ALIGNMENT) * ALIGNMENT;
    const roomBytes = contentOffset + content.length + MAC_BYTES;
    if (!this.#hasRoom(roomBytes + ALIGNMENT)) return false;
    const envelope = this.#takePayload(roomBytes);
    this.#bytes.set(content, envelope + contentOffset);
    const record = this.#addRecord(keys, keyAt);
    this.#view.setUint32(record + RECORD_ENVELOPE_PTR_OFFSET, this.ptr + envelope, true);
    this.#view.setUint32(
      record + RECORD_MESSAGE_PTR_OFFSET,
      this.ptr + envelope + contentOffset,
      true,
    );
    this.#view.setUint32(record + RECORD_MESSAGE_BYTES_OFFSET, content.length, true);
    return true;
  }

  /**
   * Adds a parsed envelope to unseal.
   *
   * @returns false when the arena is full.
   */
  addEnvelope({ bytes, ephemeralKeyAt, staticAt, messageAt, messageBytes }: V1Envelope): boolean {
    if (!this.#hasRoom(bytes.length + ALIGNMENT)) return false;
    const envelope = this.#takePayload(bytes.length);
    this.#bytes.set(bytes, envelope);
    const record = this.#addRecord(bytes, ephemeralKeyAt);
    this.#view.setUint32(record + RECORD_STATIC_PTR_OFFSET, this.ptr + envelope + staticAt, true);
    this.#view.setUint32(record + RECORD_MESSAGE_PTR_OFFSET, this.ptr + envelope + messageAt, true);
    this.#view.setUint32(record + RECORD_MESSAGE_BYTES_OFFSET, messageBytes - MAC_BYTES, true);
    return true;
  }

  /**
   * Adds the key that begins at `keyAt` of `keys`, whose slot is to be filled.
   *
   * @returns false when the arena is full.
   */
  addKey(keys: Uint8Array, keyAt = 0): boolean {
    if (!this.#hasRoom(0)) return false;
    this.#addRecord(keys, keyAt);
    return true;
  }

  /** Gives the entry the tables of its key, in one of abi.ts's TABLES_ states. */
  setTables(index: number, tablesPtr: number, state: number): void {
    const record = RECORDS_OFFSET + index * RECORD_BYTES;
    this.#view.setUint32(record + RECORD_TABLES_PTR_OFFSET, tablesPtr, true);
    this.#view.setUint32(record + RECORD_TABLES_STATE_OFFSET, state, true);
  }

  /** Address of the tables that the entry was given, or 0. */
  tablesPtr(index: number): number {
    return this.#view.getUint32(
      RECORDS_OFFSET + index * RECORD_BYTES + RECORD_TABLES_PTR_OFFSET,
      true,
    );
  }

  /** State of the record's tables: one of abi.ts's TABLES_ values. */
  tablesState(index: number): number {
    return this.#view.getUint32(
      RECORDS_OFFSET + index * RECORD_BYTES + RECORD_TABLES_STATE_OFFSET,
      true,
    );
  }

  /** Takes back the records behind the first `count`. */
  truncate(count: number): void {
    this.#count = count;
    this.#view.setUint32(CHUNK_COUNT_OFFSET, count, true);
  }

  /** Nanoseconds of the host's clock, one of the things that ephemeral scalars are made of. */
  setClock(nanoseconds: bigint): void {
    this.#view.setBigUint64(CHUNK_CLOCK_OFFSET, BigInt.asUintN(64, nanoseconds), true);
  }

  /** Address of entry `index`'s key. */
  keyPtr(index: number): number {
    return this.ptr + RECORDS_OFFSET + index * RECORD_BYTES + RECORD_KEY_OFFSET;
  }

  /** One of abi.ts's STATUS_ values. */
  status(index: number): number {
    return this.#view.getUint32(RECORDS_OFFSET + index * RECORD_BYTES + RECORD_STATUS_OFFSET, true);
  }

  #envelopeBegin(index: number): number {
    const record = RECORDS_OFFSET + index * RECORD_BYTES;
    return this.#view.getUint32(record + RECORD_ENVELOPE_PTR_OFFSET, true) - this.ptr;
  }

  #envelopeEnd(index: number): number {
    const record = RECORDS_OFFSET + index * RECORD_BYTES;
    const message = this.#view.getUint32(record + RECORD_MESSAGE_PTR_OFFSET, true) - this.ptr;
    return message + this.#view.getUint32(record + RECORD_MESSAGE_BYTES_OFFSET, true) + MAC_BYTES;
  }

  /** Copies out a sealed envelope. */
  envelope(index: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(this.#envelopeBegin(index), this.#envelopeEnd(index));
  }

  /**
   * Copies out all envelopes of a sealed chunk in one buffer, for {@link envelopeIn}.
   *
   * Nothing but envelopes leaves the arena: bytes of a content may be left behind its envelope,
   * from where the host laid it, and an entry that failed still has its content. These are wiped
   * first.
   */
  copyEnvelopes(): ArrayBuffer {
    let next = this.#payloadEnd;
    for (let index = this.#count - 1; index >= 0; index--) {
      const begin = this.#envelopeBegin(index);
      const from = this.status(index) === STATUS_OK ? this.#envelopeEnd(index) : begin;
      // A gap is shorter than two vectors: a call costs more than these bytes.
      if (next - from > 2 * ALIGNMENT) this.#clear(this.ptr + from, next - from);
      else for (let at = from; at < next; at++) this.#bytes[at] = 0;
      next = begin;
    }
    this.#clear(this.ptr + PAYLOAD_OFFSET, next - PAYLOAD_OFFSET);
    return this.#bytes.slice(PAYLOAD_OFFSET, this.#payloadEnd).buffer;
  }

  /** A sealed envelope as a view of what {@link copyEnvelopes} gave. */
  envelopeIn(copied: ArrayBuffer, index: number): Uint8Array<ArrayBuffer> {
    const begin = this.#envelopeBegin(index);
    return new Uint8Array(copied, begin - PAYLOAD_OFFSET, this.#envelopeEnd(index) - begin);
  }

  /** Copies out what an envelope held. */
  unsealed(index: number): Unsealed {
    const record = RECORDS_OFFSET + index * RECORD_BYTES;
    const begin = this.#view.getUint32(record + RECORD_MESSAGE_PTR_OFFSET, true) - this.ptr;
    const end = begin + this.#view.getUint32(record + RECORD_MESSAGE_BYTES_OFFSET, true);
    const key = record + RECORD_KEY_OFFSET;
    return {
      content: this.#bytes.slice(begin, end),
      senderKey: this.#bytes.slice(key, key + KEY_BYTES),
    };
  }

  /**
   * Wipes whatever this chunk or the kernel may have written, and makes the arena reusable. A
   * kernel that came to its end has wiped its own part; then, with `unfinished` false, the host
   * leaves that alone.
   */
  wipe(unfinished = true): void {
    if (unfinished) this.#clear(this.ptr + ENTRIES_OFFSET, PAYLOAD_OFFSET - ENTRIES_OFFSET);
    this.#clear(this.ptr, ENTRIES_OFFSET);
    this.#clear(this.ptr + PAYLOAD_OFFSET, this.#payloadEnd - PAYLOAD_OFFSET);
    this.#count = 0;
    this.#payloadEnd = PAYLOAD_OFFSET;
  }
}

/**
 * A worker's side of sealing: lays 32 random bytes of each entry where the kernel makes its
 * ephemeral scalar of them. `random` must be a plain buffer of `entryCount(...)` * 32 bytes, filled
 * by the operating system's generator.
 */
export function layScalars(memory: WebAssembly.Memory, arenaPtr: number, random: Uint8Array): void {
  const bytes = new Uint8Array(memory.buffer, arenaPtr, ARENA_BYTES);
  for (
    let at = 0, entry = ENTRIES_OFFSET;
    at < random.length;
    at += KEY_BYTES, entry += ENTRY_BYTES
  ) {
    bytes.set(random.subarray(at, at + KEY_BYTES), entry + ENTRY_SCALAR_OFFSET);
  }
}

/** Number of entries in the chunk at `arenaPtr`. */
export function entryCount(memory: WebAssembly.Memory, arenaPtr: number): number {
  return new DataView(memory.buffer, arenaPtr).getUint32(CHUNK_COUNT_OFFSET, true);
}
