import { CIPHER_BLOCK_BYTES } from '../abi';
import {
  EXPAND_KEYS_SCRATCH_BYTES,
  ROUND_KEYS_BYTES,
  SLICED_BLOCKS,
  SLICED_STATE_BYTES,
  encryptSliced,
  expandKeys,
  layKey,
  transposeBlocks,
} from './aes';
import { ROW_BYTES } from './sbox';

// CTR mode (SP 800-38A, section 6.5) with the counter that libsignal calls Ctr32BE: the last four
// bytes of the block, big-endian, wrap by themselves and carry into nothing.
//
// Up to 32 texts go through the cipher together, each under its own key, all from the same counter
// block. With n texts the 32 blocks of a pass are the next 32, 16, 8 .. blocks of each, whichever
// is the most that n texts leave room for.

/** Texts of a batch. */
export const MAX_TEXTS: usize = SLICED_BLOCKS;
const TEXT_ROW_BYTES: usize = 16;
/** The list that {@link ctrBatch} works on: key, data and length of every text. */
export const TEXTS_BYTES: usize = MAX_TEXTS * TEXT_ROW_BYTES;

// The scratch of this file: round keys | counter blocks | key stream | the key expansion's own.
const COUNTERS_OFFSET: usize = ROUND_KEYS_BYTES;
const STREAM_OFFSET: usize = COUNTERS_OFFSET + SLICED_STATE_BYTES;
const EXPAND_OFFSET: usize = STREAM_OFFSET + SLICED_STATE_BYTES;
/** Scratch that {@link ctrBatch} wants. */
export const CTR_BATCH_SCRATCH_BYTES: usize = EXPAND_OFFSET + EXPAND_KEYS_SCRATCH_BYTES;
/** Scratch that {@link aes256Ctr} wants: a list of texts besides. */
export const CTR_SCRATCH_BYTES: usize = CTR_BATCH_SCRATCH_BYTES + TEXTS_BYTES;

/** Text `index` of a batch: `dataBytes` at `data`, under the 32-byte key at `key`. */
@inline export function setText(texts: usize, index: usize, key: usize, data: usize, dataBytes: usize): void {
  const row = texts + index * TEXT_ROW_BYTES;
  store<usize>(row, key);
  store<usize>(row, data, 4);
  store<usize>(row, dataBytes, 8);
}
@inline function textKey(row: usize): usize {
  return load<usize>(row);
}
@inline function textData(row: usize): usize {
  return load<usize>(row, 4);
}
@inline function textBytes(row: usize): usize {
  return load<usize>(row, 8);
}

/**
 * XORs the key stream of its key into each of `textCount` <= MAX_TEXTS texts, in place. The key
 * streams begin with the 16-byte block at `counterBlock`. Uses up the list; leaves secrets in
 * `scratch`.
 */
export function ctrBatch(texts: usize, textCount: usize, counterBlock: usize, scratch: usize): void {
  assert(textCount <= MAX_TEXTS, 'more texts than a batch has room for');
  let count = dropEnded(texts, textCount);
  let counter = bswap<u32>(load<u32>(counterBlock, 12));
  while (count > 0) {
    // The largest power of two of blocks that every text can have in a pass: 32 over count, rounded
    // up to a power of two.
    const share: usize = SLICED_BLOCKS >> (32 - clz<u32>(<u32>count - 1));
    layKeys(texts, count, share, scratch);
    expandKeys(scratch, scratch + EXPAND_OFFSET);
    layCounters(scratch + COUNTERS_OFFSET, counterBlock, counter, <u32>share - 1);
    let left: usize, passesLeft: usize;
    do {
      encryptSliced(scratch + STREAM_OFFSET, scratch + COUNTERS_OFFSET, scratch);
      transposeBlocks(scratch + STREAM_OFFSET);
      let longestBytes: usize = 0;
      left = 0;
      for (let i: usize = 0; i < count; i++) {
        const bytes = takePass(texts + i * TEXT_ROW_BYTES, scratch + STREAM_OFFSET + i * share * CIPHER_BLOCK_BYTES, share);
        left += <usize>(bytes > 0);
        longestBytes = max(longestBytes, bytes);
      }
      counter += <u32>share;
      addToCounters(scratch + COUNTERS_OFFSET, <u32>share);
      passesLeft = (longestBytes + share * CIPHER_BLOCK_BYTES - 1) / (share * CIPHER_BLOCK_BYTES);
      // Where half of the texts have ended the others can have twice the blocks; for that their
      // keys move.
    } while (left * 2 > count || passesLeft == 1);
    count = dropEnded(texts, count);
  }
}

