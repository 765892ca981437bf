// The usual Rust crates (curve25519-dalek, aes, ctr, hkdf, hmac, sha2) in WebAssembly, behind
// wasm-bindgen: what `npm run bench:rust` built from rust/.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { NODE_MAJOR, PACKAGE_ROOT } from '../report/environment.js';
import type { EnvelopeInputs, Peer } from './peer.js';

/** Why `loadRust` and `createRustPeer` gave null. */
export const RUST_MISSING =
  'the Rust peer is not built: npm run bench:rust builds it, or says what it lacks';

export interface RustPrimitives {
  /** n*32 and n*32 bytes to n*32, as sealcast's own kernel has it. */
  x25519(scalars: Uint8Array, points: Uint8Array): Uint8Array;
  x25519Base(scalars: Uint8Array): Uint8Array;
  sha256(message: Uint8Array): Uint8Array;
  aes256Ctr(key: Uint8Array, counterBlock: Uint8Array, data: Uint8Array): Uint8Array;
}

/** State that a sealer keeps of each party: the numbers of `Keep` in rust/src/sealer.rs. */
export const KEEP = { nothing: 0, staticSecrets: 1, tables: 2 } as const;

export interface RustSealer {
  /** Seals contents[i] for recipients[i] with the i-th 32 of the random bytes. */
  seal(
    recipients: readonly Uint8Array[],
    contents: readonly Uint8Array[],
    ephemeralScalars: Uint8Array,
  ): Uint8Array<ArrayBuffer>[];
  unseal(envelope: Uint8Array): Uint8Array<ArrayBuffer>;
  free(): void;
}

export interface RustModule extends RustPrimitives {
  readonly Sealer: new (privateKey: Uint8Array, publicKey: Uint8Array, keep: number) => RustSealer;
}

export interface RustPeerOptions {
  /**
   * nothing; DH(S, R) of every recipient and sender already met; or that, and of recipients a table
   * of R's multiples as well (curve25519-dalek's own for base points: 30 KB each, built at first
   * sight in 2 ms).
   */
  readonly keep: keyof typeof KEEP;
}

const NAMES: Readonly<Record<RustPeerOptions['keep'], string>> = {
  nothing: 'Rust in WebAssembly',
  staticSecrets: 'Rust in WebAssembly, DH(S, R) kept',
  tables: 'Rust in WebAssembly, DH(S, R) and tables kept',
};

export function createRustPeer(
  inputs: EnvelopeInputs,
  envelopesPerRound: number,
  { keep }: RustPeerOptions,
): Peer | null {
  const rust = loadRust();
  if (rust === null) return null;
  const sealer = new rust.Sealer(
    inputs.senderKeys.privateKey,
    inputs.senderKeys.publicKey,
    KEEP[keep],
  );
  return {
    name: NAMES[keep],
    envelopesPerRound,
    seal(envelopeCount) {
      const recipients = inputs.subscriberKeys.slice(0, envelopeCount);
      const contents = inputs.contents.slice(0, envelopeCount);
      return Promise.resolve(sealer.seal(recipients, contents, randomBytes(32 * envelopeCount)));
    },
    unseal(envelopeCount) {
      return Promise.resolve(
        inputs.incoming.slice(0, envelopeCount).map((envelope) => sealer.unseal(envelope)),
      );
    },
    close() {
      sealer.free();
      return Promise.resolve();
    },
  };
}

/** The package, or null if it is not built. */
export function loadRust(): RustModule | null {
  // Node 24 allots registers well enough for the larger functions (rust/build.mjs has the figures).
  const form = NODE_MAJOR >= 24 ? 'inlined' : 'plain';
  const path = join(PACKAGE_ROOT, 'bench/peers/rust/pkg', form, 'peer.js');
  return existsSync(path) ? (createRequire(import.meta.url)(path) as RustModule) : null;
}
