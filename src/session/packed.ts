/**
 * Byte strings, one behind the other: one buffer to hand to another thread, however many they are.
 */
export interface Packed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of each; 0 where there is none. */
  readonly lengths: Uint32Array<ArrayBuffer>;
}

export function pack(parts: readonly (Uint8Array | undefined)[]): Packed {
  const lengths = Uint32Array.from(parts, (part) => part?.length ?? 0);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    if (part === undefined) continue;
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, lengths };
}

/** @returns views, not copies; undefined for what has no bytes. */
export function unpack({ bytes, lengths }: Packed): (Uint8Array<ArrayBuffer> | undefined)[] {
  let at = 0;
  return Array.from(lengths, (length) => {
    at += length;
    return length === 0 ? undefined : bytes.subarray(at - length, at);
  });
}
