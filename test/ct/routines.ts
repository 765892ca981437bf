// What is timed, and on which secrets.
import { randomBytes } from 'node:crypto';
import {
  BY_BASE,
  BY_TABLES,
  CIPHER_BLOCK_BYTES,
  KEY_BYTES,
  RECIPIENT_TABLES_BYTES,
} from '#dist/assembly/abi.js';
import {
  ANOTHER_KEY,
  ANY_KEY,
  BASE_ROW_DIGITS,
  MAC_CLASSES,
  ONE_ENTRY_CLASSES,
  ONES,
  RANDOM,
  SECOND_MAC_OFFSET,
  ZEROS,
  fixed,
  fixedPlacesThrice,
  fixedThrice,
  type InputClass,
  type Range,
} from './classes.js';
import {
  FIXED_PTR,
  INPUT_PTR,
  OUT_PTR,
  PUBLIC_PTR,
  SCRATCH_PTR,
  type TimedKernel,
} from './kernel.js';

export interface Routine {
  readonly name: string;
  readonly secret: string;
  /** The first is what the others are held against. */
  readonly classes: readonly InputClass[];
  /** Input of one call. */
  readonly inputBytes: number;
  /**
   * Short routines are called more than once a sample, each time on another input of the same
   * class.
   */
  readonly callsPerSample: number;
  /**
   * Binds what makes one sample: it reads inputs from INPUT_PTR on, and from PUBLIC_PTR on one of
   * those that `makePublic` made.
   */
  readonly bind: (kernel: TimedKernel) => Bound;
}
export interface Bound {
  readonly call: () => void;
  /**
   * Random, and as long each time. Samples of all classes get them, and new ones are made before
   * every batch.
   */
  readonly makePublic?: () => Uint8Array;
}

/** Room for a pair of field elements, for MACs, for derived keys. */
const PLACE_BYTES = 1024;
const OUT_X = OUT_PTR;
const OUT_Z = OUT_PTR + PLACE_BYTES;
/** What x25519Batch keeps of two entries. */
const PAIRS_PTR = OUT_PTR + PLACE_BYTES;
const SCALAR_A = INPUT_PTR;
const SCALAR_B = INPUT_PTR + KEY_BYTES;
const TABLES_A = PUBLIC_PTR;
const TABLES_B = PUBLIC_PTR + RECIPIENT_TABLES_BYTES;

const SCALARS: Range = [0, 2 * KEY_BYTES];
const SCALAR_CLASSES = [RANDOM, ...fixedThrice('scalar', [SCALARS])];
/**
 * All ones look up one entry all the time, and all zeros four of the eight: see ONE_ENTRY_CLASSES.
 */
const TABLE_CLASSES = [
  RANDOM,
  fixed('scalar: fixed', ANY_KEY, [SCALARS]),
  fixed('scalar: another', ANOTHER_KEY, [SCALARS]),
];
const QUARTER = Math.ceil(BASE_ROW_DIGITS / 4);

/** Two public keys. */
function randomPoints({ exports, bytes }: TimedKernel): Uint8Array {
  bytes.set(randomBytes(2 * KEY_BYTES), PUBLIC_PTR);
  exports.x25519Batch(
    0,
    2,
    PUBLIC_PTR,
    KEY_BYTES,
    0,
    0,
    OUT_PTR,
    KEY_BYTES,
    BY_BASE,
    PAIRS_PTR,
    SCRATCH_PTR,
  );
  return bytes.slice(OUT_PTR, OUT_PTR + 2 * KEY_BYTES);
}
function randomTables(kernel: TimedKernel): Uint8Array {
  kernel.write(OUT_PTR, randomPoints(kernel));
  const built = kernel.exports.buildTablesX2(
    TABLES_A,
    TABLES_B,
    OUT_PTR,
    OUT_PTR + KEY_BYTES,
    SCRATCH_PTR,
  );
  if (built !== 3) throw new Error('a public key has no tables');
  return kernel.bytes.slice(TABLES_A, TABLES_A + 2 * RECIPIENT_TABLES_BYTES);
}

const ladder: Routine = {
  name: 'ladderX2',
  secret: 'scalars',
  classes: SCALAR_CLASSES,
  inputBytes: 2 * KEY_BYTES,
  callsPerSample: 1,
  bind(kernel) {
    const { ladderX2 } = kernel.exports;
    return {
      call: () =>
        ladderX2(OUT_X, OUT_Z, SCALAR_A, SCALAR_B, PUBLIC_PTR, PUBLIC_PTR + KEY_BYTES, SCRATCH_PTR),
      makePublic: () => randomPoints(kernel),
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
      call: () =>
        multiplyByTablesX2(OUT_X, OUT_Z, SCALAR_A, SCALAR_B, TABLES_A, TABLES_B, SCRATCH_PTR),
      makePublic: () => randomTables(kernel),
    };
  },
};

