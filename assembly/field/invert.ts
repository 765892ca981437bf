import { ELEMENT_X2_BYTES, mulX2, squareLooseX2, squareX2 } from './field';

/** Scratch that {@link invertX2} and {@link powerP58X2} want, in bytes. */
export const INVERT_SCRATCH_BYTES: usize = 5 * ELEMENT_X2_BYTES;

function squareTimesX2(out: usize, f: usize, times: i32): void {
  squareLooseX2(out, f);
  for (let i = 2; i < times; i++) squareLooseX2(out, out);
  squareX2(out, out);
}

/**
 * x250, x11 = f^(2^250 - 1), f^11: what the chains of {@link invertX2} and {@link powerP58X2}
 * share. f tight or loose.
 *
 * The addition chain is the one of Bernstein's Curve25519 paper: a name gives the exponent, `x250`
 * being 2^250 - 1.
 */
function chainX2(x250: usize, x11: usize, f: usize, scratch: usize): void {
  const t0 = scratch;
  const t1 = t0 + ELEMENT_X2_BYTES;
  const t2 = t1 + ELEMENT_X2_BYTES;

  squareX2(t0, f); // 2
  squareTimesX2(t1, t0, 2); // 8
  mulX2(t1, t1, f); // 9
  mulX2(x11, t0, t1); // 11
  squareX2(t0, x11); // 22
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
  mulX2(x250, t0, t1); // x250
}

/**
 * out = 1 / f in both lanes, by f^(p - 2), p - 2 = 2^255 - 21; 0 gives 0. f tight or loose; out
 * tight. out may be f.
 */
export function invertX2(out: usize, f: usize, scratch: usize): void {
  const x250 = scratch + 3 * ELEMENT_X2_BYTES;
  const x11 = x250 + ELEMENT_X2_BYTES;
  chainX2(x250, x11, f, scratch);
  squareTimesX2(x250, x250, 5);
  mulX2(out, x250, x11); // 2^255 - 2^5 + 11
}

/**
 * out = f^((p - 5) / 8), for square roots (RFC 8032, section 5.1.3). (p - 5) / 8 = 2^252 - 3. Forms
 * as {@link invertX2}.
 */
export function powerP58X2(out: usize, f: usize, scratch: usize): void {
  const x250 = scratch + 3 * ELEMENT_X2_BYTES;
  chainX2(x250, x250 + ELEMENT_X2_BYTES, f, scratch);
  squareTimesX2(x250, x250, 2);
  mulX2(out, x250, f); // 2^252 - 4 + 1
}
