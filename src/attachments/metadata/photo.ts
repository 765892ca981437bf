import { SealcastError } from '../../errors.js';
import { drain } from '../../util/drain.js';
import { FIELD, type MetadataPolicy } from '../input.js';
import type { AttachmentSource } from '../source.js';
import { ByteReader, MalformedImage } from './byte-reader.js';
import { walkGif } from './gif.js';
import { ImageFacts, type ImageWalk } from './image-facts.js';
import { SNIFF_BYTES, sniffImage, type ImageFormat } from './image-format.js';
import { walkJpeg } from './jpeg.js';
import { walkPng } from './png.js';
import { measureWebp, walkWebp } from './webp.js';

/** Photo, or any other file, as it is sent. */
export interface PreparedFile {
  /** Plaintext that is sent; the source stays to be disposed of by its opener. */
  readonly read: () => AsyncIterable<Uint8Array>;
  /** By its first bytes; undefined for what is no image. */
  readonly contentType: string | undefined;
  /** Pixels as it is shown; undefined where they are not known. */
  readonly size: { readonly width: number; readonly height: number } | undefined;
}

export interface PhotoPolicy {
  readonly metadata: MetadataPolicy;
  /** As the caller gives it. */
  readonly contentType: string | undefined;
  /** Place of the attachment among the message's. */
  readonly index: number;
}

/** Images that have no metadata. */
const PLAIN_TYPES = /^image\/(?:bmp|x-ms-bmp|x-icon|vnd\.microsoft\.icon)$/i;

/**
 * Looks for an image in a source, goes through it, and takes its metadata out.
 *
 * @throws SealcastError ERR_ATTACHMENT_METADATA: it has metadata, or may have some, that policy or
 *   format does not permit to remove.
 */
export async function preparePhoto(
  source: AttachmentSource,
  policy: PhotoPolicy,
): Promise<PreparedFile> {
  const { metadata, contentType, index } = policy;
  const image = sniffImage(await firstBytes(source));
  const isDeclared = contentType?.toLowerCase().startsWith('image/') === true;
  const read = (): AsyncIterable<Uint8Array> => source.read();
  const asIs = { read, contentType: image?.contentType, size: undefined };
  if (image === undefined || image.format === 'other') {
    const isPhoto = image !== undefined || (isDeclared && !PLAIN_TYPES.test(contentType));
    if (!isPhoto || metadata === 'keep') return asIs;
    throw metadataError(index, `${image?.contentType ?? contentType} cannot be searched for it`);
  }
  let walk: ImageWalk;
  const facts = new ImageFacts();
  try {
    walk = await searchImage(source, image.format, facts);
  } catch (cause) {
    if (!(cause instanceof MalformedImage)) throw cause;
    if (metadata === 'keep') return asIs;
    throw metadataError(index, 'the image is damaged', cause);
  }
  const found = { contentType: image.contentType, size: facts.shown };
  if (metadata === 'keep' || !facts.hasMetadata) return { ...found, read };
  if (metadata === 'refuse') throw metadataError(index, 'the photo has some');
  return { ...found, read: () => walkOver(source, walk, facts) };
}

function metadataError(index: number, reason: string, cause?: unknown): SealcastError {
  return new SealcastError(
    'ERR_ATTACHMENT_METADATA',
    `entry ${index}: metadata of the photo were not removed: ${reason}`,
    { field: `${FIELD}.metadata`, index, cause },
  );
}

async function firstBytes(source: AttachmentSource): Promise<Uint8Array> {
  const reader = new ByteReader(source.read());
  try {
    return Uint8Array.from(await reader.peek(SNIFF_BYTES));
  } finally {
    await reader.close();
  }
}

/** Goes through the image once. @returns what gives it without metadata. */
async function searchImage(
  source: AttachmentSource,
  format: Exclude<ImageFormat, 'other'>,
  facts: ImageFacts,
): Promise<ImageWalk> {
  if (format === 'webp') {
    const reader = new ByteReader(source.read());
    try {
      const keptBytes = await measureWebp(reader, facts);
      return (again, found) => walkWebp(again, found, keptBytes);
    } finally {
      await reader.close();
    }
  }
  const walk = { jpeg: walkJpeg, png: walkPng, gif: walkGif }[format];
  await drain(walkOver(source, walk, facts));
  return walk;
}

async function* walkOver(
  source: AttachmentSource,
  walk: ImageWalk,
  facts: ImageFacts,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = new ByteReader(source.read());
  try {
    yield* walk(reader, facts);
  } finally {
    await reader.close();
  }
}
