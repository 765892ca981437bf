import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttachmentPointer } from 'sealcast';
import { downloadAttachment } from '#dist/src/attachments/download.js';
import { AttachmentScene } from './scene.js';

const PLAINTEXT = randomBytes(700_000);

let scene: AttachmentScene;
let pointer: AttachmentPointer;
beforeEach(async () => {
  scene = await AttachmentScene.open();
  pointer = await scene.uploadOne({ bytes: PLAINTEXT });
  scene.cdn.log.length = 0;
});
afterEach(() => scene[Symbol.asyncDispose]());

const get = (other: Partial<AttachmentPointer>): Promise<Buffer> =>
  scene.download({ ...pointer, ...other });

/** A blob as another client could have made it. */
function blobOf(plaintext: Uint8Array, key: Uint8Array): { blob: Buffer; digest: Uint8Array } {
  const cipher = createCipheriv('aes-256-cbc', key.subarray(0, 32), Buffer.alloc(16, 9));
  const body = Buffer.concat([Buffer.alloc(16, 9), cipher.update(plaintext), cipher.final()]);
  const blob = Buffer.concat([body, createHmac('sha256', key.subarray(32)).update(body).digest()]);
  return { blob, digest: Uint8Array.from(createHash('sha256').update(blob).digest()) };
}

