import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { preparePhoto, type PreparedFile } from '#dist/src/attachments/metadata/photo.js';
import type { MetadataPolicy } from 'sealcast';
import { concat, partsOf } from './parts.js';
import { exif, gif, jpeg, png, SECRET, webp } from './photos.js';

interface Prepared {
  readonly file: PreparedFile;
  readonly bytes: Buffer;
}

async function prepare(
  photo: Uint8Array,
  metadata: MetadataPolicy = 'strip',
  { partBytes = 1_000, contentType }: { partBytes?: number; contentType?: string } = {},
): Promise<Prepared> {
  const source = {
    read: () => partsOf(photo, partBytes),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const file = await preparePhoto(source, { metadata, contentType, index: 0 });
  return { file, bytes: await concat(file.read()) };
}

const PHOTOS = { jpeg, png, webp, gif } as const;
const FORMATS = Object.entries(PHOTOS);

describe.each(FORMATS)('a photo in %s', (format, make) => {
  test('loses everything that is not the picture', async () => {
    const { file, bytes } = await prepare(make({ secrets: true }));
    expect(bytes.includes(SECRET)).toBe(false);
    expect(bytes).toEqual(make({ secrets: false }));
    expect(file.contentType).toBe(`image/${format}`);
    expect(file.size).toEqual({ width: 300, height: 200 });
  });

  test('stays as it is where there is nothing to remove, or it is to be kept', async () => {
    const clean = make({ secrets: false });
    expect((await prepare(clean)).bytes).toEqual(clean);
    expect((await prepare(clean, 'refuse')).bytes).toEqual(clean);
    const full = make({ secrets: true });
    const kept = await prepare(full, 'keep');
    expect(kept.bytes).toEqual(full);
    expect(kept.file.size).toEqual({ width: 300, height: 200 });
  });

  test('is refused with metadata where it must have none', async () => {
    await expect(prepare(make({ secrets: true }), 'refuse')).rejects.toMatchObject({
      code: 'ERR_ATTACHMENT_METADATA',
      field: 'message.attachments.metadata',
      index: 0,
    });
  });

  test('comes out the same in parts of any length', async () => {
    const clean = make({ secrets: false });
    for (const partBytes of [1, 2, 3, 7, 64])
      expect((await prepare(make({ secrets: true }), 'strip', { partBytes })).bytes).toEqual(clean);
  });

  test('is refused where it is cut short, and sent as it is where it is to be kept', async () => {
    const full = make({ secrets: false });
    for (const end of [40, full.length - 1]) {
      const cut = full.subarray(0, end);
      await expect(prepare(cut)).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_METADATA' });
      expect((await prepare(cut, 'keep')).bytes).toEqual(cut);
    }
  });

  test('is sent or refused, and never hangs, whatever was changed in it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const photo = Buffer.from(make({ secrets: true }));
          for (const [at, value] of changes) photo[at % photo.length] = value;
          try {
            await prepare(photo, 'strip', { contentType: `image/${format}` });
          } catch (error) {
            expect(error).toMatchObject({ code: 'ERR_ATTACHMENT_METADATA' });
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the orientation of a photo', () => {
  test.each(['jpeg', 'png', 'webp'] as const)('stays in %s', async (format) => {
    const photo = PHOTOS[format]({ secrets: true, orientation: 6 });
    const { file, bytes } = await prepare(photo);
    expect(bytes.includes(SECRET)).toBe(false);
    expect(bytes.includes(exif(6))).toBe(true);
    expect(file.size).toEqual({ width: 200, height: 300 });
    // What is left is as small as it can be: it is no metadata any more.
    const again = await prepare(bytes, 'refuse');
    expect(again.bytes).toEqual(bytes);
    expect(again.file.size).toEqual(file.size);
  });

  test('has a checksum in PNG', async () => {
    const { bytes } = await prepare(png({ secrets: true, orientation: 3 }));
    const at = bytes.indexOf('eXIf');
    const chunk = bytes.subarray(at, at + 4 + 26);
    expect(bytes.readUInt32BE(at + 30)).toBe(crc32(chunk));
  });
});

describe('a file', () => {
  const heic = Buffer.concat([Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), SECRET]);
  const tiff = Buffer.concat([Buffer.from('II*\0\x08\0\0\0', 'latin1'), SECRET]);

  test.each([
    ['HEIC', heic, 'image/heic'],
    ['TIFF', tiff, 'image/tiff'],
  ])('in %s is refused, and sent as it is where it is to be kept', async (_what, photo, type) => {
    for (const metadata of ['strip', 'refuse'] as const)
      await expect(prepare(photo, metadata)).rejects.toMatchObject({
        code: 'ERR_ATTACHMENT_METADATA',
      });
    const { file, bytes } = await prepare(photo, 'keep');
    expect(bytes).toEqual(photo);
    expect(file.contentType).toBe(type);
  });

  test('that is declared an image of a format that is not known is refused', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>');
    const contentType = 'image/svg+xml';
    await expect(prepare(svg, 'strip', { contentType })).rejects.toMatchObject({
      code: 'ERR_ATTACHMENT_METADATA',
    });
    expect((await prepare(svg, 'strip', { contentType: 'text/plain' })).bytes).toEqual(svg);
  });

  test('is searched by its bytes, whatever type it is declared to be', async () => {
    const photo = jpeg({ secrets: true });
    const { bytes } = await prepare(photo, 'strip', { contentType: 'application/pdf' });
    expect(bytes.includes(SECRET)).toBe(false);
  });

  test('that is no image goes as it is', async () => {
    const video = Buffer.concat([Buffer.from('\0\0\0\x18ftypisom\0\0\0\0isommp42'), SECRET]);
    const { file, bytes } = await prepare(video);
    expect(bytes).toEqual(video);
    expect(file).toMatchObject({ contentType: undefined, size: undefined });
  });
});
