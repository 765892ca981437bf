import { MalformedImage, type ByteReader } from './byte-reader.js';
import { orientationOf, orientationTiff } from './exif.js';
import type { ImageFacts } from './image-facts.js';

/** Markers (ITU T.81, table B.1). */
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const COM = 0xfe;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP2 = 0xe2;
const APP14 = 0xee;
const APP15 = 0xef;
const isRestart = (marker: number): boolean => marker >= 0xd0 && marker <= 0xd7;
/** Start of frame: 0xC0 to 0xCF but for DHT, JPG and DAC. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
/** DHT, DAC, SOS, DQT, DNL, DRI: with frames, the only segments of a picture. */
const TABLES = new Set([0xc4, 0xcc, SOS, 0xdb, 0xdc, 0xdd]);
const isApplication = (marker: number): boolean =>
  (marker >= APP0 && marker <= APP15) || marker === COM;

/** Application segments that the picture needs: how it is scaled, and its colors. */
const KEPT: Readonly<Record<number, string>> = {
  [APP0]: 'JFIF\0',
  [APP2]: 'ICC_PROFILE\0',
  [APP14]: 'Adobe',
};
/** A JFIF header whose thumbnail is 0 by 0, without the length. */
const JFIF_BYTES = 14;
/** An Adobe segment up to its color transform, without the length. */
const ADOBE_BYTES = 12;
const EXIF = 'Exif\0\0';
const startsWith = (bytes: Uint8Array, text: string): boolean =>
  Buffer.from(bytes.subarray(0, text.length)).toString('latin1') === text;

/**
 * Goes through a JPEG: leaves out EXIF, XMP, IPTC, comments, previews, and what comes behind the
 * picture (a phone's motion photo is a video there). Of EXIF the orientation stays.
 */
export async function* walkJpeg(
  reader: ByteReader,
  facts: ImageFacts,
): AsyncGenerator<Uint8Array, void, void> {
  yield await reader.take(2);
  for (;;) {
    const marker = await nextMarker(reader);
    if (marker === EOI) {
      yield Uint8Array.of(0xff, EOI);
      if ((await reader.peek(1)).length > 0) facts.hasMetadata = true;
      return;
    }
    if (marker === SOI) throw new MalformedImage('a second beginning');
    if (isRestart(marker)) {
      yield Uint8Array.of(0xff, marker);
      continue;
    }
    if (!isApplication(marker) && !isFrame(marker) && !TABLES.has(marker))
      throw new MalformedImage('a marker of unknown kind');
    const length = await reader.take(2);
    const bodyBytes = uint16(length, 0) - 2;
    if (bodyBytes < 0) throw new MalformedImage('a segment without a length');
    if (isApplication(marker)) {
      yield* walkApplication(reader, facts, { marker, length, bodyBytes });
      continue;
    }
    if (isFrame(marker)) {
      const frame = await reader.peek(5);
      if (frame.length < 5 || bodyBytes < 5) throw new MalformedImage('a short frame');
      facts.height = uint16(frame, 1);
      facts.width = uint16(frame, 3);
    }
    yield Uint8Array.of(0xff, marker, ...length);
    yield* reader.pass(bodyBytes);
    if (marker === SOS) yield* reader.passEntropyCoded();
  }
}

interface Segment {
  readonly marker: number;
  readonly length: Uint8Array;
  readonly bodyBytes: number;
}

async function* walkApplication(
  reader: ByteReader,
  facts: ImageFacts,
  { marker, length, bodyBytes }: Segment,
): AsyncGenerator<Uint8Array, void, void> {
  const kept = KEPT[marker];
  // At most 64 KiB: a segment says its length in 16 bits.
  const body = await reader.take(bodyBytes);
  if (kept !== undefined && startsWith(body, kept)) {
    // A JFIF header may bring a thumbnail, which may show what was cut off the picture.
    if (marker === APP0 && body.length > JFIF_BYTES) {
      facts.hasMetadata = true;
      const bare = Uint8Array.from(body.subarray(0, JFIF_BYTES));
      bare.fill(0, JFIF_BYTES - 2);
      yield Uint8Array.of(0xff, APP0, 0, JFIF_BYTES + 2);
      yield bare;
      return;
    }
    if (marker === APP14 && body.length !== ADOBE_BYTES) {
      facts.hasMetadata = true;
      if (body.length < ADOBE_BYTES) return;
      yield Uint8Array.of(0xff, APP14, 0, ADOBE_BYTES + 2);
      yield body.subarray(0, ADOBE_BYTES);
      return;
    }
    yield Uint8Array.of(0xff, marker, ...length);
    yield body;
    return;
  }
  if (marker === APP1 && startsWith(body, EXIF)) {
    const orientation = orientationOf(body.subarray(EXIF.length));
    const own = orientationSegment(orientation);
    if (orientation !== 1) {
      facts.orientation = orientation;
      yield own;
    }
    if (Buffer.compare(own.subarray(4), body) === 0) return;
  }
  facts.hasMetadata = true;
}

function orientationSegment(orientation: number): Uint8Array {
  const body = Buffer.concat([Buffer.from(EXIF, 'latin1'), orientationTiff(orientation)]);
  const length = body.length + 2;
  return Buffer.concat([Uint8Array.of(0xff, APP1, length >> 8, length & 0xff), body]);
}

async function nextMarker(reader: ByteReader): Promise<number> {
  const [first] = await reader.take(1);
  if (first !== 0xff) throw new MalformedImage('no marker where one should be');
  for (;;) {
    const [marker] = await reader.take(1);
    // Any number of 0xFF may come before a marker.
    if (marker === 0xff) continue;
    if (marker === undefined || marker === 0) throw new MalformedImage('no marker');
    return marker;
  }
}

const uint16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
