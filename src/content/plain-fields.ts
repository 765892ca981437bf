export const VARINT = 0;
export const LENGTH_DELIMITED = 2;

/** Fields of one and two bytes' tags: ids below 2,048. */
const MAX_TAG_BYTES = 2;
/** Lengths below 2^28. */
const MAX_LENGTH_BYTES = 4;
const MAX_VARINT_BYTES = 10;
const BITS = 7;
const MORE = 0x80;

/**
 * Reads the fields of a serialized message in the form in which encoders write it.
 *
 * Use: `while (fields.next()) ...`, and then {@link PlainFields.isWhole}.
 *
 * protobufjs, which reads every form, takes two to six times as long for messages as small as
 * Signal's (measured: Node 20, Intel Xeon, 2026-11). It is asked where this one gives up: at
 * groups, fixed-width fields, long tags, and bytes that are no message.
 */
export class PlainFields {
  readonly #bytes: Uint8Array;
  readonly #to: number;
  #at: number;
  #isPlain = true;
  /** Of the field that was read last. */
  id = 0;
  wireType = VARINT;
  /** Bytes of a length-delimited field. */
  start = 0;
  end = 0;
  /** Value of a varint: its low 32 bits, and the 32 above them. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array, from: number, to: number) {
    this.#bytes = bytes;
    this.#at = from;
    this.#to = to;
  }

  /** Whether all was read, and all of it was in the usual form. */
  get isWhole(): boolean {
    return this.#isPlain && this.#at === this.#to;
  }

  /** Reads the next field; `false` at the end, and where the form is another one. */
  next(): boolean {
    if (this.#at >= this.#to) return false;
    const tag = this.#short(MAX_TAG_BYTES);
    this.id = tag >>> 3;
    this.wireType = tag & 7;
    if (tag < 0 || this.id === 0) return this.#stop();
    if (this.wireType === VARINT) return this.#varint() || this.#stop();
    if (this.wireType !== LENGTH_DELIMITED) return this.#stop();
    const length = this.#short(MAX_LENGTH_BYTES);
    this.start = this.#at;
    this.end = this.start + length;
    if (length < 0 || this.end > this.#to) return this.#stop();
    this.#at = this.end;
    return true;
  }

  #stop(): false {
    this.#isPlain = false;
    return false;
  }

  /** A varint of at most `maxBytes`; -1 where it is longer, or cut short. */
  #short(maxBytes: number): number {
    let value = 0;
    for (let i = 0; i < maxBytes && this.#at < this.#to; i++) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value |= (byte & (MORE - 1)) << (BITS * i);
      if (byte < MORE) return value;
    }
    return -1;
  }

  /** A varint of up to 64 bits. */
  #varint(): boolean {
    let low = 0;
    let high = 0;
    for (let i = 0; i < MAX_VARINT_BYTES && this.#at < this.#to; i++) {
      const byte = this.#bytes[this.#at++] ?? 0;
      const bits = byte & (MORE - 1);
      if (i < 4) low |= bits << (BITS * i);
      else if (i === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (i < 9) high |= bits << (BITS * i - 32);
      // The tenth byte has one bit.
      else if (bits > 1) return false;
      else high |= bits << 31;
      if (byte >= MORE) continue;
      this.low = low >>> 0;
      this.high = high >>> 0;
      return true;
    }
    return false;
  }

  /** Whether the varint is a number of 31 bits: the same as uint32, as int32 and as an enum. */
  get isSmall(): boolean {
    return this.high === 0 && this.low <= 0x7fff_ffff;
  }

  /** The varint as a uint64. */
  get uint64(): bigint {
    // Above 2^53 a number is not exact.
    if (this.high < 0x20_0000) return BigInt(this.high * 2 ** 32 + this.low);
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  /** A view of the bytes of a length-delimited field. */
  view(): Uint8Array<ArrayBuffer> {
    // Not a Buffer, where the input is one.
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer as ArrayBuffer, byteOffset + this.start, this.end - this.start);
  }

  /** A length-delimited field as a text; undefined where it is not UTF-8. */
  text(): string | undefined {
    for (let i = this.start; i < this.end; i++)
      if ((this.#bytes[i] ?? MORE) >= MORE) return utf8Of(this.view());
    const { buffer, byteOffset } = this.#bytes;
    return Buffer.from(buffer, byteOffset + this.start, this.end - this.start).toString('latin1');
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8Of(bytes: Uint8Array): string | undefined {
  try {
    return UTF_8.decode(bytes);
  } catch {
    return undefined;
  }
}
