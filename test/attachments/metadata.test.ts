import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { preparePhoto, type PreparedFile } from '#dist/src/attachments/metadata/photo.js';
import type { MetadataPolicy } from 'sealcast';
import { concat, partsOf } from './parts.js';
import { chunk, exif, gif, jpeg, png, riff, SECRET, segment, webp } from './photos.js';

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
    const stored = bytes.subarray(at, at + 4 + 26);
    expect(bytes.readUInt32BE(at + 30)).toBe(crc32(stored));
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
    const unknown = Buffer.from('a picture of a kind that has no magic');
    const contentType = 'image/x-unknown';
    await expect(prepare(unknown, 'strip', { contentType })).rejects.toMatchObject({
      code: 'ERR_ATTACHMENT_METADATA',
    });
    expect((await prepare(unknown, 'strip', { contentType: 'text/plain' })).bytes).toEqual(unknown);
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

describe('a picture whose metadata cannot be removed', () => {
  test.each([
    ...['IIU\0', 'IIRO', 'IIRS', 'MMOR', 'FUJIFILMCCD-RAW', 'II\x1a\0\0\0HEAPCCDR', 'FOVb'],
    ...['II+\0', 'MM\0+', '\0\0\0\x0cjP  \r\n\x87\n', '\xff\x4f\xff\x51', '8BPS'],
    ...['<svg>', '\xef\xbb\xbf \n<svg>', '<?xml version="1.0"?>\n<!-- a -->\n<svg>'],
    ...['\xff\xfe<\0s\0v\0g\0', '\0\0\0\x10ftypMiHB\0\0\0\0', '\0\0\0\x10ftypMA1A\0\0\0\0'],
    '\0\0\0\x30ftypisom\0\0\0\0iso2iso3iso4iso5iso6iso7miaf',
  ])('is refused by its bytes unless it is to be kept: %j', async (magic) => {
    const photo = Buffer.concat([Buffer.from(magic, 'latin1'), SECRET]);
    await expect(prepare(photo)).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_METADATA' });
    expect((await prepare(photo, 'keep')).bytes).toEqual(photo);
  });

  test.each([
    ['a marker', Buffer.concat([Buffer.from([0xff, 0xd8]), segment(0xf3, SECRET)]), jpeg],
    ['a critical chunk', chunk('ABCD', SECRET), png],
  ])('is refused with %s of unknown kind', async (_what, part, make) => {
    const clean = make({ secrets: false });
    const start = make === jpeg ? 2 : 33;
    const own = make === jpeg ? part : Buffer.concat([clean.subarray(0, start), part]);
    const photo = Buffer.concat([own, clean.subarray(start)]);
    await expect(prepare(photo)).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_METADATA' });
  });

  test.each([
    ['without a length', Buffer.from('RIFF\0\0\0\0WEBP')],
    ['without a picture', riff('RIFF', Buffer.from('WEBP'))],
  ])('is refused as WebP %s', async (_what, photo) => {
    await expect(prepare(photo)).rejects.toMatchObject({ code: 'ERR_ATTACHMENT_METADATA' });
  });
});

describe('data inside parts that are kept', () => {
  test('are cut off an Adobe segment', async () => {
    const clean = jpeg({ secrets: false });
    const adobe = Buffer.from('Adobe\0\x64\0\0\0\0\x01', 'latin1');
    const at = clean.indexOf(adobe) - 4;
    const full = [clean.subarray(0, at), segment(0xee, adobe, SECRET), clean.subarray(at + 16)];
    expect((await prepare(Buffer.concat(full))).bytes).toEqual(clean);
  });

  test('are left out of the end of a PNG', async () => {
    const clean = png({ secrets: false });
    const full = Buffer.concat([clean.subarray(0, -12), chunk('IEND', SECRET)]);
    expect((await prepare(full)).bytes).toEqual(clean);
  });

  test('are left out of the frames of a WebP', async () => {
    const make = (...extra: readonly Buffer[]): Buffer => {
      const frame = [Buffer.alloc(16), riff('VP8 ', Buffer.alloc(33, 6)), ...extra];
      const frames = [riff('ANMF', Buffer.concat(frame)), riff('ANMF', Buffer.concat(frame))];
      return riff('RIFF', Buffer.concat([Buffer.from('WEBP'), ...frames]));
    };
    expect((await prepare(make(riff('XMP ', SECRET)))).bytes).toEqual(make());
  });
});
