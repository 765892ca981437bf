/** Bytes with a buffer of their own: what libsignal's addon and node:crypto both take. */
export type Bytes = Uint8Array<ArrayBuffer>;

export function concatBytes(...parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((totalBytes, part) => totalBytes + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

export function fromHex(hex: string): Bytes {
  if (hex.length % 2 !== 0 || /[^0-9a-fA-F]/.test(hex))
    throw new TypeError(`not an even number of hex digits: ${hex}`);
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) =>
    Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
  );
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function utf8(text: string): Bytes {
  return new Uint8Array(new TextEncoder().encode(text));
}

/** An independent copy, whatever the input's buffer was (a Buffer's pool, a SharedArrayBuffer). */
export function copyBytes(bytes: Uint8Array): Bytes {
  return Uint8Array.from(bytes);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export function xorBytes(a: Uint8Array, b: Uint8Array): Bytes {
  return Uint8Array.from(a, (byte, i) => byte ^ byteAt(b, i));
}

export function littleEndianToBigInt(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

export function bigIntToLittleEndian(value: bigint, lengthBytes: number): Bytes {
  return Uint8Array.from({ length: lengthBytes }, (_, i) =>
    Number((value >> BigInt(8 * i)) & 0xffn),
  );
}

/** `bytes[index]`, for an index that must exist. */
export function byteAt(bytes: Uint8Array, index: number): number {
  const byte = bytes[index];
  if (byte === undefined)
    throw new RangeError(`index ${index} is outside of ${bytes.length} bytes`);
  return byte;
}
