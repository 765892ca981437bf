import { createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  blobBytesOf,
  BlobEncryption,
  newAttachmentKeys,
  paddedBytes,
} from '#dist/src/attachments/cipher.js';
import { incrementalMacOf } from '#dist/src/attachments/incremental-mac.js';
import {
  chunkSizeInBytes,
  inferChunkSize,
  ValidatingPassThrough,
} from '@signalapp/libsignal-client/dist/incremental_mac.js';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { concat, partsOf } from './parts.js';

const KEYS = newAttachmentKeys();

async function encrypt(plaintext: Uint8Array, partBytes = 1_000): Promise<Buffer> {
  return concat(new BlobEncryption(KEYS).run(partsOf(plaintext, partBytes)));
}

describe('the encryption of an attachment', () => {
  test.each([
    [1, 592],
    [541, 592],
    [2_048, 2_176],
    [1_000_000, 1_041_792],
  ])('has the length of Signal’s clients for %d bytes', async (size, blobBytes) => {
    expect(blobBytesOf(paddedBytes(size))).toBe(blobBytes);
    const blob = await encrypt(randomBytes(size), 65_536);
    expect(blob.length).toBe(blobBytes);
  });

  test('pads no size to less than it is', () => {
    for (let size = 1; size < 200_000; size += 7) {
      expect(paddedBytes(size)).toBeGreaterThanOrEqual(size);
      expect(paddedBytes(size)).toBeLessThanOrEqual(Math.max(541, Math.ceil(size * 1.05)));
    }
  });

  test('is AES-256-CBC and HMAC-SHA256 over zero-padded plaintext, whatever its parts', async () => {
    const plaintext = randomBytes(70_001);
    const blob = await encrypt(plaintext, 999);
    expect(await encrypt(plaintext, 65_536)).toEqual(blob);
    const mac = createHmac('sha256', KEYS.key.subarray(32)).update(blob.subarray(0, -32)).digest();
    expect(blob.subarray(-32)).toEqual(mac);
    expect(blob.subarray(0, 16)).toEqual(Buffer.from(KEYS.iv));
    const cipher = createDecipheriv('aes-256-cbc', KEYS.key.subarray(0, 32), KEYS.iv);
    const padded = Buffer.concat([cipher.update(blob.subarray(16, -32)), cipher.final()]);
    expect(padded.length).toBe(paddedBytes(70_001));
    expect(padded.subarray(0, 70_001)).toEqual(plaintext);
    expect(padded.subarray(70_001).every((byte) => byte === 0)).toBe(true);
  });

  test('tells digest, size and hash of what it encrypted', async () => {
    const plaintext = randomBytes(5_000);
    const encryption = new BlobEncryption(KEYS);
    expect(() => encryption.facts).toThrow();
    const blob = await concat(encryption.run(partsOf(plaintext, 100)));
    const sha256 = (bytes: Uint8Array): Uint8Array =>
      Uint8Array.from(createHash('sha256').update(bytes).digest());
    expect(encryption.facts).toEqual({
      size: 5_000,
      blobBytes: blob.length,
      digest: sha256(blob),
      plaintextHash: sha256(plaintext),
    });
  });

  test('has an incremental MAC that libsignal validates', async () => {
    const blob = await encrypt(randomBytes(300_000), 65_536);
    const { mac, chunkSize } = await incrementalMacOf(partsOf(blob, 10_007), {
      key: KEYS.key,
      blobBytes: blob.length,
    });
    const choice = inferChunkSize(blob.length);
    expect(chunkSize).toBe(chunkSizeInBytes(choice));
    const validator = new ValidatingPassThrough(
      Buffer.from(KEYS.key.subarray(32)),
      choice,
      Buffer.from(mac),
    );
    const validated: Buffer[] = [];
    validator.on('data', (part: Buffer) => validated.push(part));
    await pipeline(Readable.from([blob]), validator);
    expect(Buffer.concat(validated)).toEqual(blob);
  });

  test('fails the incremental MAC where the blob cannot be read', async () => {
    const failing = (async function* fail(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(randomBytes(100));
      throw new Error('unreadable');
    })();
    await expect(incrementalMacOf(failing, { key: KEYS.key, blobBytes: 592 })).rejects.toThrow(
      'unreadable',
    );
  });
});
