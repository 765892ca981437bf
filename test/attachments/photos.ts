import { crc32 } from 'node:zlib';

/** Text that must not leave: it is wherever a photo can have some. */
export const SECRET = Buffer.from('52.3702N,4.8952E SN:0815');

export interface PhotoOptions {
  readonly secrets: boolean;
  /** As EXIF has it. Default 1: upright. */
  readonly orientation?: number;
}

/** TIFF header with the orientation alone. */
export const exif = (orientation: number): Buffer =>
  Buffer.from([
    ...[0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3],
    ...[0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0],
  ]);

/** Little-endian, with a camera's serial number before the orientation, and a text behind. */
const fullExif = (orientation: number): Buffer =>
  Buffer.concat([
    Buffer.from([0x49, 0x49, 42, 0, 8, 0, 0, 0, 2, 0]),
    Buffer.from([0x0f, 0x01, 2, 0, 24, 0, 0, 0, 38, 0, 0, 0]),
    Buffer.from([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]),
    Buffer.from([0, 0, 0, 0]),
    SECRET,
  ]);

const exifOf = ({ secrets, orientation = 1 }: PhotoOptions): Buffer | undefined => {
  if (secrets) return fullExif(orientation);
  return orientation === 1 ? undefined : exif(orientation);
};

export const segment = (marker: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length + 2;
  return Buffer.concat([Buffer.from([0xff, marker, length >> 8, length & 0xff]), body]);
};
const text = (value: string): Buffer => Buffer.from(value, 'latin1');

/** A JPEG of 300 by 200, progressive, as far as its markers go. */
export function jpeg(options: PhotoOptions): Buffer {
  const { secrets } = options;
  const exifData = exifOf(options);
  const only = (part: Buffer): Buffer => (secrets ? part : Buffer.alloc(0));
  const jfif = text('JFIF\0\x01\x02\0\0\x48\0\x48');
  const entropy = Buffer.from([1, 2, 0xff, 0, 3, 0xff, 0xd0, 4, 0xff, 0xd7, 0xff, 0, 5]);
  const scan = segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0]));
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    secrets
      ? segment(0xe0, jfif, Buffer.from([2, 4]), SECRET)
      : segment(0xe0, jfif, Buffer.from([0, 0])),
    only(segment(0xe0, text('JFXX\0\x10'), SECRET)),
    exifData === undefined ? Buffer.alloc(0) : segment(0xe1, text('Exif\0\0'), exifData),
    only(segment(0xe1, text('http://ns.adobe.com/xap/1.0/\0'), SECRET)),
    segment(0xe2, text('ICC_PROFILE\0\x01\x01'), Buffer.alloc(40, 7)),
    only(segment(0xe2, text('MPF\0'), SECRET)),
    only(segment(0xed, text('Photoshop 3.0\0'), SECRET)),
    segment(0xee, text('Adobe\0\x64\0\0\0\0\x01')),
    only(segment(0xfe, SECRET)),
    segment(0xdb, Buffer.alloc(65, 3)),
    segment(0xc2, Buffer.from([8, 0, 200, 1, 44, 1, 1, 0x11, 0])),
    segment(0xc4, Buffer.alloc(20, 1)),
    scan,
    entropy,
    only(segment(0xe5, SECRET)),
    scan,
    entropy,
    Buffer.from([0xff, 0xd9]),
    only(SECRET),
  ]);
}

export const chunk = (type: string, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat([text(type), ...parts]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length - 4);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
};

/** A PNG of 300 by 200, as far as its chunks go. */
export function png(options: PhotoOptions): Buffer {
  const { secrets } = options;
  const exifData = exifOf(options);
  const only = (part: Buffer): Buffer => (secrets ? part : Buffer.alloc(0));
  return Buffer.concat([
    text('\x89PNG\r\n\x1a\n'),
    chunk('IHDR', Buffer.from([0, 0, 1, 44, 0, 0, 0, 200, 8, 2, 0, 0, 0])),
    chunk('gAMA', Buffer.from([0, 0, 0xb1, 0x8f])),
    exifData === undefined ? Buffer.alloc(0) : chunk('eXIf', exifData),
    only(chunk('tEXt', text('Comment\0'), SECRET)),
    only(chunk('iTXt', text('XML:com.adobe.xmp\0\0\0\0\0'), SECRET)),
    only(chunk('zTXt', text('a\0\0'), SECRET)),
    only(chunk('tIME', Buffer.from([7, 234, 11, 28, 1, 2, 3]))),
    only(chunk('prVt', SECRET)),
    chunk('IDAT', Buffer.alloc(50, 9)),
    chunk('IDAT', Buffer.alloc(50, 8)),
    only(chunk('tEXt', SECRET)),
    chunk('IEND'),
    only(SECRET),
  ]);
}

export const riff = (type: string, body: Uint8Array): Buffer => {
  const head = Buffer.alloc(8);
  head.write(type, 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length & 1)]);
};

/** A WebP of 300 by 200, as far as its chunks go. */
export function webp(options: PhotoOptions): Buffer {
  const { secrets } = options;
  const exifData = exifOf(options);
  const only = (part: Buffer): Buffer => (secrets ? part : Buffer.alloc(0));
  const flags = 0x20 | (exifData === undefined ? 0 : 0x08) | (secrets ? 0x04 : 0);
  const chunks = Buffer.concat([
    riff('VP8X', Buffer.from([flags, 0, 0, 0, 43, 1, 0, 199, 0, 0])),
    riff('ICCP', Buffer.alloc(21, 5)),
    riff('VP8 ', Buffer.alloc(77, 6)),
    exifData === undefined ? Buffer.alloc(0) : riff('EXIF', exifData),
    only(riff('XMP ', SECRET)),
    only(riff('ABCD', SECRET)),
  ]);
  return Buffer.concat([riff('RIFF', Buffer.concat([text('WEBP'), chunks])), only(SECRET)]);
}

/** A GIF of 300 by 200 with two pictures, as far as its blocks go. */
export function gif({ secrets }: PhotoOptions): Buffer {
  const only = (part: Buffer): Buffer => (secrets ? part : Buffer.alloc(0));
  const block = (body: Uint8Array): Buffer => Buffer.concat([Buffer.from([body.length]), body]);
  const end = Buffer.from([0]);
  const picture = Buffer.concat([
    Buffer.from([0x21, 0xf9, 4, 0, 10, 0, 0, 0]),
    Buffer.from([0x2c, 0, 0, 0, 0, 44, 1, 200, 0, 0x80]),
    Buffer.alloc(6, 1),
    Buffer.from([2]),
    block(Buffer.alloc(200, 0x21)),
    block(Buffer.alloc(30, 0x3b)),
    end,
  ]);
  return Buffer.concat([
    text('GIF89a'),
    Buffer.from([44, 1, 200, 0, 0xf0, 0, 0]),
    Buffer.alloc(6, 9),
    Buffer.from([0x21, 0xff]),
    block(text('NETSCAPE2.0')),
    block(Buffer.from([1, 0, 0])),
    end,
    only(Buffer.concat([Buffer.from([0x21, 0xfe]), block(SECRET), end])),
    picture,
    only(
      Buffer.concat([Buffer.from([0x21, 0xff]), block(text('XMP DataXMP')), block(SECRET), end]),
    ),
    picture,
    Buffer.from([0x3b]),
    only(SECRET),
  ]);
}
