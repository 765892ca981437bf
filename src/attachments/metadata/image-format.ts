/** Format of an image by its first bytes; `other`: one whose metadata cannot be removed. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'other';

/** Bytes that {@link sniffImage} wants to see. */
export const SNIFF_BYTES = 1024;

export interface SniffedImage {
  readonly format: ImageFormat;
  readonly contentType: string;
}

const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.subarray(start, end)).toString('latin1');

/** Brands of still images in ISO base media files (ISO/IEC 23008-12; AVIF; Canon CR3). */
const HEIF_BRAND =
  /^(?:hei[cxms]|hev[cmsx]|mif[123]|msf1|miaf|MiH[ABE]|MiPr|MA1[AB]|avi[fso]|avc[is]|vvi[cs]|j2ki|j2is|jpeg|jpgs|crx )$/;
/** Beginnings that tell a format. */
const MAGIC: readonly (readonly [text: string, image: SniffedImage])[] = [
  ['\xff\xd8\xff', { format: 'jpeg', contentType: 'image/jpeg' }],
  ['\x89PNG\r\n\x1a\n', { format: 'png', contentType: 'image/png' }],
  ['GIF87a', { format: 'gif', contentType: 'image/gif' }],
  ['GIF89a', { format: 'gif', contentType: 'image/gif' }],
  // Also the beginning of most cameras' raw files.
  ['II*\0', { format: 'other', contentType: 'image/tiff' }],
  ['MM\0*', { format: 'other', contentType: 'image/tiff' }],
  ['II+\0', { format: 'other', contentType: 'image/tiff' }],
  ['MM\0+', { format: 'other', contentType: 'image/tiff' }],
  ['IIU\0', { format: 'other', contentType: 'image/x-panasonic-rw2' }],
  ['IIRO', { format: 'other', contentType: 'image/x-olympus-orf' }],
  ['IIRS', { format: 'other', contentType: 'image/x-olympus-orf' }],
  ['MMOR', { format: 'other', contentType: 'image/x-olympus-orf' }],
  ['FUJIFILMCCD-RAW', { format: 'other', contentType: 'image/x-fuji-raf' }],
  ['FOVb', { format: 'other', contentType: 'image/x-sigma-x3f' }],
  ['8BPS', { format: 'other', contentType: 'image/vnd.adobe.photoshop' }],
  ['\0\0\0\x0cjP  \r\n\x87\n', { format: 'other', contentType: 'image/jp2' }],
  ['\xff\x4f\xff\x51', { format: 'other', contentType: 'image/j2c' }],
  ['\xff\x0a', { format: 'other', contentType: 'image/jxl' }],
  ['\0\0\0\x0cJXL \r\n', { format: 'other', contentType: 'image/jxl' }],
];

/** SVG, with a byte order mark or white space before it. */
const SVG = /^(?:\xef\xbb\xbf)?\s*(?:<svg|<!doctype\s+svg|<\?xml[^]*<svg)/i;

/** The format of an image; undefined for what is none, as far as known. */
export function sniffImage(first: Uint8Array): SniffedImage | undefined {
  for (const [text, image] of MAGIC) if (latin1(first, 0, text.length) === text) return image;
  if (latin1(first, 0, 4) === 'RIFF' && latin1(first, 8, 12) === 'WEBP')
    return { format: 'webp', contentType: 'image/webp' };
  if (latin1(first, 0, 3) === 'II\x1a' && latin1(first, 6, 14) === 'HEAPCCDR')
    return { format: 'other', contentType: 'image/x-canon-crw' };
  // UTF-16 is ASCII with a zero byte beside each letter.
  const text = latin1(first, 0, SNIFF_BYTES).replace(/^(?:\xff\xfe|\xfe\xff)/, '');
  if (SVG.test(text.replaceAll('\0', ''))) return { format: 'other', contentType: 'image/svg+xml' };
  const brand = brandsOf(first).find((name) => HEIF_BRAND.test(name));
  if (brand === undefined) return undefined;
  const isAvif = brand.startsWith('avi') || brand.startsWith('MA1');
  return { format: 'other', contentType: isAvif ? 'image/avif' : 'image/heic' };
}

/** Major and compatible brands of an ISO base media file (ISO/IEC 14496-12, 4.3). */
function brandsOf(first: Uint8Array): readonly string[] {
  if (latin1(first, 4, 8) !== 'ftyp' || first.length < 12) return [];
  const sniffed = Buffer.from(first.subarray(0, SNIFF_BYTES));
  const size = sniffed.readUInt32BE(0);
  // Sizes 0 and 1: up to the end of the file, and a size of 64 bits before the brands.
  const end = size < 12 ? sniffed.length : Math.min(size, sniffed.length);
  const start = size === 1 ? 16 : 8;
  const brands = [latin1(sniffed, start, start + 4)];
  for (let at = start + 8; at + 4 <= end; at += 4) brands.push(latin1(sniffed, at, at + 4));
  return brands;
}
