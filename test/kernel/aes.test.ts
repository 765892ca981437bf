import { createCipheriv } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { S_BOX, aes256EncryptBlock, expandKey } from '../reference/aes256.js';
import { byteAt, concatBytes, toHex, type Bytes } from '../reference/bytes.js';
import { aes256Ctr as twinCtr } from '../reference/ctr.js';
import type { DebugKernel } from '../harness/debug-kernel.js';
import { debugKernels } from '../harness/debug-kernel.js';
import { seededBytes, seededInteger, type SeededRandom } from '../harness/seeded-random.js';

const kernels = debugKernels();
const [STATE, INPUT, COUNTER_BLOCK, TEXTS, KEYS, SCRATCH, DATA] = [
  0x20000, 0x20400, 0x20800, 0x20900, 0x21000, 0x22000, 0x30000,
] as const;
const BLOCKS = 32;
const STATE_BYTES = 16 * BLOCKS;
const ROUND_KEYS = 15;

/** Block j of 32 that stand one after the other. */
const blockOf = (blocks: Uint8Array, j: number): Uint8Array => blocks.subarray(16 * j, 16 * j + 16);

/**
 * What a sliced state is, by its definition: bit j of lane c of plane k of row r is bit k of byte
 * 4c + r of block j.
 */
function slice(blocks: Uint8Array): Bytes {
  const view = new DataView(new ArrayBuffer(STATE_BYTES));
  for (let j = 0; j < BLOCKS; j++) {
    for (let i = 0; i < 16; i++) {
      for (let k = 0; k < 8; k++) {
        const lane = 128 * (i % 4) + 16 * k + 4 * (i >> 2);
        const bit = (byteAt(blocks, 16 * j + i) >> k) & 1;
        view.setUint32(lane, view.getUint32(lane, true) | (bit << j), true);
      }
    }
  }
  return new Uint8Array(view.buffer);
}

describe.each(kernels)('the sliced form ($title)', (kernel) => {
  const { exports } = kernel;
  it('is what its definition says, there and back', () => {
    const blocks = seededBytes('slices')(STATE_BYTES);
    kernel.write(STATE, blocks);
    exports.transposeBlocks(STATE);
    expect(toHex(kernel.read(STATE, STATE_BYTES))).toBe(toHex(slice(blocks)));
    exports.transposeBlocks(STATE);
    expect(toHex(kernel.read(STATE, STATE_BYTES))).toBe(toHex(blocks));
  });

  it('takes all 256 bytes through the S-box, in every place, but for the constant 0x63', () => {
    const random = seededBytes('s-box');
    for (let round = 0; round < 16; round++) {
      // 512 bytes: each value twice, at places that differ from round to round.
      const shift = byteAt(random(1), 0);
      const blocks = Uint8Array.from({ length: STATE_BYTES }, (_, i) => 167 * i + shift);
      kernel.write(STATE, slice(blocks));
      exports.substituteBytes(STATE, STATE + STATE_BYTES);
      const expected = blocks.map((byte) => byteAt(S_BOX, byte) ^ 0x63);
      expect(toHex(kernel.read(STATE, STATE_BYTES))).toBe(toHex(slice(expected)));
    }
  });
});

describe.each(kernels)('expandKeys and encryptSliced ($title)', (kernel) => {
  const { exports } = kernel;
  it('agree with the twin under 32 different keys at once', () => {
    const random = seededBytes('sliced keys');
    for (let round = 0; round < 8; round++) {
      const keys = Array.from({ length: BLOCKS }, () => random(32));
      keys.forEach((key, j) => {
        kernel.write(KEYS, key);
        exports.layKey(SCRATCH, j, KEYS);
      });
      exports.expandKeys(SCRATCH, SCRATCH + ROUND_KEYS * STATE_BYTES);
      const expanded = keys.map((key) => expandKey(key));
      for (let i = 0; i < ROUND_KEYS; i++) {
        // All but the first carry the S-box's constant.
        const expected = concatBytes(...expanded.map((roundKeys) => blockOf(roundKeys, i))).map(
          (byte) => (i === 0 ? byte : byte ^ 0x63),
        );
        const found = kernel.read(SCRATCH + i * STATE_BYTES, STATE_BYTES);
        expect(toHex(found), `round key ${i}`).toBe(toHex(slice(expected)));
      }
      const blocks = random(STATE_BYTES);
      kernel.write(INPUT, slice(blocks));
      exports.encryptSliced(STATE, INPUT, SCRATCH);
      const encrypted = concatBytes(
        ...keys.map((key, j) => aes256EncryptBlock(key, blockOf(blocks, j))),
      );
      expect(toHex(kernel.read(STATE, STATE_BYTES))).toBe(toHex(slice(encrypted)));
      expect(toHex(kernel.read(INPUT, STATE_BYTES))).toBe(toHex(slice(blocks)));
    }
  });
});

/**
 * Runs one batch: texts of these lengths, each under its own key, between bytes that must stay as
 * they are.
 */
