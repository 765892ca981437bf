// Prekey bundles of recipients that the account has never met: public keys and signatures that
// libsignal made, in a file of records of one size, so that a process needs not all in memory.
import { execFile } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { PreKeysOutcome } from 'sealcast';

/** Public parts of one recipient, by their bytes in a record. */
const PARTS = {
  aci: 16,
  identityKey: 33,
  preKeyPublic: 33,
  signedPreKeyPublic: 33,
  signedPreKeySignature: 64,
  kyberPreKeyPublic: 1569,
  kyberPreKeySignature: 64,
} as const;
export type BundleParts = Readonly<Record<keyof typeof PARTS, Uint8Array<ArrayBuffer>>>;
const NAMES = Object.keys(PARTS) as (keyof typeof PARTS)[];
const RECORD_BYTES = NAMES.reduce((sum, name) => sum + PARTS[name], 0);

export const STRANGER_DEVICE = { deviceId: 1, registrationId: 77 } as const;
/** Ids of each recipient's prekeys. */
export const PREKEY_ID = 1;

const MAKERS = 2;
const MAKER_PATH = fileURLToPath(new URL('./make-bundles.js', import.meta.url));
const run = promisify(execFile);

/** Makes the file, by libsignal in two processes, unless an earlier run has left it. */
export async function ensureBundles(path: string, count: number): Promise<void> {
  if (existsSync(path) && statSync(path).size === count * RECORD_BYTES) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.unfinished`;
  writeFileSync(unfinished, '');
  truncateSync(unfinished, count * RECORD_BYTES);
  const share = Math.ceil(count / MAKERS);
  await Promise.all(
    Array.from({ length: MAKERS }, (_, i) => {
      const [from, to] = [i * share, Math.min((i + 1) * share, count)];
      return run(process.execPath, [MAKER_PATH, unfinished, String(from), String(to)]);
    }),
  );
  renameSync(unfinished, path);
}

/** Writes records into their places. */
export function writeBundles(path: string, from: number, bundles: readonly BundleParts[]): void {
  const bytes = new Uint8Array(bundles.length * RECORD_BYTES);
  let at = 0;
  for (const parts of bundles) {
    for (const name of NAMES) {
      if (parts[name].length !== PARTS[name])
        throw new RangeError(`${name} has ${parts[name].length} bytes, not ${PARTS[name]}`);
      bytes.set(parts[name], at);
      at += PARTS[name];
    }
  }
  const file = openSync(path, 'r+');
  try {
    writeSync(file, bytes, 0, bytes.length, from * RECORD_BYTES);
  } finally {
    closeSync(file);
  }
}

/**
 * Bundles of the file.
 *
 * - `memory`: all of them are read at once
 * - `file`: each is read when it is asked for, so that they are none of the process's own memory
 */
export class Bundles {
  readonly count: number;
  readonly #all: Uint8Array<ArrayBuffer> | undefined;
  readonly #file: number | undefined;

  constructor(path: string, from: 'memory' | 'file') {
    this.count = statSync(path).size / RECORD_BYTES;
    this.#all = from === 'memory' ? Uint8Array.from(readFileSync(path)) : undefined;
    this.#file = from === 'file' ? openSync(path, 'r') : undefined;
  }

  /** ACIs of places from `from`, up to but without `to`; the file is read as they are taken. */
  *acis(from: number, to: number): Generator<string> {
    for (let i = from; i < to; i++) yield aciOf(this.#bytes(i, PARTS.aci));
  }

  parts(index: number): BundleParts {
    const bytes = this.#bytes(index, RECORD_BYTES);
    let at = 0;
    return Object.fromEntries(
      NAMES.map((name) => {
        at += PARTS[name];
        return [name, bytes.subarray(at - PARTS[name], at)];
      }),
    ) as unknown as BundleParts;
  }

  /** Answer of a service that has the recipient's only device. */
  answer(aci: string): PreKeysOutcome {
    const { identityKey, preKeyPublic, ...rest } = this.parts(placeOf(aci));
    const { signedPreKeyPublic, signedPreKeySignature } = rest;
    const { kyberPreKeyPublic, kyberPreKeySignature } = rest;
    const ids = { preKeyId: PREKEY_ID, signedPreKeyId: PREKEY_ID, kyberPreKeyId: PREKEY_ID };
    return {
      status: 'ok',
      identityKey,
      bundles: [
        {
          ...STRANGER_DEVICE,
          ...ids,
          preKeyPublic,
          signedPreKeyPublic,
          signedPreKeySignature,
          kyberPreKeyPublic,
          kyberPreKeySignature,
        },
      ],
    };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }

  #bytes(index: number, length: number): Uint8Array<ArrayBuffer> {
    if (!(index >= 0 && index < this.count)) throw new RangeError(`there is no bundle ${index}`);
    const at = index * RECORD_BYTES;
    if (this.#all !== undefined) return this.#all.slice(at, at + length);
    const bytes = new Uint8Array(length);
    readSync(this.#file ?? -1, bytes, 0, length, at);
    return bytes;
  }
}

/** Bytes of an ACI whose end tells the place in the file; the rest is random. */
export function makeAci(place: number): Uint8Array<ArrayBuffer> {
  const bytes = crypto.getRandomValues(new Uint8Array(PARTS.aci));
  // A UUID of version 4, RFC 9562 5.4.
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  new DataView(bytes.buffer).setUint32(PARTS.aci - 4, place);
  return bytes;
}

/** Place in the file, by the last eight digits. */
const placeOf = (aci: string): number => Number.parseInt(aci.slice(-8), 16);

function aciOf(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).toString('hex');
  return [0, 8, 12, 16, 20].map((at, i, all) => digits.slice(at, all[i + 1])).join('-');
}
