import { ELEMENT_X2_BYTES, copyX2, mulX2, squareX2 } from './field';

/** Scratch that {@link invertX2} wants, in bytes. */
export const INVERT_SCRATCH_BYTES: usize = 4 * ELEMENT_X2_BYTES;

function squareTimesX2(out: usize, f: usize, times: i32): void {
  squareX2(out, f);
  for (let i = 1; i < times; i++) squareX2(out, out);
}

/**
 * out = 1 / f in both lanes, by f^(p - 2); 0 gives 0. f tight; out tight. out may be f.
 *
 * p - 2 = 2^255 - 21. The addition chain (254 squarings, 11 multiplications) is the one of Bernstein's Curve25519 paper:
 * a name gives the exponent, `x250` being 2^250 - 1.
 */
export function invertX2(out: usize, f: usize, scratch: usize): void {
  const t0 = scratch;
  const t1 = t0 + ELEMENT_X2_BYTES;
  const t2 = t1 + ELEMENT_X2_BYTES;
  const z11 = t2 + ELEMENT_X2_BYTES;

  squareX2(t0, f); // 2
  squareTimesX2(t1, t0, 2); // 8
  mulX2(t1, t1, f); // 9
  mulX2(z11, t0, t1); // 11
  squareX2(t0, z11); // 22
  mulX2(t1, t0, t1); // 31 = 2^5 - 1
  squareTimesX2(t0, t1, 5);
  mulX2(t1, t0, t1); // x10
  squareTimesX2(t0, t1, 10);
  mulX2(t2, t0, t1); // x20
  squareTimesX2(t0, t2, 20);
  mulX2(t0, t0, t2); // x40
  squareTimesX2(t0, t0, 10);
  mulX2(t1, t0, t1); // x50
  squareTimesX2(t0, t1, 50);
  mulX2(t2, t0, t1); // x100
  squareTimesX2(t0, t2, 100);
  mulX2(t0, t0, t2); // x200
  squareTimesX2(t0, t0, 50);
  mulX2(t0, t0, t1); // x250
  squareTimesX2(t0, t0, 5);
  mulX2(t0, t0, z11); // 2^255 - 2^5 + 11 = 2^255 - 21
  copyX2(out, t0);
}
