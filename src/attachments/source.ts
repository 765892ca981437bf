import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { SealcastError } from '../errors.js';
import { CHUNK_BYTES } from './cipher.js';
import { FIELD, MAX_ATTACHMENT_BYTES, type AttachmentInput, type ByteStream } from './input.js';
import { readChunks, SecretTempFile } from './temp-file.js';

/** Plaintext of an attachment, which can be read from its beginning any number of times. */
export interface AttachmentSource extends AsyncDisposable {
  /** A chunk is valid until the next one is asked for. */
  read(): AsyncIterable<Uint8Array>;
}

/** Where an attachment comes from: its place among the message's, and where files may be made. */
export interface SourceContext {
  readonly index: number;
  /** Directory of temporary files. Default: that of the system. */
  readonly tempDirectory?: string | undefined;
}

/**
 * Opens an attachment's plaintext. A stream is read to its end here, into an encrypted temporary
 * file.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT: it cannot be read; ERR_ATTACHMENT_TOO_LARGE.
 */
export async function openSource(
  input: AttachmentInput,
  context: SourceContext,
): Promise<AttachmentSource> {
  const { path, bytes, blob, stream } = input;
  const limit = new SizeLimit(input.maxBytes ?? MAX_ATTACHMENT_BYTES, context.index);
  if (path !== undefined) return PathSource.open(path, limit);
  if (bytes !== undefined) {
    limit.check(bytes.length);
    return { read: () => slices(bytes), [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  if (blob !== undefined) {
    limit.check(blob.size);
    return {
      read: () => limit.readable(blob.stream(), 'blob'),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  if (stream === undefined) throw new Error('an input that was checked has a source');
  const parts = limit.readable(stream, 'stream');
  return SecretTempFile.of(parts, context.tempDirectory);
}

/** Counts the bytes of one attachment, and turns errors of the caller's stream into ours. */
class SizeLimit {
  readonly #maxBytes: number;
  readonly index: number;

  constructor(maxBytes: number, index: number) {
    this.#maxBytes = maxBytes;
    this.index = index;
  }

  check(size: number): void {
    if (size <= this.#maxBytes) return;
    throw new SealcastError(
      'ERR_ATTACHMENT_TOO_LARGE',
      `entry ${this.index}: the attachment has more than ${this.#maxBytes} bytes`,
      { field: FIELD, index: this.index },
    );
  }

  unreadable(field: string, cause?: unknown): SealcastError {
    return new SealcastError(
      'ERR_INVALID_ARGUMENT',
      `entry ${this.index}: ${FIELD}.${field} could not be read to its end`,
      { field: `${FIELD}.${field}`, index: this.index, cause },
    );
  }

  async *readable(parts: ByteStream, field: string): AsyncGenerator<Uint8Array, void, void> {
    let size = 0;
    const values = (parts as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    let isOver = false;
    try {
      for (;;) {
        let next: IteratorResult<unknown>;
        try {
          next = await values.next();
        } catch (cause) {
          isOver = true;
          throw this.unreadable(field, cause);
        }
        if (next.done === true) {
          isOver = true;
          return;
        }
        const { value } = next;
        if (!(value instanceof Uint8Array))
          throw this.unreadable(field, new Error('a part of it is no Uint8Array'));
        size += value.length;
        this.check(size);
        yield* slices(value);
      }
    } finally {
      // The caller's cleanup concerns no one here.
      if (!isOver) await Promise.resolve(values.return?.()).catch(() => undefined);
    }
  }
}

/** O_NONBLOCK is not on all systems. */
const READ_FLAGS = constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0);

class PathSource implements AttachmentSource {
  readonly #handle: FileHandle;
  readonly #limit: SizeLimit;

  private constructor(handle: FileHandle, limit: SizeLimit) {
    this.#handle = handle;
    this.#limit = limit;
  }

  static async open(path: string, limit: SizeLimit): Promise<PathSource> {
    let handle: FileHandle;
    try {
      // Non-blocking: a pipe without a writer would be waited for without end.
      handle = await open(path, READ_FLAGS);
    } catch (cause) {
      throw limit.unreadable('path', cause);
    }
    try {
      const facts = await handle.stat();
      if (!facts.isFile()) throw limit.unreadable('path', new Error('it is no regular file'));
      limit.check(facts.size);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new PathSource(handle, limit);
  }

  async *read(): AsyncGenerator<Uint8Array, void, void> {
    let size = 0;
    const parts = readChunks(this.#handle, 0, Number.MAX_SAFE_INTEGER);
    for (;;) {
      let next: IteratorResult<Uint8Array, void>;
      try {
        next = await parts.next();
      } catch (cause) {
        throw this.#limit.unreadable('path', cause);
      }
      if (next.done === true) return;
      size += next.value.length;
      this.#limit.check(size);
      yield next.value;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }
}

/** The bytes in chunks, so that the event loop has its turns. */
// eslint-disable-next-line @typescript-eslint/require-await -- one form for all sources
async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}
