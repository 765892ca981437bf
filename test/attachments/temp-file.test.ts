import { randomBytes } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { TempFile } from '#dist/src/attachments/temp-file.js';

type Write = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesWritten: number }>;

afterEach(() => vi.restoreAllMocks());

/** Lets the system take no more than so many bytes at a time. */
async function limitWrites(maxBytes: number): Promise<void> {
  const handle = await open('/dev/null', 'r');
  const prototype = Object.getPrototypeOf(handle) as { write: Write };
  await handle.close();
  const { write } = prototype;
  vi.spyOn(prototype, 'write').mockImplementation(function (
    this: FileHandle,
    bytes,
    offset,
    length,
    position,
  ) {
    return write.call(this, bytes, offset, Math.min(length, maxBytes), position);
  });
}

test('holds all that was written where the system takes a part at a time', async () => {
  await limitWrites(50_000);
  const bytes = randomBytes(400_000);
  await using file = new TempFile();
  await file.write(bytes.subarray(0, 200_000));
  await file.write(bytes.subarray(200_000));
  const parts: Buffer[] = [];
  for await (const part of file.read()) parts.push(Buffer.from(part));
  expect(Buffer.concat(parts).equals(bytes)).toBe(true);
});