describe('a download', () => {
  test('gives the bytes that were sent, any number of times, in chunks', async () => {
    const context = { cdn: scene.cdn.service, clock: scene.clock };
    await using file = await downloadAttachment(pointer, context);
    expect(file.size).toBe(700_000);
    for (let i = 0; i < 2; i++) {
      const parts: Uint8Array[] = [];
      for await (const part of file) parts.push(part);
      expect(parts.length).toBeGreaterThan(5);
      expect(Buffer.concat(parts)).toEqual(PLAINTEXT);
    }
  });

  test('is saved for its owner alone, in one step', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sealcast-test-'));
    try {
      const context = { cdn: scene.cdn.service, clock: scene.clock };
      await using file = await downloadAttachment(pointer, context);
      await file.saveTo(join(directory, 'photo'));
      expect(await readFile(join(directory, 'photo'))).toEqual(PLAINTEXT);
      expect((await stat(join(directory, 'photo'))).mode & 0o777).toBe(0o600);
      await expect(file.saveTo(join(directory, 'none', 'photo'))).rejects.toThrow('ENOENT');
      expect(await readdir(directory)).toEqual(['photo']);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test.each([
    ['in memory', 1_000],
    ['in a file', PLAINTEXT.length],
  ])('%s gives nothing once it is closed', async (_where, bytes) => {
    const other = await scene.uploadOne({ bytes: PLAINTEXT.subarray(0, bytes) });
    const context = { cdn: scene.cdn.service, clock: scene.clock };
    const file = await downloadAttachment(other, context);
    const early = file[Symbol.asyncIterator]();
    await file.close();
    await file.close();
    await expect(file.bytes()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(early.next()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('goes on where the connection was lost', async () => {
    scene.cdn.next({ kind: 'cut', afterBytes: 200_000 }, { kind: 'cut', afterBytes: 100_000 });
    expect(await scene.download(pointer)).toEqual(PLAINTEXT);
    // Node drops what it has read of a body that is cut off and not given out yet.
    const starts = scene.cdn.log.map(
      ({ headers }) => /^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1],
    );
    expect(starts).toHaveLength(3);
    expect(starts[0]).toBeUndefined();
    expect(Number(starts[1])).toBeGreaterThan(0);
    expect(Number(starts[2])).toBeGreaterThan(Number(starts[1]));
  });

  test('takes a file of a client that pads nothing', async () => {
    const { blob, digest } = blobOf(PLAINTEXT, pointer.key);
    scene.cdn.put('bare', blob);
    expect(await get({ cdnKey: 'bare', digest })).toEqual(PLAINTEXT);
  });

  test('asks CDN 0 for numbers', async () => {
    const { cdnKey = '', ...rest } = pointer;
    scene.cdn.put('18446744073709551615', scene.cdn.file(cdnKey) ?? Buffer.alloc(0));
    const old = { ...rest, cdnId: 2n ** 64n - 1n, cdnNumber: 0 };
    expect(await scene.download(old)).toEqual(PLAINTEXT);
  });

  test('gives up a CDN whose body stops', async () => {
    scene.cdn.next({ kind: 'hang', afterBytes: 1_000 });
    const patience = { idleMs: 300, minBytesPerSecond: 4_096 };
    const context = { cdn: scene.cdn.service, clock: scene.clock, patience };
    await using file = await downloadAttachment(pointer, context);
    expect(Buffer.from(await file.bytes())).toEqual(PLAINTEXT);
  });

  test('ends when its signal fires', async () => {
    scene.cdn.next({ kind: 'hang', afterBytes: 1_000 });
    const controller = new AbortController();
    const download = downloadAttachment(
      pointer,
      { cdn: scene.cdn.service },
      { signal: controller.signal },
    );
    const isAborted = expect(download).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    while (scene.cdn.log.length === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await isAborted;
  });

  test('says that the file is gone', async () => {
    await expect(get({ cdnKey: 'gone' })).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_GONE' });
  });

  test('ends where the CDN fails again and again', async () => {
    for (let i = 0; i < 10; i++) scene.cdn.next({ kind: 'answer', status: 502 });
    await expect(get({})).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
  });
});

describe('a hostile attachment is refused before a byte is given:', () => {
  const flip = (bytes: Uint8Array, at: number): Uint8Array => {
    const other = Uint8Array.from(bytes);
    other[at] = 1 ^ (other[at] ?? 0);
    return other;
  };

  test.each<[string, () => Partial<AttachmentPointer>]>([
    ['a wrong digest', () => ({ digest: flip(pointer.digest, 31) })],
    ['another MAC key', () => ({ key: flip(pointer.key, 63) })],
    ['a size that is too small', () => ({ size: 699_999 })],
    ['a size that is far too small', () => ({ size: 1 })],
    ['a size of zero', () => ({ size: 0 })],
    ['a size that is too large', () => ({ size: 760_000 })],
    ['a negative size', () => ({ size: -1 })],
    ['a size of 2^53', () => ({ size: 2 ** 53 })],
    ['a size that is no number', () => ({ size: NaN })],
    ['a short key', () => ({ key: new Uint8Array(32) })],
    ['no digest', () => ({ digest: new Uint8Array(0) })],
    ['a name that is a path', () => ({ cdnKey: '../../v1/accounts' })],
    ['a name with a query', () => ({ cdnKey: 'file-1?x=1' })],
    ['an empty name', () => ({ cdnKey: '' })],
  ])('%s', async (_what, change) => {
    await expect(get(change())).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_INVALID' });
  });

  test.each([
    ['in the IV', 3],
    ['in the middle', 400_000],
    ['in the padding', -40],
    ['in the MAC', -1],
  ])('a changed byte %s', async (_where, at) => {
    const blob = scene.cdn.file('file-1') ?? Buffer.alloc(0);
    const changed = flip(blob, at < 0 ? blob.length + at : at);
    scene.cdn.put('file-1', changed);
    await expect(get({})).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_INVALID' });
    // The digest of the changed file does not help: the MAC is of the sender.
    const digest = Uint8Array.from(createHash('sha256').update(changed).digest());
    await expect(get({ digest })).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_INVALID' });
  });

  test.each([
    ['nothing', 0],
    ['a part', 300_000],
    ['less than a MAC', 20],
  ])('%s of the file', async (_what, bytes) => {
    scene.cdn.put('file-1', (scene.cdn.file('file-1') ?? Buffer.alloc(0)).subarray(0, bytes));
    await expect(get({})).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_INVALID' });
  });

  test('other bytes than zeros behind the file', async () => {
    const { blob, digest } = blobOf(PLAINTEXT, pointer.key);
    scene.cdn.put('bare', blob);
    const cut = { cdnKey: 'bare', digest, size: 690_000 };
    await expect(get(cut)).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_INVALID' });
  });

  test('a stream without an end', async () => {
    scene.cdn.next({ kind: 'endless' });
    await expect(get({})).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_INVALID' });
  });

  test('a redirect to another host', async () => {
    const headers = { location: 'https://169.254.169.254/latest' };
    scene.cdn.next({ kind: 'answer', status: 302, headers });
    await expect(get({})).rejects.toMatchObject({ code: 'ERR_SERVICE_REJECTED' });
    expect(scene.cdn.log).toHaveLength(1);
  });

  test('a CDN that is not configured', async () => {
    const { urls, ...rest } = scene.cdn.service;
    const cdn = { ...rest, urls: { 2: urls[2] ?? '' } };
    await expect(downloadAttachment(pointer, { cdn, clock: scene.clock })).rejects.toMatchObject({
      code: 'ERR_SERVICE_REJECTED',
    });
    expect(scene.cdn.log).toHaveLength(0);
  });

  test.each([7, -1, 1_000])('CDN %d, which does not exist', async (cdnNumber) => {
    await expect(get({ cdnNumber })).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_INVALID' });
    expect(scene.cdn.log).toHaveLength(0);
  });

  test('a host with another certificate', async () => {
    const { urls } = scene.cdn.service;
    const { SIGNAL_AUTHORITY: certificateAuthority } =
      await import('#dist/src/transport/chat/signal-authority.js');
    const cdn = { urls, certificateAuthority };
    await expect(downloadAttachment(pointer, { cdn, clock: scene.clock })).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
    });
    expect(scene.cdn.log).toHaveLength(0);
  });

  test('a file above the limit, before it is asked for', async () => {
    await expect(get({ size: 132 * 1024 * 1024 })).rejects.toMatchObject({
      code: 'ERR_ATTACHMENT_TOO_LARGE',
    });
    expect(scene.cdn.log).toHaveLength(0);
  });
});
