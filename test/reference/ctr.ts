// AES-256-CTR, SP 800-38A section 6.5, with the 32-bit big-endian counter of libsignal's (Ctr32BE):
// the last four bytes of the block count and wrap, and the twelve before them never change.
// OpenSSL's CTR carries into all sixteen.
import { aes256EncryptBlock, BLOCK_BYTES } from './aes256.js';
import { copyBytes, xorBytes, type Bytes } from './bytes.js';

export function aes256Ctr(key: Uint8Array, counterBlock: Uint8Array, data: Uint8Array): Bytes {
  const output = new Uint8Array(data.length);
  for (let offset = 0, blockIndex = 0; offset < data.length; offset += BLOCK_BYTES, blockIndex++) {
    const keyStream = aes256EncryptBlock(key, advanceCounter(counterBlock, blockIndex));
    output.set(xorBytes(data.subarray(offset, offset + BLOCK_BYTES), keyStream), offset);
  }
  return output;
}

/** The counter block `blockCount` blocks later. */
export function advanceCounter(counterBlock: Uint8Array, blockCount: number): Bytes {
  const advanced = copyBytes(counterBlock);
  const view = new DataView(advanced.buffer);
  view.setUint32(BLOCK_BYTES - 4, (view.getUint32(BLOCK_BYTES - 4) + blockCount) % 2 ** 32);
  return advanced;
}
