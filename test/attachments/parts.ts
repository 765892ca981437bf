/** Bytes in parts of a length. All share one buffer, as a file's do: each is valid until the next. */
export async function* partsOf(
  bytes: Uint8Array,
  partBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  const shared = new Uint8Array(partBytes);
  for (let at = 0; at < bytes.length; at += partBytes) {
    const part = bytes.subarray(at, at + partBytes);
    shared.set(part);
    yield await Promise.resolve(shared.subarray(0, part.length));
    shared.fill(0xaa);
  }
}

export async function concat(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Uint8Array[] = [];
  for await (const part of parts) copies.push(Uint8Array.from(part));
  return Buffer.concat(copies);
}
