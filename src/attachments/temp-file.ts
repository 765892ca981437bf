import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SealcastError } from '../errors.js';
import { CHUNK_BYTES } from './cipher.js';

/** Bytes that are kept in memory, where a file would cost more than it saves. */
const MAX_MEMORY_BYTES = 256 * 1024;
const FILE_MODE = 0o600;

/**
 * Bytes that are written once and read again, in memory or, where they are many, in a file.
 *
 * The file is for its owner alone and has no name: it is unlinked as soon as it is open, so that it
 * is gone however the process ends. Callers write ciphertext only.
 */
export class TempFile implements AsyncDisposable {
  readonly #directory: string;
  #parts: Uint8Array[] = [];
  #handle: FileHandle | undefined;
  #length = 0;
  #isClosed = false;

  constructor(directory = tmpdir()) {
    this.#directory = directory;
  }

  /** Bytes that were written. */
  get length(): number {
    return this.#length;
  }

  /** Appends bytes, which are the file's own from then on. */
  async write(part: Uint8Array): Promise<void> {
    if (this.#handle === undefined && this.#length + part.length <= MAX_MEMORY_BYTES) {
      this.#parts.push(part);
      this.#length += part.length;
      return;
    }
    const handle = (this.#handle ??= await this.#open());
    await writeAll(handle, part, this.#length);
    this.#length += part.length;
  }

  /**
   * Bytes from `start` to before `end`. A chunk is valid until the next one is asked for.
   *
   * @throws SealcastError ERR_CLOSED
   */
  async *read(start = 0, end = this.#length): AsyncGenerator<Uint8Array, void, void> {
    if (this.#isClosed) throw new SealcastError('ERR_CLOSED', 'the temporary file is closed');
    const handle = this.#handle;
    if (handle === undefined) {
      let at = 0;
      for (const part of this.#parts) {
        const from = Math.max(0, start - at);
        const to = Math.min(part.length, end - at);
        if (from < to) yield part.subarray(from, to);
        at += part.length;
      }
      return;
    }
    yield* readChunks(handle, start, end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#parts = [];
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle> {
    const path = join(this.#directory, `sealcast-${randomBytes(16).toString('hex')}`);
    const handle = await open(path, 'wx+', FILE_MODE);
    try {
      await unlink(path);
      const parts = this.#parts;
      this.#parts = [];
      if (parts.length > 0) await writeAll(handle, Buffer.concat(parts), 0);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return handle;
  }
}

/** Writes all of the bytes: the system may take fewer at a time. */
async function writeAll(handle: FileHandle, part: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < part.length;) {
    const left = part.length - done;
    const { bytesWritten } = await handle.write(part, done, left, position + done);
    done += bytesWritten;
  }
}

/** Bytes of an open file. All chunks share a buffer: each is valid until the next is asked for. */
export async function* readChunks(
  handle: FileHandle,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, void> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let at = start; at < end;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(CHUNK_BYTES, end - at), at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** Plaintext in a temporary file, encrypted with a key that only this process has. */
export class SecretTempFile implements AsyncDisposable {
  readonly #file: TempFile;
  readonly #key = randomBytes(32);
  readonly #iv = randomBytes(16);

  private constructor(file: TempFile) {
    this.#file = file;
  }

  /** Reads all of the parts; where they fail, nothing is left. */
  static async of(parts: AsyncIterable<Uint8Array>, directory?: string): Promise<SecretTempFile> {
    const file = new TempFile(directory);
    const secret = new SecretTempFile(file);
    const cipher = createCipheriv('aes-256-ctr', secret.#key, secret.#iv);
    try {
      for await (const part of parts) await file.write(cipher.update(part));
    } catch (error) {
      await secret[Symbol.asyncDispose]();
      throw error;
    }
    return secret;
  }

  /** The plaintext from its beginning. */
  async *read(): AsyncGenerator<Uint8Array, void, void> {
    const decipher = createDecipheriv('aes-256-ctr', this.#key, this.#iv);
    for await (const part of this.#file.read()) yield decipher.update(part);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#key.fill(0);
    await this.#file[Symbol.asyncDispose]();
  }
}