function expectBatch(
  kernel: DebugKernel,
  lengths: readonly number[],
  counterBlock: Uint8Array,
  random: SeededRandom,
  twin = false,
): void {
  const { exports } = kernel;
  kernel.write(COUNTER_BLOCK, counterBlock);
  let at: number = DATA;
  const texts = lengths.map((bytes, i) => {
    const text = {
      key: random(32),
      data: random(bytes),
      before: random(1 + seededInteger(random, 20)),
      at: 0,
    };
    text.at = at + text.before.length;
    kernel.write(KEYS + 32 * i, text.key);
    kernel.write(at, text.before);
    kernel.write(text.at, text.data);
    exports.setText(TEXTS, i, KEYS + 32 * i, text.at, bytes);
    at = text.at + bytes;
    return text;
  });
  const end = random(64);
  kernel.write(at, end);
  exports.ctrBatch(TEXTS, lengths.length, COUNTER_BLOCK, SCRATCH);
  const expected = texts.map(({ key, data, before }) => {
    const sealed = twin
      ? twinCtr(key, counterBlock, data)
      : createCipheriv('aes-256-ctr', key, counterBlock).update(data);
    return concatBytes(before, sealed);
  });
  expect(toHex(kernel.read(DATA, at + end.length - DATA))).toBe(
    toHex(concatBytes(...expected, end)),
  );
}

const ZERO_BLOCK = new Uint8Array(16);

describe.each(kernels)('ctrBatch ($title)', (kernel) => {
  const { exports } = kernel;
  it.each(Array.from({ length: BLOCKS + 1 }, (_, count) => count))(
    'agrees with OpenSSL on %i texts',
    (count) => {
      const random = seededBytes(`ctr batch ${count}`);
      const equal = (bytes: number): number[] => Array.from({ length: count }, () => bytes);
      for (const bytes of [33, 600]) expectBatch(kernel, equal(bytes), ZERO_BLOCK, random);
      // Lengths that leave the batch at different passes, some of them at once.
      for (const bound of [17, 100, 700, 5000]) {
        expectBatch(
          kernel,
          equal(0).map(() => seededInteger(random, bound)),
          ZERO_BLOCK,
          random,
        );
      }
    },
  );

  it('agrees with OpenSSL on every length from 0 to 300, alone and together', () => {
    const random = seededBytes('ctr lengths');
    for (let bytes = 0; bytes <= 300; bytes++) expectBatch(kernel, [bytes], ZERO_BLOCK, random);
    for (let first = 0; first <= 300; first += BLOCKS) {
      expectBatch(
        kernel,
        Array.from({ length: BLOCKS }, (_, i) => first + i),
        ZERO_BLOCK,
        random,
      );
    }
  });

  it.each([
    [[262_144]],
    [[262_144, 33, 100_003]],
    [[100_003, 100_003, 100_003, 100_003, 16]],
    [Array.from({ length: BLOCKS }, (_, i) => 2 ** (i >> 1))],
    [[...Array.from({ length: BLOCKS - 1 }, () => 600), 70_000]],
  ])('agrees with OpenSSL on long texts and short ones', (lengths) => {
    expectBatch(kernel, lengths, ZERO_BLOCK, seededBytes(`ctr long ${lengths.length}`));
  });

  it('counts from any block, and wraps the last four bytes by themselves, like the twin', () => {
    const random = seededBytes('ctr counters');
    for (const count of [1, 2, 3, 7, 20]) {
      for (const before of [0, 1, 2, 31, 32, 33, 40]) {
        const counterBlock = random(16);
        new DataView(counterBlock.buffer).setUint32(12, 0xffffffff - before);
        const lengths = Array.from({ length: count }, (_, i) =>
          i === 0 ? 16 * 48 + 3 : seededInteger(random, 200),
        );
        expectBatch(kernel, lengths, counterBlock, random, true);
      }
    }
    // Carries out of every byte of the counter, short of the last.
    for (const counter of [0xff, 0xffff, 0xffffff, 0x01ffff, 0x7fffff00]) {
      const counterBlock = random(16);
      new DataView(counterBlock.buffer).setUint32(12, counter);
      expectBatch(kernel, [600, 600, 333, 16], counterBlock, random, true);
    }
  });

  it('traps in the debug build on more texts than it has room for', () => {
    expect(() => exports.ctrBatch(TEXTS, BLOCKS + 1, COUNTER_BLOCK, SCRATCH)).toThrow(
      WebAssembly.RuntimeError,
    );
  });
});

describe.each(kernels)('aes256Ctr ($title)', (kernel) => {
  const { exports } = kernel;
  it('agrees with OpenSSL under 200 keys', () => {
    const random = seededBytes('aes keys');
    for (let round = 0; round < 200; round++) {
      const key = random(32);
      const data = random(1 + seededInteger(random, 300));
      kernel.write(KEYS, key);
      kernel.write(COUNTER_BLOCK, ZERO_BLOCK);
      kernel.write(DATA, data);
      exports.aes256Ctr(DATA, data.length, KEYS, COUNTER_BLOCK, SCRATCH);
      const cipher = createCipheriv('aes-256-ctr', key, ZERO_BLOCK);
      expect(toHex(kernel.read(DATA, data.length))).toBe(cipher.update(data, undefined, 'hex'));
    }
  });
});
