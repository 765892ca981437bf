import { INITIAL_STATE, compress } from '../reference/sha256.js';
import { expandKey } from '../reference/aes256.js';
import { byteAt, concatBytes, type Bytes } from '../reference/bytes.js';

/** Words of a secret, in the memory's byte order. */
interface Word {
  readonly name: string;
  readonly words: Uint32Array;
  readonly index: number;
}

/** From a word to the next one: as bytes lie, or as four lanes do, side by side. */
const STRIDES = [4, 16] as const;

/**
 * Looks for secrets in a whole memory, at every address: any two neighbouring words of them, in
 * either byte order, one behind the other or in one of four lanes. What is searched for must be
 * random, or every zero would be a finding.
 */
export class SecretScan {
  readonly #words = new Map<number, Word[]>();
  readonly #exact: { readonly name: string; readonly bytes: Buffer }[] = [];

  /**
   * A secret of which every pair of words counts; what is left behind the last whole word does not.
   */
  add(name: string, secret: Uint8Array): void {
    const whole = Uint8Array.from(secret.subarray(0, secret.length & ~3));
    for (const bytes of [whole, whole.map((_, i) => byteAt(whole, i ^ 3))]) {
      const words = new Uint32Array(bytes.buffer);
      words.forEach((word, index) => {
        const known = this.#words.get(word) ?? [];
        known.push({ name, words, index });
        this.#words.set(word, known);
      });
    }
  }

  /** A secret that is looked for as it stands. */
  addExact(name: string, bytes: Uint8Array): void {
    this.#exact.push({ name, bytes: Buffer.from(bytes) });
  }

  /** A key of HMAC-SHA256, and what HMAC makes of it: its pads, and the states behind them. */
  addMacKey(name: string, key: Uint8Array): void {
    this.add(name, key);
    for (const [pad, byte] of [
      ['inner', 0x36],
      ['outer', 0x5c],
    ] as const) {
      const block = new Uint8Array(64).fill(byte);
      key.forEach((keyByte, i) => (block[i] = keyByte ^ byte));
      this.add(`${name}, ${pad} pad`, block.subarray(0, 32));
      this.add(`${name}, ${pad} state`, stateBytes(compress(INITIAL_STATE, block)));
    }
  }

  /**
   * A key of AES-256 and its round keys, as bytes; and sliced, if the 32 blocks of a pass all have
   * this one key.
   */
  addCipherKey(name: string, key: Uint8Array, isAlone: boolean): void {
    this.add(name, key);
    const roundKeys = expandKey(key);
    for (let round = 0; round < 15; round++) {
      const roundKey = roundKeys.subarray(16 * round, 16 * round + 16);
      this.add(`${name}, round key`, roundKey);
      const complement = round === 0 ? 0 : 0x63;
      for (let row = 0; isAlone && row < 4; row++) {
        this.addExact(`${name}, sliced`, slicedRow(roundKey, row, complement));
      }
    }
  }

  /**
   * A scalar, and what becomes of it on the way into a comb (assembly/curve/comb.ts): clamped, k',
   * the odd one, its signs.
   */
  addScalar(name: string, scalar: Uint8Array): void {
    this.add(name, scalar);
    const view = Uint8Array.from(scalar);
    view[0] = byteAt(view, 0) & 248;
    view[31] = (byteAt(view, 31) & 127) | 64;
    const k = BigInt(`0x${Buffer.from(view).reverse().toString('hex')}`) >> 3n;
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const odd = k % 2n === 1n ? k : order - k;
    this.add(`${name}, clamped`, view);
    for (const [form, value] of [
      ['eighth', k],
      ['odd eighth', odd],
      ['signs', (odd >> 1n) + 2n ** 251n],
    ] as const) {
      this.add(
        `${name}, ${form}`,
        Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse(),
      );
    }
  }

  /** Names of the secrets that are there; `isAllowed` leaves out what may be where it is. */
  find(
    memory: WebAssembly.Memory,
    isAllowed: (name: string, at: number) => boolean = () => false,
  ): string[] {
    // A copy: reading shared memory takes far longer.
    const bytes = new Uint8Array(memory.buffer).slice();
    const view = new DataView(bytes.buffer);
    const found = new Set<string>();
    const end = bytes.length - 4;
    const doubles = new Float64Array(bytes.buffer);
    for (let at = 0; at <= end; at++) {
      // Nearly all of it is zeros. No secret has seven of them in a row.
      if (doubles[at >> 3] === 0) {
        at |= 7;
        continue;
      }
      const known = this.#words.get(view.getUint32(at, true));
      for (const { name, words, index } of known ?? []) {
        const next = words[index + 1];
        const isPair = (stride: number): boolean =>
          at + stride <= end && view.getUint32(at + stride, true) === next;
        if (next !== undefined && STRIDES.some(isPair) && !isAllowed(name, at)) found.add(name);
      }
    }
    const buffer = Buffer.from(bytes.buffer);
    for (const { name, bytes: wanted } of this.#exact) {
      for (let at = buffer.indexOf(wanted); at >= 0; at = buffer.indexOf(wanted, at + 1)) {
        if (!isAllowed(name, at)) found.add(name);
      }
    }
    return [...found];
  }
}

const stateBytes = (state: readonly bigint[]): Bytes =>
  concatBytes(
    ...state.map((word) =>
      Uint8Array.from([24n, 16n, 8n, 0n], (bits) => Number((word >> bits) & 0xffn)),
    ),
  );

/**
 * Eight planes of a row of a round key that 32 blocks share (assembly/cipher/aes.ts): all ones
 * where a bit is set.
 */
function slicedRow(roundKey: Uint8Array, row: number, complement: number): Bytes {
  const planes = new Uint8Array(8 * 16);
  for (let plane = 0; plane < 8; plane++) {
    for (let column = 0; column < 4; column++) {
      const bit = ((byteAt(roundKey, 4 * column + row) ^ complement) >> plane) & 1;
      planes.fill(bit === 1 ? 0xff : 0, 16 * plane + 4 * column, 16 * plane + 4 * column + 4);
    }
  }
  return planes;
}
