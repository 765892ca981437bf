// SHA-256, FIPS 180-4. The constants of sections 4.2.2 and 5.3.3 are computed from their
// definition.
import { concatBytes, type Bytes } from './bytes.js';

export const BLOCK_BYTES = 64;
export const DIGEST_BYTES = 32;

const WORD_MASK = 2n ** 32n - 1n;
const ROUND_COUNT = 64;
const PRIMES = firstPrimes(ROUND_COUNT);

/** First 32 bits of the fractional parts of the cube roots of the first 64 primes. */
export const ROUND_CONSTANTS: readonly bigint[] = PRIMES.map(
  (prime) => integerRoot(prime << 96n, 3n) & WORD_MASK,
);

/** First 32 bits of the fractional parts of the square roots of the first eight primes. */
export const INITIAL_STATE: readonly bigint[] = PRIMES.slice(0, 8).map(
  (prime) => integerRoot(prime << 64n, 2n) & WORD_MASK,
);

export function sha256(message: Uint8Array): Bytes {
  const padded = pad(message);
  let state = INITIAL_STATE;
  for (let offset = 0; offset < padded.length; offset += BLOCK_BYTES) {
    state = compress(state, padded.subarray(offset, offset + BLOCK_BYTES));
  }
  return concatBytes(...state.map(wordToBytes));
}

/** Section 5.1.1: a one bit, zeros to 56 modulo 64, and the length in bits in eight bytes. */
export function pad(message: Uint8Array): Bytes {
  const zeroCount = (BLOCK_BYTES + 56 - ((message.length + 1) % BLOCK_BYTES)) % BLOCK_BYTES;
  const lengthBits = BigInt(message.length) * 8n;
  return concatBytes(
    message,
    Uint8Array.of(0x80),
    new Uint8Array(zeroCount),
    wordToBytes(lengthBits >> 32n),
    wordToBytes(lengthBits & WORD_MASK),
  );
}

/** Section 6.2.2: one block into a state of eight words. */
export function compress(state: readonly bigint[], block: Uint8Array): bigint[] {
  const w = Array.from({ length: 16 }, (_, t) => wordFromBytes(block.subarray(4 * t, 4 * t + 4)));
  for (let t = 16; t < ROUND_COUNT; t++) {
    w.push(
      addWords(smallSigma1(at(w, t - 2)), at(w, t - 7), smallSigma0(at(w, t - 15)), at(w, t - 16)),
    );
  }

  let [a, b, c, d, e, f, g, h] = state as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  for (let t = 0; t < ROUND_COUNT; t++) {
    const t1 = addWords(h, bigSigma1(e), choose(e, f, g), at(ROUND_CONSTANTS, t), at(w, t));
    const t2 = addWords(bigSigma0(a), majority(a, b, c));
    [a, b, c, d, e, f, g, h] = [addWords(t1, t2), a, b, c, addWords(d, t1), e, f, g];
  }
  return [a, b, c, d, e, f, g, h].map((word, i) => addWords(word, at(state, i)));
}

// Section 4.1.2.
const choose = (x: bigint, y: bigint, z: bigint): bigint => (x & y) ^ ((x ^ WORD_MASK) & z);
const majority = (x: bigint, y: bigint, z: bigint): bigint => (x & y) ^ (x & z) ^ (y & z);
const bigSigma0 = (x: bigint): bigint =>
  rotateRight(x, 2n) ^ rotateRight(x, 13n) ^ rotateRight(x, 22n);
const bigSigma1 = (x: bigint): bigint =>
  rotateRight(x, 6n) ^ rotateRight(x, 11n) ^ rotateRight(x, 25n);
const smallSigma0 = (x: bigint): bigint => rotateRight(x, 7n) ^ rotateRight(x, 18n) ^ (x >> 3n);
const smallSigma1 = (x: bigint): bigint => rotateRight(x, 17n) ^ rotateRight(x, 19n) ^ (x >> 10n);

function rotateRight(x: bigint, bits: bigint): bigint {
  return ((x >> bits) | (x << (32n - bits))) & WORD_MASK;
}

function addWords(...words: readonly bigint[]): bigint {
  return words.reduce((sum, word) => sum + word, 0n) & WORD_MASK;
}

function wordFromBytes(bytes: Uint8Array): bigint {
  return bytes.reduce((word, byte) => (word << 8n) | BigInt(byte), 0n);
}

function wordToBytes(word: bigint): Bytes {
  return Uint8Array.from([24n, 16n, 8n, 0n], (shiftBits) => Number((word >> shiftBits) & 0xffn));
}

function at(words: readonly bigint[], index: number): bigint {
  const word = words[index];
  if (word === undefined) throw new RangeError(`no word ${index}`);
  return word;
}

function firstPrimes(count: number): bigint[] {
  const primes: bigint[] = [];
  for (let candidate = 2n; primes.length < count; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0n)) primes.push(candidate);
  }
  return primes;
}

/** The greatest integer whose `degree`th power is at most `value`, by bisection. */
function integerRoot(value: bigint, degree: bigint): bigint {
  let low = 0n;
  let high = 1n << (BigInt(value.toString(2).length) / degree + 1n);
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (middle ** degree <= value) low = middle;
    else high = middle;
  }
  return low;
}
