import { refuse } from '../transport/arguments.js';
import { checkNames, isPlainObject, type NamesOf } from '../util/known-names.js';

/**
 * Treatment of location and device data in photos.
 *
 * `strip`: they are removed; a photo of a format that they cannot be removed from is refused.
 * `refuse`: a photo that has any is refused. `keep`: they are sent.
 */
export type MetadataPolicy = 'strip' | 'refuse' | 'keep';

/** Bytes that come in chunks: a Node stream, a web stream, or any async iterable. */
export type ByteStream = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** File that is sent with a message. Exactly one of `path`, `bytes`, `stream` and `blob`. */
export interface AttachmentInput {
  /** File that is read when it is sent, and must not change meanwhile. */
  readonly path?: string;
  /** Bytes, which must not change until the call ends. */
  readonly bytes?: Uint8Array;
  /** Stream of any length; it is read once, into an encrypted temporary file where it is long. */
  readonly stream?: ByteStream;
  readonly blob?: Blob;
  /** MIME type. Default: what the first bytes show of images, else `application/octet-stream`. */
  readonly contentType?: string;
  /** Name that recipients see. It is never sent with images and videos. */
  readonly fileName?: string;
  /** Whether clients show it as a voice message. Default false. */
  readonly voiceNote?: boolean;
  /** Pixels. Default: those in the header of a JPEG, PNG, WebP or GIF. */
  readonly width?: number;
  readonly height?: number;
  /** Blurred preview of an image or video, as blurha.sh defines it. Default: none. */
  readonly blurHash?: string;
  /** Default `strip`. */
  readonly metadata?: MetadataPolicy;
  /** Largest file that is taken, bytes. Default and most: 100 MiB. */
  readonly maxBytes?: number;
}

const NAMES = {
  path: true,
  bytes: true,
  stream: true,
  blob: true,
  contentType: true,
  fileName: true,
  voiceNote: true,
  width: true,
  height: true,
  blurHash: true,
  metadata: true,
  maxBytes: true,
} satisfies NamesOf<AttachmentInput>;
const SOURCES = ['path', 'bytes', 'stream', 'blob'] as const;
const METADATA: readonly unknown[] = ['strip', 'refuse', 'keep'];

/** Where callers give attachments. */
export const FIELD = 'message.attachments';
/** Largest plaintext (Signal: remote config `global.attachments.maxBytes`, default; 2026-11). */
export const MAX_ATTACHMENT_BYTES = 100 * 1024 * 1024;
const DAY_MS = 24 * 3_600_000;
/** An upload is used again for as long (Signal-Desktop, 2026-11). */
export const REUSE_MS = 3 * DAY_MS;
/** The CDN removes attachments that are older (a Signal maintainer, Signal-Desktop#2985). */
export const KEPT_MS = 30 * DAY_MS;
/** Clients show no further ones (Signal-Desktop). */
export const MAX_ATTACHMENTS = 32;
const MAX_PIXELS = 2 ** 31 - 1;
/** type/subtype, and parameters: visible ASCII and blanks. */
const CONTENT_TYPE = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?:;[\x20-\x7e]{0,127})?$/;
const MAX_FILE_NAME_LENGTH = 255;
/** Base 83; the longest has 9 x 9 components. */
const BLUR_HASH = /^[\w#$%*+,\-.:;=?@[\]^{|}~]{6,166}$/;

/** @throws SealcastError ERR_INVALID_ARGUMENT, with the entry's index. */
export function checkAttachments(given: unknown): readonly AttachmentInput[] {
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_ATTACHMENTS)
    refuse(FIELD, `a list of 1 to ${MAX_ATTACHMENTS}`);
  return given.map((input: unknown, index) => checkAttachment(input, index));
}

/** @throws SealcastError ERR_INVALID_ARGUMENT, with the entry's index. */
export function checkAttachment(given: unknown, index: number): AttachmentInput {
  if (typeof given !== 'object' || given === null || !isPlainObject(given))
    refuse(FIELD, 'objects with path, bytes, stream or blob', index);
  checkNames(given, NAMES, FIELD, index);
  // Getters answer once: what is checked here is what is read.
  const input: AttachmentInput = { ...given };
  const refuseField = (name: keyof AttachmentInput, expected: string): never =>
    refuse(`${FIELD}.${name}`, expected, index);
  if (SOURCES.filter((name) => input[name] !== undefined).length !== 1)
    refuse(FIELD, 'objects with exactly one of path, bytes, stream and blob', index);
  checkSource(input, refuseField);
  const { contentType, fileName, blurHash, metadata, voiceNote } = input;
  if (contentType !== undefined && !CONTENT_TYPE.test(contentType))
    refuseField('contentType', 'a MIME type, as image/jpeg');
  if (
    fileName !== undefined &&
    (typeof fileName !== 'string' || fileName === '' || fileName.length > MAX_FILE_NAME_LENGTH)
  )
    refuseField('fileName', `1 to ${MAX_FILE_NAME_LENGTH} characters`);
  if (blurHash !== undefined && !BLUR_HASH.test(blurHash)) refuseField('blurHash', 'a BlurHash');
  if (metadata !== undefined && !METADATA.includes(metadata))
    refuseField('metadata', 'strip, refuse or keep');
  if (voiceNote !== undefined && typeof voiceNote !== 'boolean')
    refuseField('voiceNote', 'true or false');
  const checkWhole = (name: 'width' | 'height' | 'maxBytes', max: number): void => {
    const value = input[name];
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= max)) return;
    refuseField(name, `a whole number from 1 to ${max}`);
  };
  checkWhole('width', MAX_PIXELS);
  checkWhole('height', MAX_PIXELS);
  checkWhole('maxBytes', MAX_ATTACHMENT_BYTES);
  return input;
}

function checkSource(
  { path, bytes, stream, blob }: AttachmentInput,
  refuseField: (name: keyof AttachmentInput, expected: string) => never,
): void {
  if (path !== undefined && (typeof path !== 'string' || path === ''))
    refuseField('path', 'the path of a file');
  if (bytes !== undefined && !(bytes instanceof Uint8Array)) refuseField('bytes', 'a Uint8Array');
  if (blob !== undefined && !(blob instanceof Blob)) refuseField('blob', 'a Blob');
  if (stream === undefined) return;
  const parts = stream as Partial<AsyncIterable<unknown>> | null;
  if (typeof parts?.[Symbol.asyncIterator] !== 'function')
    refuseField('stream', 'a stream or an async iterable of bytes');
}
