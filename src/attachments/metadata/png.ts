import { crc32 } from 'node:zlib';
import { MalformedImage, type ByteReader } from './byte-reader.js';
import { orientationOf, orientationTiff } from './exif.js';
import type { ImageFacts } from './image-facts.js';

const SIGNATURE_BYTES = 8;
/** Chunks that need not be understood and are part of the picture (PNG 3, 11.3; APNG). */
const KEPT = new Set([
  ...['tRNS', 'gAMA', 'cHRM', 'sRGB', 'iCCP', 'sBIT', 'bKGD', 'pHYs', 'hIST', 'sPLT'],
  ...['cICP', 'mDCV', 'cLLI', 'acTL', 'fcTL', 'fdAT'],
]);
const CRITICAL = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND']);
const MAX_CHUNK_BYTES = 2 ** 31 - 1;
/** EXIF of a photo is some kilobytes, with a preview some hundred. */
const MAX_EXIF_BYTES = 1024 * 1024;

/**
 * Goes through a PNG: leaves out EXIF, texts, the time, chunks that are not known, and what comes
 * behind the picture. Of EXIF the orientation stays.
 */
export async function* walkPng(
  reader: ByteReader,
  facts: ImageFacts,
): AsyncGenerator<Uint8Array, void, void> {
  yield await reader.take(SIGNATURE_BYTES);
  for (;;) {
    const head = await reader.take(8);
    const bytes = viewOf(head).getUint32(0);
    if (bytes > MAX_CHUNK_BYTES) throw new MalformedImage('a chunk that is too long');
    const type = Buffer.from(head.subarray(4)).toString('latin1');
    if (!/^[A-Za-z]{4}$/.test(type)) throw new MalformedImage('a chunk without a type');
    const isCritical = /^[A-Z]/.test(type);
    if (isCritical && !CRITICAL.has(type)) throw new MalformedImage('a chunk of unknown kind');
    if (type === 'eXIf') {
      yield* walkExif(reader, facts, bytes);
      continue;
    }
    if (!isCritical && !KEPT.has(type)) {
      facts.hasMetadata = true;
      await reader.skip(bytes + 4);
      continue;
    }
    if (type === 'IHDR') {
      const size = await reader.peek(8);
      if (size.length < 8) throw new MalformedImage('it is cut short');
      facts.width = viewOf(size).getUint32(0);
      facts.height = viewOf(size).getUint32(4);
    }
    if (type !== 'IEND') {
      yield head;
      yield* reader.pass(bytes + 4);
      continue;
    }
    if (bytes > 0) facts.hasMetadata = true;
    await reader.skip(bytes + 4);
    const body = Buffer.from('IEND');
    yield Buffer.concat([uint32(0), body, uint32(crc32(body))]);
    if ((await reader.peek(1)).length > 0) facts.hasMetadata = true;
    return;
  }
}

async function* walkExif(
  reader: ByteReader,
  facts: ImageFacts,
  bytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  if (bytes > MAX_EXIF_BYTES) throw new MalformedImage('a chunk that is too long');
  const tiff = await reader.take(bytes);
  await reader.skip(4);
  const orientation = orientationOf(tiff);
  const own = orientationTiff(orientation);
  if (orientation !== 1) {
    facts.orientation = orientation;
    const body = Buffer.concat([Buffer.from('eXIf'), own]);
    yield Buffer.concat([uint32(own.length), body, uint32(crc32(body))]);
  }
  if (Buffer.compare(own, tiff) !== 0) facts.hasMetadata = true;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value);
  return bytes;
}
