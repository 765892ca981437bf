import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttachmentInput } from 'sealcast';
import { AttachmentScene } from './scene.js';

const PLAINTEXT = randomBytes(300_000);
const DAY_MS = 24 * 3_600_000;
const REQUEST = { idleMs: 300, minBytesPerSecond: 4_096 };

let scene: AttachmentScene;
afterEach(() => scene[Symbol.asyncDispose]());

describe.each([2, 3])('an upload to CDN %d', (cdnNumber) => {
  beforeEach(async () => {
    scene = await AttachmentScene.open(cdnNumber);
  });

  test('arrives as it was encrypted', async () => {
    const pointer = await scene.uploadOne({ bytes: PLAINTEXT });
    expect(pointer).toMatchObject({
      cdnNumber,
      cdnKey: 'file-1',
      size: PLAINTEXT.length,
      contentType: 'application/octet-stream',
    });
    expect(pointer.clientUuid).toHaveLength(16);
    expect(scene.cdn.file('file-1')).toBeDefined();
    expect(await scene.download(pointer)).toEqual(PLAINTEXT);
  });

  test('tells the service and the CDN the blob’s length', async () => {
    const { cdnKey = '' } = await scene.uploadOne({ bytes: PLAINTEXT });
    const length = scene.cdn.file(cdnKey)?.length;
    const [first] = scene.cdn.log;
    expect(first?.headers['x-permit']).toBe(`file-1/${length}`);
  });

  test('goes on where the connection was lost', async () => {
    scene.cdn.next(...(cdnNumber === 2 ? [undefined] : []), { kind: 'cut', afterBytes: 100_000 });
    const pointer = await scene.uploadOne({ bytes: PLAINTEXT });
    expect(await scene.download(pointer)).toEqual(PLAINTEXT);
    expect(scene.cdn.forms).toBe(1);
    const uploaded = scene.cdn.log.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
    expect(uploaded).toBe(scene.cdn.file('file-1')?.length);
    expect(scene.clock.sleeps).toHaveLength(1);
  });

  test('goes on through one lost connection after another, as long as bytes arrive', async () => {
    const cut = { kind: 'cut', afterBytes: 15_000 } as const;
    scene.cdn.next(...(cdnNumber === 2 ? [undefined] : []), cut);
    for (let i = 0; i < 15; i++) scene.cdn.next(undefined, cut);
    const pointer = await scene.uploadOne({ bytes: PLAINTEXT });
    expect(await scene.download(pointer)).toEqual(PLAINTEXT);
  });

  test('goes on after a crash, with the form and the bytes that are there', async () => {
    const controller = new AbortController();
    const path = cdnNumber === 2 ? [undefined] : [];
    scene.cdn.next(...path, { kind: 'hang', afterBytes: 120_000 });
    const id = 'ferry';
    const first = scene.uploadOne({ bytes: PLAINTEXT }, { id, signal: controller.signal });
    const isStopped = expect(first).rejects.toThrow('stopped');
    while (!scene.cdn.log.some(({ bodyBytes }) => bodyBytes >= 120_000))
      await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('stopped'));
    await isStopped;
    const pointer = await scene.uploadOne({ bytes: PLAINTEXT }, { id });
    expect(scene.cdn.forms).toBe(1);
    expect(await scene.download(pointer)).toEqual(PLAINTEXT);
    const last = scene.cdn.log.findLast(({ bodyBytes }) => bodyBytes > 0);
    const blobBytes = scene.cdn.file('file-1')?.length ?? 0;
    expect(last?.bodyBytes).toBe(blobBytes - 120_000);
  });

  test('begins again with another form where the CDN has forgotten it', async () => {
    const path = cdnNumber === 2 ? [undefined] : [];
    scene.cdn.next(...path, { kind: 'cut', afterBytes: 50_000 }, { kind: 'answer', status: 403 });
    const pointer = await scene.uploadOne({ bytes: PLAINTEXT });
    expect(scene.cdn.forms).toBe(2);
    expect(pointer.cdnKey).toBe('file-2');
    expect(await scene.download(pointer)).toEqual(PLAINTEXT);
  });

  test('ends where the CDN drops one form after another, though it takes bytes', async () => {
    const path = cdnNumber === 2 ? [undefined] : [];
    for (let i = 0; i < 40; i++)
      scene.cdn.next(
        ...path,
        { kind: 'cut', afterBytes: 50_000 },
        // The CDN first says how many bytes it has.
        undefined,
        { kind: 'answer', status: 403 },
      );
    await expect(scene.uploadOne({ bytes: PLAINTEXT })).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
      index: 0,
    });
    expect(scene.cdn.forms).toBe(5);
  });

  test('waits as long as the CDN asks', async () => {
    scene.cdn.next({ kind: 'answer', status: 503, headers: { 'retry-after': '17' } });
    await scene.uploadOne({ bytes: PLAINTEXT });
    expect(scene.clock.sleeps[0]).toBeGreaterThanOrEqual(17_000);
  });

  test('ends where the CDN fails again and again', async () => {
    for (let i = 0; i < 40; i++) scene.cdn.next({ kind: 'answer', status: 500 });
    await expect(scene.uploadOne({ bytes: PLAINTEXT })).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
      retryable: true,
      index: 0,
    });
  });

  test('gives up a CDN that does not answer, and asks again', async () => {
    scene.cdn.next({ kind: 'hang' });
    const pointer = await scene.uploadOne({ bytes: PLAINTEXT }, { patience: REQUEST });
    expect(await scene.download(pointer)).toEqual(PLAINTEXT);
  });

  test.each([
    [413, 'ERR_ATTACHMENT_TOO_LARGE'],
    [302, 'ERR_SERVICE_REJECTED'],
    [418, 'ERR_SERVICE_REJECTED'],
  ])('ends at %d with %s', async (status, code) => {
    scene.cdn.next({ kind: 'answer', status, headers: { location: 'https://evil.example/' } });
    await expect(scene.uploadOne({ bytes: PLAINTEXT })).rejects.toMatchObject({ code });
    expect(scene.cdn.log).toHaveLength(1);
  });
});

