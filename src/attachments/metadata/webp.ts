import { MalformedImage, type ByteReader } from './byte-reader.js';
import { orientationOf, orientationTiff } from './exif.js';
import type { ImageFacts } from './image-facts.js';

const KEPT = new Set(['VP8 ', 'VP8L', 'VP8X', 'ANIM', 'ANMF', 'ALPH', 'ICCP']);
const PICTURES = new Set(['VP8 ', 'VP8L', 'ANMF']);
/** Chunks of a frame of an animation, behind its header. */
const KEPT_IN_FRAME = new Set(['VP8 ', 'VP8L', 'ALPH']);
const FRAME_HEADER_BYTES = 16;
const EXIF_FLAG = 0x08;
const XMP_FLAG = 0x04;
const MAX_EXIF_BYTES = 1024 * 1024;
const EXIF_PREFIX = 'Exif\0\0';

/** Bytes that {@link walkWebp} gives. */
export interface KeptBytes {
  /** Of all chunks. */
  readonly all: number;
  /** Of each frame of an animation, without its head. */
  readonly frames: readonly number[];
}

interface Chunk {
  readonly type: string;
  readonly bytes: number;
  /** With the byte that makes it even. */
  readonly storedBytes: number;
}

/**
 * Goes through a WebP: leaves out EXIF, XMP and chunks that are not known. Of EXIF the orientation
 * stays.
 *
 * The header says the length of all: {@link measureWebp} must have gone through it before.
 */
export async function* walkWebp(
  reader: ByteReader,
  facts: ImageFacts,
  kept: KeptBytes,
): AsyncGenerator<Uint8Array, void, void> {
  const end = await readHeader(reader);
  const header = Buffer.from('RIFF\0\0\0\0WEBP', 'latin1');
  header.writeUInt32LE(4 + kept.all, 4);
  yield header;
  const frames = kept.frames.values();
  for (let at = 0; at < end;) {
    const { head, chunk } = await readChunk(reader, end - at);
    at += 8 + chunk.storedBytes;
    if (!KEPT.has(chunk.type)) {
      const exif = await readExif(reader, facts, chunk);
      if (exif !== undefined) yield exif;
      continue;
    }
    await readSize(reader, facts, chunk);
    if (chunk.type === 'ANMF') {
      head.writeUInt32LE(frames.next().value ?? 0, 4);
      yield head;
      yield* walkFrame(reader, facts, chunk.bytes);
      continue;
    }
    yield head;
    if (chunk.type === 'VP8X') {
      const body = await reader.take(chunk.storedBytes);
      body[0] = (body[0] ?? 0) & ~XMP_FLAG & (facts.orientation === 1 ? ~EXIF_FLAG : 0xff);
      yield body;
    } else yield* reader.pass(chunk.storedBytes);
  }
}

/**
 * Goes through a WebP without giving it.
 *
 * @returns bytes of the chunks that {@link walkWebp} gives.
 */
export async function measureWebp(reader: ByteReader, facts: ImageFacts): Promise<KeptBytes> {
  const end = await readHeader(reader);
  let keptBytes = 0;
  let hasPicture = false;
  const frames: number[] = [];
  for (let at = 0; at < end;) {
    const { chunk } = await readChunk(reader, end - at);
    at += 8 + chunk.storedBytes;
    if (!KEPT.has(chunk.type)) {
      keptBytes += (await readExif(reader, facts, chunk))?.length ?? 0;
      continue;
    }
    await readSize(reader, facts, chunk);
    if (PICTURES.has(chunk.type)) hasPicture = true;
    if (chunk.type === 'ANMF') {
      let frameBytes = 0;
      for await (const part of walkFrame(reader, facts, chunk.bytes)) frameBytes += part.length;
      frames.push(frameBytes);
      keptBytes += 8 + frameBytes;
      continue;
    }
    keptBytes += 8 + chunk.storedBytes;
    await reader.skip(chunk.storedBytes);
  }
  if ((await reader.peek(1)).length > 0) facts.hasMetadata = true;
  if (!hasPicture) throw new MalformedImage('it has no picture');
  return { all: keptBytes, frames };
}

