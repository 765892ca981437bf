import { drain } from '../../util/drain.js';
import { MalformedImage, type ByteReader } from './byte-reader.js';
import type { ImageFacts } from './image-facts.js';

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
const GRAPHIC_CONTROL = 0xf9;
const APPLICATION = 0xff;
/** Extensions that say how often the pictures are repeated. */
const LOOPS = ['NETSCAPE2.0', 'ANIMEXTS1.0'];
/** Bytes of a color table, by the flags of its picture. */
const tableBytes = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);

/**
 * Goes through a GIF: leaves out comments, texts, data of applications such as XMP, and what comes
 * behind the pictures.
 */
export async function* walkGif(
  reader: ByteReader,
  facts: ImageFacts,
): AsyncGenerator<Uint8Array, void, void> {
  const header = Buffer.from(await reader.take(13));
  facts.width = header.readUInt16LE(6);
  facts.height = header.readUInt16LE(8);
  yield header;
  yield* reader.pass(tableBytes(header[10] ?? 0));
  for (;;) {
    const [kind] = await reader.take(1);
    switch (kind) {
      case TRAILER:
        yield Uint8Array.of(TRAILER);
        if ((await reader.peek(1)).length > 0) facts.hasMetadata = true;
        return;
      case IMAGE: {
        const image = await reader.take(9);
        yield Uint8Array.of(IMAGE, ...image);
        // The color table, then the byte that says how the picture is coded.
        yield* reader.pass(tableBytes(image[8] ?? 0) + 1);
        yield* passBlocks(reader);
        break;
      }
      case EXTENSION:
        yield* walkExtension(reader, facts);
        break;
      case undefined:
      default:
        throw new MalformedImage('a block of unknown kind');
    }
  }
}

async function* walkExtension(
  reader: ByteReader,
  facts: ImageFacts,
): AsyncGenerator<Uint8Array, void, void> {
  const [label = 0] = await reader.take(1);
  const first = await reader.peek(12);
  const name = Buffer.from(first.subarray(1)).toString('latin1');
  const isLoop = label === APPLICATION && first[0] === 11 && LOOPS.includes(name);
  if (label === GRAPHIC_CONTROL || isLoop) {
    yield Uint8Array.of(EXTENSION, label);
    yield* passBlocks(reader);
    return;
  }
  facts.hasMetadata = true;
  await drain(passBlocks(reader));
}

/** Blocks of up to 255 bytes, each with its length before it, up to an empty one. */
async function* passBlocks(reader: ByteReader): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const [bytes = 0] = await reader.peek(1);
    yield* reader.pass(1 + bytes);
    if (bytes === 0) return;
  }
}
