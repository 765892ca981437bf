// What is timed, and on which secrets.
import { generateKeyPairSync } from 'node:crypto';
import { BY_TABLES, CIPHER_BLOCK_BYTES, KEY_BYTES, RECIPIENT_TABLES_BYTES } from '#dist/assembly/abi.js';
import {
  ANY_KEY,
  MAC_CLASSES,
  ONES,
  RANDOM,
  SECOND_MAC_OFFSET,
  ZEROS,
  fixed,
  fixedThrice,
  scalarOfOneEntry,
  type InputClass,
  type Range,
} from './classes.js';
import { FIXED_PTR, INPUT_PTR, OUT_PTR, PUBLIC_PTR, SCRATCH_PTR, type TimedKernel } from './kernel.js';

export interface Routine {
  readonly name: string;
  readonly secret: string;
  /** The first is what the others are held against. */
  readonly classes: readonly InputClass[];
  /** Input of one call. */
  readonly inputBytes: number;
  /** Short routines are called more than once a sample, each time on another input of the same class. */
  readonly callsPerSample: number;
  /** Gives the calls of one sample, which read their inputs from INPUT_PTR on, and from PUBLIC_PTR on one of `publics`. */
  readonly bind: (kernel: TimedKernel) => { readonly call: () => void; readonly publics?: readonly Uint8Array[] };
}

/** Room for a pair of field elements, for MACs, for derived keys. */
const PLACE_BYTES = 1024;
const OUT_X = OUT_PTR;
const OUT_Z = OUT_PTR + PLACE_BYTES;
const SCALAR_A = INPUT_PTR;
const SCALAR_B = INPUT_PTR + KEY_BYTES;
const TABLES_A = PUBLIC_PTR;
const TABLES_B = PUBLIC_PTR + RECIPIENT_TABLES_BYTES;
const PUBLIC_COUNT = 64;

const SCALARS: Range = [0, 2 * KEY_BYTES];
const SCALAR_CLASSES = [RANDOM, ...fixedThrice('scalar', [SCALARS])];
const TABLE_CLASSES = [
  ...SCALAR_CLASSES,
  fixed('scalar: first entries', scalarOfOneEntry(0n), [SCALARS]),
  fixed('scalar: last entries', scalarOfOneEntry(1n), [SCALARS]),
];
const HALF = KEY_BYTES / 2;
const LOWER_HALVES: readonly Range[] = [
  [0, HALF],
  [KEY_BYTES, KEY_BYTES + HALF],
];
const UPPER_HALVES = LOWER_HALVES.map(([from, to]): Range => [from + HALF, to + HALF]);

/** Two public keys. */
function randomPoints(): Uint8Array {
  const points = new Uint8Array(2 * KEY_BYTES);
  for (const at of [0, KEY_BYTES]) {
    const { publicKey } = generateKeyPairSync('x25519');
    points.set(publicKey.export({ type: 'spki', format: 'der' }).subarray(-KEY_BYTES), at);
  }
  return points;
}
function randomTables(kernel: TimedKernel): Uint8Array {
  kernel.write(FIXED_PTR, randomPoints());
  const built = kernel.exports.buildTablesX2(TABLES_A, TABLES_B, FIXED_PTR, FIXED_PTR + KEY_BYTES, SCRATCH_PTR);
  if (built !== 3) throw new Error('a public key has no tables');
  return kernel.bytes.slice(TABLES_A, TABLES_A + 2 * RECIPIENT_TABLES_BYTES);
}

const ladder: Routine = {
  name: 'ladderX2',
  secret: 'scalars',
  classes: SCALAR_CLASSES,
  inputBytes: 2 * KEY_BYTES,
  callsPerSample: 1,
  bind({ exports: { ladderX2 } }) {
    return {
      call: () => ladderX2(OUT_X, OUT_Z, SCALAR_A, SCALAR_B, PUBLIC_PTR, PUBLIC_PTR + KEY_BYTES, SCRATCH_PTR),
      publics: Array.from({ length: PUBLIC_COUNT }, randomPoints),
    };
  },
};

const tables: Routine = {
  name: 'multiplyByTablesX2',
  secret: 'scalars, and so places in tables',
  classes: TABLE_CLASSES,
  inputBytes: 2 * KEY_BYTES,
  callsPerSample: 1,
  bind(kernel) {
    const { multiplyByTablesX2 } = kernel.exports;
    return {
      call: () => multiplyByTablesX2(OUT_X, OUT_Z, SCALAR_A, SCALAR_B, TABLES_A, TABLES_B, SCRATCH_PTR),
      publics: Array.from({ length: PUBLIC_COUNT }, () => randomTables(kernel)),
    };
  },
};

const fixedBase: Routine = {
  name: 'fixedBaseX2',
  secret: 'scalars, and so places in tables',
  // The point is always the same; the other half of the scalar is what varies.
  classes: [RANDOM, ...fixedThrice('upper half', UPPER_HALVES), ...fixedThrice('lower half', LOWER_HALVES)],
  inputBytes: 2 * KEY_BYTES,
  callsPerSample: 1,
  bind({ exports: { fixedBaseX2 } }) {
    return { call: () => fixedBaseX2(OUT_X, OUT_Z, SCALAR_A, SCALAR_B, SCRATCH_PTR) };
  },
};

