/** Format of an image by its first bytes; `other`: one whose metadata cannot be removed. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'other';

/** Bytes that {@link sniffImage} wants to see. */
export const SNIFF_BYTES = 32;

export interface SniffedImage {
  readonly format: ImageFormat;
  readonly contentType: string;
}

const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.subarray(start, end)).toString('latin1');

/** Brands of still images in ISO base media files (ISO/IEC 23008-12; AVIF; Canon CR3). */
const HEIF_BRAND = /^(?:hei[cxms]|hev[cmsx]|mif[12]|msf1|avi[fs]|crx )$/;
/** Beginnings that tell a format. */
const MAGIC: readonly (readonly [text: string, image: SniffedImage])[] = [
  ['\xff\xd8\xff', { format: 'jpeg', contentType: 'image/jpeg' }],
  ['\x89PNG\r\n\x1a\n', { format: 'png', contentType: 'image/png' }],
  ['GIF87a', { format: 'gif', contentType: 'image/gif' }],
  ['GIF89a', { format: 'gif', contentType: 'image/gif' }],
  // Also the beginning of most cameras' raw files.
  ['II*\0', { format: 'other', contentType: 'image/tiff' }],
  ['MM\0*', { format: 'other', contentType: 'image/tiff' }],
  ['\xff\x0a', { format: 'other', contentType: 'image/jxl' }],
  ['\0\0\0\x0cJXL \r\n', { format: 'other', contentType: 'image/jxl' }],
];

/** The format of an image; undefined for what is none, as far as known. */
export function sniffImage(first: Uint8Array): SniffedImage | undefined {
  for (const [text, image] of MAGIC) if (latin1(first, 0, text.length) === text) return image;
  if (latin1(first, 0, 4) === 'RIFF' && latin1(first, 8, 12) === 'WEBP')
    return { format: 'webp', contentType: 'image/webp' };
  if (latin1(first, 4, 8) !== 'ftyp') return undefined;
  const brand = latin1(first, 8, 12);
  if (!HEIF_BRAND.test(brand)) return undefined;
  return { format: 'other', contentType: brand.startsWith('avi') ? 'image/avif' : 'image/heic' };
}
