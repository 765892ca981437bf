// As much of the protobuf wire format as the envelope needs, read as libsignal's reader (prost)
// reads it: unknown fields are skipped whatever they hold, of a field given twice the last one
// counts, and a known field of the wrong wire type is an error.
import { byteAt, concatBytes, copyBytes, type Bytes } from './bytes.js';

const WIRE_VARINT = 0;
const WIRE_64_BITS = 1;
const WIRE_LENGTH_DELIMITED = 2;
const WIRE_START_GROUP = 3;
const WIRE_END_GROUP = 4;
const WIRE_32_BITS = 5;

const MAX_VARINT_BYTES = 10;
const MAX_KEY = 2n ** 32n - 1n;
const MAX_GROUP_DEPTH = 100;

export function encodeVarint(value: bigint): Bytes {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.of(...bytes, Number(rest));
}

export function encodeKey(fieldNumber: number, wireType: number): Bytes {
  return encodeVarint((BigInt(fieldNumber) << 3n) | BigInt(wireType));
}

export function encodeBytesField(fieldNumber: number, value: Uint8Array): Bytes {
  return concatBytes(
    encodeKey(fieldNumber, WIRE_LENGTH_DELIMITED),
    encodeVarint(BigInt(value.length)),
    value,
  );
}

export function encodeVarintField(fieldNumber: number, value: bigint): Bytes {
  return concatBytes(encodeKey(fieldNumber, WIRE_VARINT), encodeVarint(value));
}

/** The byte strings in the fields of `knownFields`; everything else in the message is skipped. */
export function readBytesFields(
  message: Uint8Array,
  knownFields: readonly number[],
): Map<number, Bytes> {
  const reader = new Reader(message);
  const values = new Map<number, Bytes>();
  while (!reader.atEnd()) {
    const { fieldNumber, wireType } = reader.readKey();
    if (knownFields.includes(fieldNumber)) {
      if (wireType !== WIRE_LENGTH_DELIMITED)
        throw new Error(`field ${fieldNumber} is not a byte string`);
      values.set(fieldNumber, reader.readLengthDelimited());
    } else {
      reader.skipField(fieldNumber, wireType, MAX_GROUP_DEPTH);
    }
  }
  return values;
}

class Reader {
  private offset = 0;
  constructor(private readonly message: Uint8Array) {}

  atEnd(): boolean {
    return this.offset === this.message.length;
  }

  /** At most ten bytes and 64 bits; needlessly long encodings are taken. */
  readVarint(): bigint {
    let value = 0n;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = byteAt(this.message, this.offset++);
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        if (value >> 64n !== 0n) break;
        return value;
      }
    }
    throw new Error('a varint of more than 64 bits');
  }

  readKey(): { fieldNumber: number; wireType: number } {
    const key = this.readVarint();
    if (key > MAX_KEY) throw new Error('a key of more than 32 bits');
    const fieldNumber = Number(key >> 3n);
    if (fieldNumber === 0) throw new Error('a field of number 0');
    return { fieldNumber, wireType: Number(key & 7n) };
  }

  readLengthDelimited(): Bytes {
    return this.take(this.readVarint());
  }

  skipField(fieldNumber: number, wireType: number, depthLeft: number): void {
    if (depthLeft === 0) throw new Error(`groups nested more than ${MAX_GROUP_DEPTH} deep`);
    if (wireType === WIRE_VARINT) this.readVarint();
    else if (wireType === WIRE_64_BITS) this.take(8n);
    else if (wireType === WIRE_LENGTH_DELIMITED) this.readLengthDelimited();
    else if (wireType === WIRE_32_BITS) this.take(4n);
    else if (wireType === WIRE_START_GROUP) this.skipGroup(fieldNumber, depthLeft);
    else throw new Error(`field ${fieldNumber} has the wire type ${wireType}`);
  }

  private skipGroup(groupNumber: number, depthLeft: number): void {
    for (;;) {
      const { fieldNumber, wireType } = this.readKey();
      if (wireType === WIRE_END_GROUP) {
        if (fieldNumber !== groupNumber)
          throw new Error(`group ${groupNumber} is ended as ${fieldNumber}`);
        return;
      }
      this.skipField(fieldNumber, wireType, depthLeft - 1);
    }
  }

  private take(lengthBytes: bigint): Bytes {
    if (lengthBytes > BigInt(this.message.length - this.offset))
      throw new Error('a field longer than its message');
    const start = this.offset;
    this.offset += Number(lengthBytes);
    return copyBytes(this.message.subarray(start, this.offset));
  }
}
