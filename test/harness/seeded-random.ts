import { createHash } from 'node:crypto';
import type { Bytes } from '../reference/bytes.js';

/** Gives the next `lengthBytes` bytes of a stream that its seed alone decides. */
export type SeededRandom = (lengthBytes: number) => Bytes;

/**
 * SHAKE256 of the seed and a counter: the same bytes in every run, so that a failing test fails
 * again.
 */
export function seededBytes(seed: string): SeededRandom {
  let callCount = 0;
  return (lengthBytes) => {
    const hash = createHash('shake256', { outputLength: Math.max(lengthBytes, 1) });
    return new Uint8Array(hash.update(`${seed}/${callCount++}`).digest()).slice(0, lengthBytes);
  };
}

/** An integer in [0, bound). Not quite even for a bound near 2^32, which no test minds. */
export function seededInteger(random: SeededRandom, bound: number): number {
  return new DataView(random(4).buffer).getUint32(0) % bound;
}
