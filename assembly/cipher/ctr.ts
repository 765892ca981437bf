import { CIPHER_BLOCK_BYTES } from '../abi';
import { EXPAND_KEY_SCRATCH_BYTES, ROUND_KEYS_BYTES, SLICED_STATE_BYTES, encryptSliced, expandKey, transposeBits } from './aes';

// CTR mode (SP 800-38A, section 6.5) with the counter that libsignal calls Ctr32BE: the last four bytes of the block,
// big-endian, wrap by themselves and carry into nothing.

const BLOCKS_X8_BYTES: usize = 8 * CIPHER_BLOCK_BYTES;

/** Scratch that {@link aes256Ctr} wants: round keys, key stream, a counter block, the key expansion's own. */
export const CTR_SCRATCH_BYTES: usize =
  ROUND_KEYS_BYTES + SLICED_STATE_BYTES + CIPHER_BLOCK_BYTES + EXPAND_KEY_SCRATCH_BYTES;

/**
 * XORs the key stream of the 32-byte key, from the 16-byte block at `counterBlock` on, into the data, in place.
 * Leaves secrets in `scratch`.
 */
export function aes256Ctr(data: usize, dataBytes: usize, key: usize, counterBlock: usize, scratch: usize): void {
  const roundKeys = scratch;
  const stream = roundKeys + ROUND_KEYS_BYTES;
  expandKey(roundKeys, key, stream + SLICED_STATE_BYTES + CIPHER_BLOCK_BYTES);

  const first = v128.load(counterBlock);
  let counter = bswap<u32>(i32x4.extract_lane(first, 3));
  let at = data;
  let leftBytes = dataBytes;
  while (leftBytes > 0) {
    for (let block: usize = 0; block < BLOCKS_X8_BYTES; block += CIPHER_BLOCK_BYTES) {
      v128.store(stream + block, i32x4.replace_lane(first, 3, bswap<u32>(counter)));
      counter++;
    }
    transposeBits(stream);
    encryptSliced(stream, roundKeys);
    transposeBits(stream);

    const takenBytes = min<usize>(leftBytes, BLOCKS_X8_BYTES);
    let done: usize = 0;
    for (; done + 16 <= takenBytes; done += 16) {
      v128.store(at + done, v128.xor(v128.load(at + done), v128.load(stream + done)));
    }
    for (; done < takenBytes; done++) store<u8>(at + done, load<u8>(at + done) ^ load<u8>(stream + done));
    at += takenBytes;
    leftBytes -= takenBytes;
  }
}