/** Moves the texts that have bytes left to the front of the list; gives their number. */
function dropEnded(texts: usize, count: usize): usize {
  let kept: usize = 0;
  for (let i: usize = 0; i < count; i++) {
    const row = texts + i * TEXT_ROW_BYTES;
    if (textBytes(row) == 0) continue;
    setText(texts, kept, textKey(row), textData(row), textBytes(row));
    kept++;
  }
  return kept;
}

/**
 * Blocks share * i and up take the key of text i; those that no text needs, the last text's, and
 * their stream is dropped.
 */
function layKeys(texts: usize, count: usize, share: usize, roundKeys: usize): void {
  const shareBits = ctz(share);
  for (let block: usize = 0; block < SLICED_BLOCKS; block++) {
    layKey(roundKeys, block, textKey(texts + min(block >> shareBits, count - 1) * TEXT_ROW_BYTES));
  }
}

/** Block j counts from `counter` + (j & shareMask), sliced. */
function layCounters(counters: usize, counterBlock: usize, counter: u32, shareMask: u32): void {
  const first = v128.load(counterBlock);
  for (let block: u32 = 0; block < <u32>SLICED_BLOCKS; block++) {
    const value = i32x4.replace_lane(first, 3, bswap<u32>(counter + (block & shareMask)));
    v128.store(counters + block * CIPHER_BLOCK_BYTES, value);
  }
  transposeBlocks(counters);
}

/**
 * Adds a power of two to the 32 sliced counters, plane by plane. They are public, so it may stop
 * with the last carry.
 */
function addToCounters(counters: usize, addend: u32): void {
  // The counters' bytes are those of column 3, from row 3, the least significant, up to row 0.
  let carry = i32x4(0, 0, 0, -1);
  for (let bit: usize = ctz(addend); bit < 32 && v128.any_true(carry); bit++) {
    const plane = counters + (3 - (bit >> 3)) * ROW_BYTES + (bit & 7) * 16;
    const old = v128.load(plane);
    v128.store(plane, v128.xor(old, carry));
    carry = v128.and(carry, old);
  }
}

/**
 * XORs up to `share` blocks of key stream into a text, and moves it on; gives the bytes that it has
 * left.
 */
@inline function takePass(row: usize, stream: usize, share: usize): usize {
  const data = textData(row);
  const bytes = textBytes(row);
  const takenBytes = min(bytes, share * CIPHER_BLOCK_BYTES);
  let done: usize = 0;
  for (; done + 16 <= takenBytes; done += 16) {
    v128.store(data + done, v128.xor(v128.load(data + done), v128.load(stream + done)));
  }
  for (; done < takenBytes; done++) store<u8>(data + done, load<u8>(data + done) ^ load<u8>(stream + done));
  store<usize>(row, data + takenBytes, 4);
  store<usize>(row, bytes - takenBytes, 8);
  return bytes - takenBytes;
}

/**
 * XORs the key stream of the 32-byte key into the data, in place. The key stream begins with the
 * 16-byte block at `counterBlock`. Leaves secrets in `scratch`.
 */
export function aes256Ctr(data: usize, dataBytes: usize, key: usize, counterBlock: usize, scratch: usize): void {
  const texts = scratch + CTR_BATCH_SCRATCH_BYTES;
  setText(texts, 0, key, data, dataBytes);
  ctrBatch(texts, 1, counterBlock, scratch);
}
