import { drain } from '../../util/drain.js';

/** The bytes are not those of a whole image of their format. */
export class MalformedImage extends Error {
  override readonly name = 'MalformedImage';
}

/** Reads chunks of bytes piece by piece. Views it gives are valid until the next call. */
export class ByteReader {
  readonly #parts: AsyncIterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);
  #isAtEnd = false;

  constructor(parts: AsyncIterable<Uint8Array>) {
    this.#parts = parts[Symbol.asyncIterator]();
  }

  /** The next bytes, `count` of them or, at the end, fewer. They stay to be read. */
  async peek(count: number): Promise<Uint8Array> {
    while (this.#buffer.length < count && !this.#isAtEnd) {
      // A copy: a chunk is its source's again when the next one is asked for.
      const left = Uint8Array.from(this.#buffer);
      const next = await this.#parts.next();
      if (next.done === true) this.#isAtEnd = true;
      else this.#buffer = left.length === 0 ? next.value : Buffer.concat([left, next.value]);
      if (this.#isAtEnd) this.#buffer = left;
    }
    return this.#buffer.subarray(0, count);
  }

  /** Reads exactly `count` bytes, a copy. @throws MalformedImage: there are fewer. */
  async take(count: number): Promise<Uint8Array> {
    const bytes = await this.peek(count);
    if (bytes.length < count) throw new MalformedImage('it is cut short');
    this.#buffer = this.#buffer.subarray(count);
    return Uint8Array.from(bytes);
  }

  /** Reads `count` bytes and gives them as they come. @throws as {@link take}. */
  async *pass(count: number): AsyncGenerator<Uint8Array, void, void> {
    for (let left = count; left > 0;) {
      const bytes = await this.#some();
      const part = bytes.subarray(0, left);
      left -= part.length;
      this.#buffer = bytes.subarray(part.length);
      yield part;
    }
  }

  /** Reads `count` bytes that are of no interest. @throws as {@link take}. */
  async skip(count: number): Promise<void> {
    await drain(this.pass(count));
  }

  /**
   * Gives the entropy-coded bytes of a JPEG up to the next marker, which stays to be read: 0xFF and
   * a byte that is neither 0 (a 0xFF among the data) nor that of a restart.
   */
  async *passEntropyCoded(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const bytes = (await this.peek(2)).length < 2 ? await this.#some() : this.#buffer;
      const end = endOfEntropyCoded(bytes);
      this.#buffer = bytes.subarray(end.at);
      if (end.at > 0) yield bytes.subarray(0, end.at);
      if (end.isMarker) return;
      if ((await this.peek(2)).length < 2) throw new MalformedImage('it has no end');
    }
  }

  /** Ends the source. */
  async close(): Promise<void> {
    await this.#parts.return?.();
  }

  async #some(): Promise<Uint8Array> {
    if ((await this.peek(1)).length === 0) throw new MalformedImage('it is cut short');
    return this.#buffer;
  }
}

function endOfEntropyCoded(bytes: Uint8Array): { readonly at: number; readonly isMarker: boolean } {
  for (let at = 0; ;) {
    const found = bytes.indexOf(0xff, at);
    if (found === -1) return { at: bytes.length, isMarker: false };
    const next = bytes[found + 1];
    // The byte behind it is in the next chunk.
    if (next === undefined) return { at: found, isMarker: false };
    const isData = next === 0 || (next >= 0xd0 && next <= 0xd7);
    if (!isData && next !== 0xff) return { at: found, isMarker: true };
    at = next === 0xff ? found + 1 : found + 2;
  }
}
