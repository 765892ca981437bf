import {
  ELEMENT_X2_BYTES,
  addMulSmallX2,
  addX2,
  decodeLane,
  laneMaskX2,
  mulX2,
  setSmallX2,
  squareLooseX2,
  squareX2,
  subX2,
  swapX2,
} from '../field/field';
import { KEY_BYTES } from '../abi';
import { clampScalar } from './scalar';

// X25519 on the Montgomery curve v^2 = u^3 + 486662 u^2 + u, two lanes at a time (RFC 7748, section
// 5).

/** (486662 - 2) / 4, RFC 7748 section 5. */
const A24: u32 = 121665;

/** Scratch that {@link ladderX2} wants, in bytes. */
export const LADDER_SCRATCH_BYTES: usize = 12 * ELEMENT_X2_BYTES + 2 * KEY_BYTES;

@inline function scalarBit(scalar: usize, t: i32): u32 {
  return (load<u8>(scalar + (<usize>t >> 3)) >> <u8>(t & 7)) & 1;
}

/**
 * One lane each: X : Z = scalar * u, both as 32 bytes little-endian. X and Z tight; Z = 0 exactly
 * where the product is the point at infinity or u was of low order.
 *
 * The scalars meet only {@link swapX2}'s masks; the sequence of operations and addresses is the
 * same for all. Leaves secrets in `scratch`: the caller wipes it.
 */
export function ladderX2(
  outX: usize, outZ: usize,
  scalarA: usize, scalarB: usize,
  uA: usize, uB: usize,
  scratch: usize,
): void {
  const x1 = scratch;
  const x2 = outX;
  const z2 = outZ;
  const x3 = x1 + ELEMENT_X2_BYTES;
  const z3 = x3 + ELEMENT_X2_BYTES;
  const clampedA = scratch + 12 * ELEMENT_X2_BYTES;
  const clampedB = clampedA + KEY_BYTES;

  clampScalar(clampedA, scalarA);
  clampScalar(clampedB, scalarB);
  decodeLane(x1, 0, uA);
  decodeLane(x1, 1, uB);
  setSmallX2(x2, 1);
  setSmallX2(z2, 0);
  memory.copy(x3, x1, ELEMENT_X2_BYTES);
  setSmallX2(z3, 1);

  let previousA: u32 = 0;
  let previousB: u32 = 0;
  for (let t = 254; t >= 0; t--) {
    const bitA = scalarBit(clampedA, t);
    const bitB = scalarBit(clampedB, t);
    const mask = laneMaskX2(bitA ^ previousA, bitB ^ previousB);
    previousA = bitA;
    previousB = bitB;
    swapX2(x2, x3, mask);
    swapX2(z2, z3, mask);
    ladderStepX2(x1, x2, z2, x3, z3, scratch + 3 * ELEMENT_X2_BYTES);
  }
  // Bit 0 of a clamped scalar is 0, so the last step ended unswapped.
}

/** (x2 : z2), (x3 : z3) = 2 (x2 : z2), (x2 : z2) + (x3 : z3), whose difference is x1. All tight. */
function ladderStepX2(x1: usize, x2: usize, z2: usize, x3: usize, z3: usize, scratch: usize): void {
  const a = scratch;
  const b = a + ELEMENT_X2_BYTES;
  const c = b + ELEMENT_X2_BYTES;
  const d = c + ELEMENT_X2_BYTES;
  const da = d + ELEMENT_X2_BYTES;
  const cb = da + ELEMENT_X2_BYTES;
  const aa = cb + ELEMENT_X2_BYTES;
  const bb = aa + ELEMENT_X2_BYTES;
  const e = bb + ELEMENT_X2_BYTES;

  addX2(a, x2, z2); // A
  subX2(b, x2, z2); // B
  addX2(c, x3, z3); // C
  subX2(d, x3, z3); // D
  mulX2(da, d, a);
  mulX2(cb, b, c);
  squareLooseX2(aa, a);
  squareLooseX2(bb, b);
  mulX2(x2, aa, bb);
  subX2(e, aa, bb); // E
  addMulSmallX2(a, aa, e, A24);
  mulX2(z2, e, a);
  addX2(c, da, cb);
  subX2(d, da, cb);
  squareX2(x3, c);
  squareLooseX2(d, d);
  mulX2(z3, d, x1);
}