/** Gives a frame of an animation without chunks that are no part of the picture. */
async function* walkFrame(
  reader: ByteReader,
  facts: ImageFacts,
  bytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  if (bytes < FRAME_HEADER_BYTES) throw new MalformedImage('a short frame');
  yield await reader.take(FRAME_HEADER_BYTES);
  for (let at = FRAME_HEADER_BYTES; at < bytes;) {
    const { head, chunk } = await readChunk(reader, bytes - at);
    at += 8 + chunk.storedBytes;
    if (KEPT_IN_FRAME.has(chunk.type)) {
      yield head;
      yield* reader.pass(chunk.storedBytes);
    } else {
      facts.hasMetadata = true;
      await reader.skip(chunk.storedBytes);
    }
  }
}

/** @returns bytes of all chunks. */
async function readHeader(reader: ByteReader): Promise<number> {
  const header = Buffer.from(await reader.take(12));
  const bytes = header.readUInt32LE(4);
  if (bytes < 4) throw new MalformedImage('a length that is too short');
  return bytes - 4;
}

async function readChunk(
  reader: ByteReader,
  leftBytes: number,
): Promise<{ readonly head: Buffer; readonly chunk: Chunk }> {
  const head = Buffer.from(await reader.take(8));
  const bytes = head.readUInt32LE(4);
  const storedBytes = bytes + (bytes & 1);
  if (8 + storedBytes > leftBytes) throw new MalformedImage('a chunk that is too long');
  return { head, chunk: { type: head.subarray(0, 4).toString('latin1'), bytes, storedBytes } };
}

/** @returns the chunk in place of it, where the picture is turned. */
async function readExif(
  reader: ByteReader,
  facts: ImageFacts,
  { type, bytes, storedBytes }: Chunk,
): Promise<Uint8Array | undefined> {
  if (type !== 'EXIF' || bytes > MAX_EXIF_BYTES) {
    facts.hasMetadata = true;
    await reader.skip(storedBytes);
    return undefined;
  }
  const body = (await reader.take(storedBytes)).subarray(0, bytes);
  const hasPrefix = Buffer.from(body.subarray(0, 6)).toString('latin1') === EXIF_PREFIX;
  const tiff = hasPrefix ? body.subarray(EXIF_PREFIX.length) : body;
  const orientation = orientationOf(tiff);
  const own = orientationTiff(orientation);
  if (Buffer.compare(own, body) !== 0) facts.hasMetadata = true;
  if (orientation === 1) return undefined;
  facts.orientation = orientation;
  const head = Buffer.from('EXIF\0\0\0\0', 'latin1');
  head.writeUInt32LE(own.length, 4);
  return Buffer.concat([head, own]);
}

/** Width and height out of the first chunk that has them (RFC 9649, 2.4 to 2.7; RFC 6386, 9.1). */
async function readSize(
  reader: ByteReader,
  facts: ImageFacts,
  { type, bytes }: Chunk,
): Promise<void> {
  if (facts.width !== undefined || bytes < 10) return;
  const body = Buffer.from(await reader.peek(10));
  if (body.length < 10) throw new MalformedImage('it is cut short');
  switch (type) {
    case 'VP8X':
      facts.width = body.readUIntLE(4, 3) + 1;
      facts.height = body.readUIntLE(7, 3) + 1;
      break;
    case 'VP8 ':
      facts.width = body.readUInt16LE(6) & 0x3fff;
      facts.height = body.readUInt16LE(8) & 0x3fff;
      break;
    case 'VP8L': {
      const bits = body.readUInt32LE(1);
      facts.width = (bits & 0x3fff) + 1;
      facts.height = ((bits >>> 14) & 0x3fff) + 1;
      break;
    }
    default:
  }
}
