import { MAC_BYTES, PUBLIC_KEY_BYTES, PUBLIC_KEY_TYPE, STATIC_BYTES } from '../../assembly/abi.js';

/** A v1 envelope, and where its parts begin. */
export interface V1Envelope {
  readonly bytes: Uint8Array;
  /** e_pub's u-coordinate, 32 bytes. */
  readonly ephemeralKeyAt: number;
  /** static_ct, 43 bytes, MAC included. */
  readonly staticAt: number;
  readonly messageAt: number;
  /** Length of message_ct: at least the MAC. */
  readonly messageBytes: number;
}

/** Where a field's bytes are. */
interface Span {
  readonly begin: number;
  readonly byteCount: number;
}

const WIRE_VARINT = 0;
const WIRE_64_BIT = 1;
const WIRE_BYTES = 2;
const WIRE_START_GROUP = 3;
const WIRE_END_GROUP = 4;
const WIRE_32_BIT = 5;
/** prost's: what lies inside of as many groups is refused. */
const MAX_GROUP_DEPTH = 100;
const MAX_KEY = 0xffffffff;
const EPHEMERAL_FIELD = 1;
const STATIC_FIELD = 2;
const MESSAGE_FIELD = 3;

/** Thrown inside this file only; whatever is malformed is one thing to the caller. */
class Malformed extends Error {}

/** A cursor over protobuf, with the verdicts of prost. libsignal decodes envelopes with prost. */
class Reader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /**
   * Up to ten bytes. Values above 2^53 lose low bits, which nothing here needs: they are only ever
   * too large.
   */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) break;
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      // The tenth byte holds the 64th bit only.
      if (byte < 0x80) {
        if (count === 9 && byte > 1) break;
        return value;
      }
    }
    throw new Malformed();
  }

  key(): { field: number; wireType: number } {
    const key = this.varint();
    if (key > MAX_KEY) throw new Malformed();
    const wireType = key % 8;
    const field = (key - wireType) / 8;
    if (field === 0 || wireType > WIRE_32_BIT) throw new Malformed();
    return { field, wireType };
  }

  take(byteCount: number): Span {
    if (byteCount > this.#bytes.length - this.#at) throw new Malformed();
    const begin = this.#at;
    this.#at += byteCount;
    return { begin, byteCount };
  }

  skip(field: number, wireType: number, depth: number): void {
    if (depth >= MAX_GROUP_DEPTH) throw new Malformed();
    if (wireType === WIRE_VARINT) this.varint();
    else if (wireType === WIRE_64_BIT) this.take(8);
    else if (wireType === WIRE_32_BIT) this.take(4);
    else if (wireType === WIRE_BYTES) this.take(this.varint());
    else if (wireType === WIRE_START_GROUP) {
      for (;;) {
        const inner = this.key();
        if (inner.wireType === WIRE_END_GROUP) {
          if (inner.field !== field) throw new Malformed();
          return;
        }
        this.skip(inner.field, inner.wireType, depth + 1);
      }
    } else throw new Malformed();
  }
}

/**
 * Takes a v1 envelope (version byte, then protobuf) apart, with libsignal's verdicts: unknown
 * fields are skipped, the last of several counts, bytes behind the 33 of e_pub are ignored.
 *
 * @returns null when it is malformed, or when its parts cannot have the lengths that sealing gives
 *   them.
 */
export function parseV1Envelope(envelope: Uint8Array): V1Envelope | null {
  const fields: (Span | undefined)[] = [];
  try {
    const reader = new Reader(envelope, 1);
    while (!reader.done) {
      const { field, wireType } = reader.key();
      if (field > MESSAGE_FIELD) {
        reader.skip(field, wireType, 0);
      } else {
        if (wireType !== WIRE_BYTES) return null;
        fields[field] = reader.take(reader.varint());
      }
    }
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
  const ephemeral = fields[EPHEMERAL_FIELD];
  const staticPart = fields[STATIC_FIELD];
  const message = fields[MESSAGE_FIELD];
  if (ephemeral === undefined || staticPart === undefined || message === undefined) return null;
  if (ephemeral.byteCount < PUBLIC_KEY_BYTES || envelope[ephemeral.begin] !== PUBLIC_KEY_TYPE)
    return null;
  // S is compared with the certificate's key, all 33 bytes of it and no others, so no other byte
  // can be in there.
  if (staticPart.byteCount !== STATIC_BYTES || message.byteCount < MAC_BYTES) return null;
  return {
    bytes: envelope,
    ephemeralKeyAt: ephemeral.begin + 1,
    staticAt: staticPart.begin,
    messageAt: message.begin,
    messageBytes: message.byteCount,
  };
}