describe('an upload', () => {
  beforeEach(async () => {
    scene = await AttachmentScene.open();
  });

  test('is made once for an id, and gives the same pointer again for three days', async () => {
    const input: AttachmentInput = { bytes: PLAINTEXT, fileName: 'a.bin' };
    const pointer = await scene.uploadOne(input, { id: 'ferry' });
    expect(await scene.uploadOne(input, { id: 'ferry' })).toEqual(pointer);
    scene.clock.set(Date.now() + 3 * DAY_MS - 60_000);
    expect(await scene.uploadOne(input, { id: 'ferry' })).toEqual(pointer);
    expect(scene.cdn.log).toHaveLength(1);
    scene.clock.set(Date.now() + 3 * DAY_MS + 60_000);
    const later = await scene.uploadOne(input, { id: 'ferry' });
    expect(later.cdnKey).toBe('file-2');
    expect(later.key).not.toEqual(pointer.key);
  });

  test('never uses keys for other bytes than they were made for', async () => {
    const pointer = await scene.uploadOne({ bytes: PLAINTEXT }, { id: 'ferry' });
    const changed = Uint8Array.from(PLAINTEXT);
    changed[299_999] = 1 + (changed[299_999] ?? 0);
    const other = await scene.uploadOne({ bytes: changed }, { id: 'ferry' });
    expect(other.key).not.toEqual(pointer.key);
    expect(other.cdnKey).not.toBe(pointer.cdnKey);
  });

  test('of a broadcast in the store is never replaced by one of another file', async () => {
    const options = { id: 'ferry', isKnown: true };
    const pointer = await scene.uploadOne({ bytes: PLAINTEXT }, options);
    const other = { bytes: PLAINTEXT.subarray(1) };
    await expect(scene.uploadOne(other, options)).rejects.toMatchObject({
      code: 'ERR_BROADCAST_MISMATCH',
      field: 'id',
    });
    expect(scene.cdn.forms).toBe(1);
    expect(await scene.uploadOne({ bytes: PLAINTEXT }, options)).toEqual(pointer);
  });

  test('leaves the store after thirty days', async () => {
    await scene.upload([{ bytes: PLAINTEXT }, { bytes: PLAINTEXT }], { id: 'ferry' });
    const rows = async (): Promise<number> =>
      (await scene.store.list('account', { prefix: 'upload/', limit: 10 })).length;
    expect(await rows()).toBe(2);
    scene.clock.set(Date.now() + 31 * DAY_MS);
    await scene.uploadOne({ bytes: PLAINTEXT }, { id: 'other' });
    expect(await rows()).toBe(1);
  });

  test('takes paths, bytes, blobs, and streams of Node and the web', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sealcast-test-'));
    const path = join(directory, 'file');
    await writeFile(path, PLAINTEXT);
    const blob = new Blob([PLAINTEXT]);
    try {
      const pointers = await scene.upload([
        { path },
        { bytes: PLAINTEXT },
        { blob },
        { stream: Readable.from([PLAINTEXT.subarray(0, 7), PLAINTEXT.subarray(7)]) },
        { stream: blob.stream() as ReadableStream<Uint8Array> },
      ]);
      for (const pointer of pointers) expect(await scene.download(pointer)).toEqual(PLAINTEXT);
      expect(new Set(pointers.map(({ cdnKey }) => cdnKey)).size).toBe(5);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('leaves no plaintext and no file of a stream on the disk', async () => {
    const tempDirectory = await mkdtemp(join(tmpdir(), 'sealcast-test-'));
    const seen: string[][] = [];
    const { getUploadForm, service: cdn } = scene.cdn;
    const transport = {
      ...scene.transport,
      cdn,
      getUploadForm: async (request: { readonly uploadBytes: number }) => {
        seen.push(await readdir(tempDirectory));
        return getUploadForm(request);
      },
    };
    try {
      const big = randomBytes(1_000_000);
      const stream = Readable.from([big.subarray(0, 400_000), big.subarray(400_000)]);
      const pointer = await scene.uploadOne({ stream }, { tempDirectory, transport });
      expect(seen).toEqual([[]]);
      expect(await readdir(tempDirectory)).toEqual([]);
      expect(await scene.download(pointer)).toEqual(big);
    } finally {
      await rm(tempDirectory, { recursive: true });
    }
  });

  test('refuses a file that changes while it is uploaded, and leaves nothing whole', async () => {
    const bytes = Uint8Array.from(PLAINTEXT);
    const { getUploadForm } = scene.cdn;
    const transport = {
      ...scene.transport,
      getUploadForm: (request: { readonly uploadBytes: number }) => {
        bytes.fill(0, 1_000, 2_000);
        return getUploadForm(request);
      },
    };
    await expect(scene.uploadOne({ bytes }, { transport })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'message.attachments',
    });
    expect(scene.cdn.file('file-1')).toBeUndefined();
  });

  test.each<[string, AttachmentInput, string, number?]>([
    ['is empty', { bytes: new Uint8Array(0) }, 'ERR_INVALID_ARGUMENT'],
    ['is not there', { path: '/nowhere/at/all' }, 'ERR_INVALID_ARGUMENT'],
    ['is a directory', { path: tmpdir() }, 'ERR_INVALID_ARGUMENT'],
    ['is too long', { bytes: PLAINTEXT, maxBytes: 299_999 }, 'ERR_ATTACHMENT_TOO_LARGE'],
    [
      'is a stream that is too long',
      { stream: Readable.from([PLAINTEXT, PLAINTEXT]), maxBytes: 300_001 },
      'ERR_ATTACHMENT_TOO_LARGE',
    ],
    [
      'is a stream of other things',
      { stream: Readable.from(['text']) as never },
      'ERR_INVALID_ARGUMENT',
    ],
  ])('refuses a file that %s', async (_what, input, code) => {
    await expect(scene.upload([{ bytes: PLAINTEXT }, input])).rejects.toMatchObject({
      code,
      index: 1,
    });
  });

  test('gives names to files and to no images, videos or voice notes', async () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const named = { bytes, fileName: 'IMG_20261128_Harbor.x' };
    const pointers = await scene.upload([
      { ...named, contentType: 'application/pdf' },
      { ...named, contentType: 'image/jpeg', metadata: 'keep' },
      { ...named, contentType: 'video/mp4' },
      { ...named, contentType: 'audio/aac', voiceNote: true },
    ]);
    expect(pointers.map(({ fileName }) => fileName)).toEqual([
      named.fileName,
      undefined,
      undefined,
      undefined,
    ]);
    expect(pointers.map(({ flags }) => flags)).toEqual([undefined, undefined, undefined, 1]);
    expect(pointers[2]?.chunkSize).toBe(65_536);
    expect(pointers[2]?.incrementalMac).toHaveLength(32);
  });

  test('says that a transport without a CDN sends none', async () => {
    const { getUploadForm } = scene.cdn;
    const transport = { getUploadForm } as never;
    await expect(scene.uploadOne({ bytes: PLAINTEXT }, { transport })).rejects.toMatchObject({
      code: 'ERR_NOT_IMPLEMENTED',
    });
  });

  test.each([
    [{ status: 'too-large' }, 'ERR_ATTACHMENT_TOO_LARGE'],
    [{ status: 'unauthorized' }, 'ERR_SERVICE_REJECTED'],
    [{ status: 'rate-limited', retryAfterMs: 5_000 }, 'ERR_RATE_LIMITED'],
    [{ status: 'unavailable' }, 'ERR_SERVICE_UNAVAILABLE'],
  ] as const)('ends with the code of a form that is refused: %o', async (answer, code) => {
    const getUploadForm = () => Promise.resolve(answer);
    const transport = { ...scene.transport, getUploadForm };
    await expect(scene.uploadOne({ bytes: PLAINTEXT }, { transport })).rejects.toMatchObject({
      code,
    });
  });

  test('asks no CDN in a dry run, and keeps nothing', async () => {
    const pointer = await scene.uploadOne({ bytes: PLAINTEXT }, { id: 'dry', dryRun: true });
    expect(pointer.size).toBe(300_000);
    expect(scene.cdn.forms).toBe(0);
    expect(await scene.store.list('account', { limit: 10 })).toEqual([]);
  });
});
