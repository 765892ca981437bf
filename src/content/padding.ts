import { SealcastError } from '../errors.js';
import { checkBytes } from './checks.js';

const BLOCK_BYTES = 80;
const TERMINATOR = 0x80;

/**
 * Length of the padded form: a multiple of 80 less the one byte that the ratchet's CBC padding adds
 * to it.
 */
function paddedLengthBytes(contentLengthBytes: number): number {
  return Math.ceil((contentLengthBytes + 2) / BLOCK_BYTES) * BLOCK_BYTES - 1;
}

/** Pads a Content before encryption. Its ciphertext tells its length only in steps of 80 bytes. */
export function padPlaintext(content: Uint8Array): Uint8Array<ArrayBuffer> {
  checkBytes('content', content);
  const padded = new Uint8Array(paddedLengthBytes(content.length));
  padded.set(content);
  padded[content.length] = TERMINATOR;
  return padded;
}

/**
 * Takes the padding off again. Any number of zeros may follow the terminator, since clients have
 * padded to different lengths over the years; a plaintext without the terminator is refused with
 * ERR_INVALID_ENVELOPE.
 */
export function unpadPlaintext(padded: Uint8Array): Uint8Array<ArrayBuffer> {
  checkBytes('padded', padded);
  // A loop: a callback for each of 256 KiB of zeros takes 5 ms.
  let terminatorIndex = padded.length - 1;
  while (padded[terminatorIndex] === 0) terminatorIndex -= 1;
  if (padded[terminatorIndex] !== TERMINATOR) {
    throw new SealcastError('ERR_INVALID_ENVELOPE', 'the plaintext has no well-formed padding');
  }
  return new Uint8Array(padded.subarray(0, terminatorIndex));
}
