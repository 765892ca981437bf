// Bare X25519, as each peer does it: static keys are in the form that the peer likes best before
// any clock runs.
import { diffieHellman, generateKeyPairSync } from 'node:crypto';
import { PrivateKey, PublicKey } from '@signalapp/libsignal-client';
import { x25519 } from '@noble/curves/ed25519.js';
import { concatBytes, type Bytes } from '../../test/reference/bytes.js';
import { cycling, type Subject } from '../measure/subject.js';
import { importPrivateKey, importPublicKey } from './openssl-keys.js';
import { entry } from './peer.js';
import { loadRust, type RustPrimitives } from './rust.js';

export interface X25519Inputs {
  /** 32 bytes each. */
  readonly scalars: readonly Bytes[];
  /** Public keys of others, not those of the scalars; 33 bytes each. */
  readonly publicKeys: readonly Bytes[];
}

export const OPENSSL_X25519 = 'node:crypto diffieHellman';
const NOBLE = '@noble/curves';
const KEY_BYTES = 32;

export function createX25519Inputs(count: number): X25519Inputs {
  const generate = (): PrivateKey => PrivateKey.generate();
  return {
    scalars: Array.from({ length: count }, () => generate().serialize()),
    publicKeys: Array.from({ length: count }, () => generate().getPublicKey().serialize()),
  };
}

/** The scalars, one behind the other. */
export function joinScalars({ scalars }: X25519Inputs): Bytes {
  return concatBytes(...scalars);
}

/** The points, 32 bytes each, one behind the other. */
export function joinPoints({ publicKeys }: X25519Inputs): Bytes {
  return concatBytes(...publicKeys.map((key) => key.subarray(1)));
}

/**
 * Shared secrets: of scalar i and public key i, for all i; `checkedCount` of them are in the
 * results.
 */
export function sharedSecretPeers(inputs: X25519Inputs, checkedCount: number): Subject[] {
  const { scalars, publicKeys } = inputs;
  const count = scalars.length;
  const libsignalPrivate = scalars.map((scalar) => PrivateKey.deserialize(scalar));
  const libsignalPublic = publicKeys.map((key) => PublicKey.deserialize(key));
  const opensslPrivate = scalars.map((scalar, i) =>
    importPrivateKey(scalar, entry(libsignalPrivate, i).getPublicKey().serialize()),
  );
  const opensslPublic = publicKeys.map(importPublicKey);
  const points = publicKeys.map((key) => key.subarray(1));
  const [allScalars, allPoints] = [joinScalars(inputs), joinPoints(inputs)];
  return [
    cycling(OPENSSL_X25519, count, checkedCount, (i) =>
      diffieHellman({ privateKey: entry(opensslPrivate, i), publicKey: entry(opensslPublic, i) }),
    ),
    cycling('libsignal agree', count, checkedCount, (i) =>
      entry(libsignalPrivate, i).agree(entry(libsignalPublic, i)),
    ),
    cycling(NOBLE, count, checkedCount, (i) =>
      x25519.getSharedSecret(entry(scalars, i), entry(points, i)),
    ),
    ...rustBatch(count, checkedCount, (rust) => rust.x25519(allScalars, allPoints)),
  ];
}

export function publicKeyPeers(inputs: X25519Inputs, checkedCount: number): Subject[] {
  const { scalars } = inputs;
  const count = scalars.length;
  const privateKeys = scalars.map((scalar) => PrivateKey.deserialize(scalar));
  const allScalars = joinScalars(inputs);
  return [
    cycling('libsignal getPublicKey', count, checkedCount, (i) =>
      entry(privateKeys, i).getPublicKey().serialize().subarray(1),
    ),
    {
      name: 'node:crypto generateKeyPairSync',
      operationsPerTurn: 1,
      run(turns) {
        for (let turn = 0; turn < turns; turn++) generateKeyPairSync('x25519');
      },
    },
    cycling(NOBLE, count, checkedCount, (i) => x25519.getPublicKey(entry(scalars, i))),
    ...rustBatch(count, checkedCount, (rust) => rust.x25519Base(allScalars)),
  ];
}

/** In one call, as sealcast's own kernel: what crosses into WebAssembly counts once a batch. */
function rustBatch(
  count: number,
  checkedCount: number,
  operation: (rust: RustPrimitives) => Uint8Array,
): Subject[] {
  const rust = loadRust();
  if (rust === null) return [];
  return [
    {
      name: 'Rust (curve25519-dalek)',
      operationsPerTurn: count,
      run(turns) {
        for (let turn = 0; turn < turns; turn++) operation(rust);
      },
      result: () => operation(rust).subarray(0, checkedCount * KEY_BYTES),
    },
  ];
}