const tablePlaces: Routine = {
  ...tables,
  name: 'multiplyByTablesX2, one entry',
  secret: 'places in tables',
  classes: ONE_ENTRY_CLASSES,
};

const fixedBase: Routine = {
  name: 'fixedBaseX2',
  secret: 'scalars, and so places in tables',
  // The point is always the same; the rest of the scalar is what varies.
  classes: [
    RANDOM,
    ...fixedPlacesThrice('upper places', BASE_ROW_DIGITS - QUARTER, BASE_ROW_DIGITS),
    ...fixedPlacesThrice('lower places', 0, QUARTER),
  ],
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
    const { x25519Batch } = kernel.exports;
    kernel.writeWord(FIXED_PTR, TABLES_A);
    kernel.writeWord(FIXED_PTR + 4, TABLES_B);
    return {
      call: () =>
        x25519Batch(
          0,
          2,
          INPUT_PTR,
          KEY_BYTES,
          FIXED_PTR,
          4,
          OUT_PTR,
          KEY_BYTES,
          BY_TABLES,
          PAIRS_PTR,
          SCRATCH_PTR,
        ),
      makePublic: () => randomTables(kernel),
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
      call: () =>
        aes256Ctr(INPUT_PTR + TEXT[0], TEXT_BYTES, INPUT_PTR, INPUT_PTR + COUNTER[0], SCRATCH_PTR),
    };
  },
};

const MESSAGE: Range = [KEY_BYTES, KEY_BYTES + TEXT_BYTES];
const hmac: Routine = {
  name: 'hmac',
  secret: 'key, message',
  // With the whole key fixed, two compressions of five would go over the same words each time.
  classes: [
    RANDOM,
    ...fixedThrice('half the key', [[0, KEY_BYTES / 2]]),
    fixed('message: zeros', ZEROS, [MESSAGE]),
  ],
  inputBytes: MESSAGE[1],
  callsPerSample: 1,
  bind({ exports: { hmac: authenticate } }) {
    const pads = OUT_PTR + PLACE_BYTES;
    return {
      call: () =>
        authenticate(
          OUT_PTR,
          INPUT_PTR,
          KEY_BYTES,
          INPUT_PTR + MESSAGE[0],
          TEXT_BYTES,
          pads,
          SCRATCH_PTR,
        ),
    };
  },
};

/**
 * "UnidentifiedDelivery" and two public keys; the second layer's chain key and static_ct come near
 * it.
 */
const SALT_BYTES = 86;
const MATERIAL: Range = [0, 4 * KEY_BYTES];
const SALTS: Range = [MATERIAL[1], MATERIAL[1] + 4 * SALT_BYTES];
const HALF_SALTS = [0, 1, 2, 3].map((lane): Range => {
  const salt = SALTS[0] + lane * SALT_BYTES;
  return [salt, salt + SALT_BYTES / 2];
});
const hkdf: Routine = {
  name: 'hkdf96X4',
  secret: 'key material, salts',
  classes: [
    RANDOM,
    fixed('material: zeros', ZEROS, [MATERIAL]),
    fixed('material: fixed', ANY_KEY, [MATERIAL]),
    fixed('half the salt: ones', ONES, HALF_SALTS),
  ],
  inputBytes: SALTS[1],
  callsPerSample: 1,
  bind({ exports: { hkdf96X4, setLane } }) {
    for (let lane = 0; lane < 4; lane++) {
      const salt = INPUT_PTR + SALTS[0] + lane * SALT_BYTES;
      setLane(
        FIXED_PTR,
        lane,
        salt,
        INPUT_PTR + lane * KEY_BYTES,
        KEY_BYTES,
        OUT_PTR + lane * PLACE_BYTES,
      );
    }
    return { call: () => hkdf96X4(FIXED_PTR, SALT_BYTES, SCRATCH_PTR) };
  },
};

export const ROUTINES: readonly Routine[] = [
  ladder,
  tables,
  tablePlaces,
  fixedBase,
  x25519,
  macComparison,
  aes,
  hmac,
  hkdf,
];
/** Those that leaks.ts makes leaky. */
export const LEAKY_ROUTINES: readonly Routine[] = [
  ladder,
  tables,
  tablePlaces,
  fixedBase,
  macComparison,
];