/** What comes behind the multiplication too: inversion, and the way from limbs to bytes. */
const x25519: Routine = {
  name: 'x25519Batch',
  secret: 'scalars, DH results',
  classes: TABLE_CLASSES,
  inputBytes: 2 * KEY_BYTES,
  callsPerSample: 1,
  bind(kernel) {
    const publics = Array.from({ length: PUBLIC_COUNT }, () => randomTables(kernel));
    const { x25519Batch } = kernel.exports;
    kernel.writeWord(FIXED_PTR, TABLES_A);
    kernel.writeWord(FIXED_PTR + 4, TABLES_B);
    const pairs = OUT_PTR + PLACE_BYTES;
    return {
      call: () =>
        x25519Batch(0, 2, INPUT_PTR, KEY_BYTES, FIXED_PTR, 4, OUT_PTR, KEY_BYTES, BY_TABLES, pairs, SCRATCH_PTR),
      publics,
    };
  },
};

const MACS_BYTES = 2 * SECOND_MAC_OFFSET;
const MACS_PER_SAMPLE = 64;
const macComparison: Routine = {
  name: 'macsEqual',
  secret: 'the right MAC',
  classes: MAC_CLASSES,
  inputBytes: MACS_BYTES,
  callsPerSample: MACS_PER_SAMPLE,
  bind({ exports: { macsEqual } }) {
    return {
      call() {
        // The answers are left alone: they differ with the class.
        for (let i = 0; i < MACS_PER_SAMPLE; i++) {
          macsEqual(INPUT_PTR + i * MACS_BYTES, INPUT_PTR + i * MACS_BYTES + SECOND_MAC_OFFSET);
        }
      },
    };
  },
};

const TEXT_BYTES = 96;
const COUNTER: Range = [KEY_BYTES, KEY_BYTES + CIPHER_BLOCK_BYTES];
const TEXT: Range = [COUNTER[1], COUNTER[1] + TEXT_BYTES];
const aes: Routine = {
  name: 'aes256Ctr',
  secret: 'key, data',
  classes: [RANDOM, ...fixedThrice('key', [[0, KEY_BYTES]]), fixed('data: zeros', ZEROS, [TEXT])],
  inputBytes: TEXT[1],
  callsPerSample: 1,
  bind({ exports: { aes256Ctr } }) {
    return {
      call: () => aes256Ctr(INPUT_PTR + TEXT[0], TEXT_BYTES, INPUT_PTR, INPUT_PTR + COUNTER[0], SCRATCH_PTR),
    };
  },
};

const MESSAGE: Range = [KEY_BYTES, KEY_BYTES + TEXT_BYTES];
const hmac: Routine = {
  name: 'hmac',
  secret: 'key, message',
  classes: [RANDOM, ...fixedThrice('key', [[0, KEY_BYTES]]), fixed('message: zeros', ZEROS, [MESSAGE])],
  inputBytes: MESSAGE[1],
  callsPerSample: 1,
  bind({ exports: { hmac: authenticate } }) {
    const pads = OUT_PTR + PLACE_BYTES;
    return {
      call: () => authenticate(OUT_PTR, INPUT_PTR, KEY_BYTES, INPUT_PTR + MESSAGE[0], TEXT_BYTES, pads, SCRATCH_PTR),
    };
  },
};

/** "UnidentifiedDelivery" and two public keys; the second layer's chain key and static_ct come near it. */
const SALT_BYTES = 86;
const MATERIAL: Range = [0, 4 * KEY_BYTES];
const SALTS: Range = [MATERIAL[1], MATERIAL[1] + 4 * SALT_BYTES];
const hkdf: Routine = {
  name: 'hkdf96X4',
  secret: 'key material, salts',
  classes: [
    RANDOM,
    fixed('material: zeros', ZEROS, [MATERIAL]),
    fixed('material: fixed', ANY_KEY, [MATERIAL]),
    fixed('salt: ones', ONES, [SALTS]),
  ],
  inputBytes: SALTS[1],
  callsPerSample: 1,
  bind({ exports: { hkdf96X4, setLane } }) {
    for (let lane = 0; lane < 4; lane++) {
      const salt = INPUT_PTR + SALTS[0] + lane * SALT_BYTES;
      setLane(FIXED_PTR, lane, salt, INPUT_PTR + lane * KEY_BYTES, KEY_BYTES, OUT_PTR + lane * PLACE_BYTES);
    }
    return { call: () => hkdf96X4(FIXED_PTR, SALT_BYTES, SCRATCH_PTR) };
  },
};

export const ROUTINES: readonly Routine[] = [ladder, tables, fixedBase, x25519, macComparison, aes, hmac, hkdf];
/** Those that leaks.ts makes leaky. */
export const LEAKY_ROUTINES: readonly Routine[] = [ladder, tables, fixedBase, macComparison];
