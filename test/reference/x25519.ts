// X25519, RFC 7748 section 5, in the RFC's own variable names.
import { add, invert, mul, reduce, square, sub } from './field.js';
import { bigIntToLittleEndian, littleEndianToBigInt, type Bytes } from './bytes.js';

export const SCALAR_BYTES = 32;
export const POINT_BYTES = 32;

/** The u-coordinate 9 of RFC 7748 section 4.1. */
export const BASE_POINT: Bytes = bigIntToLittleEndian(9n, POINT_BYTES);

const A24 = 121665n;

/** decodeScalar25519: bits 0 to 2 and 255 cleared, bit 254 set. */
export function clampScalar(scalar: Uint8Array): bigint {
  requireLength(scalar, SCALAR_BYTES, 'scalar');
  return (littleEndianToBigInt(scalar) & (2n ** 254n - 8n)) | (2n ** 254n);
}

/** decodeUCoordinate: the top bit is masked, and a value in [p, 2^255) is taken modulo p. */
export function decodePoint(point: Uint8Array): bigint {
  requireLength(point, POINT_BYTES, 'point');
  return reduce(littleEndianToBigInt(point) & (2n ** 255n - 1n));
}

/**
 * The shared secret. A low-order point gives zeros here: refusing them is the caller's step (RFC
 * 7748 section 6.1).
 */
export function x25519(scalar: Uint8Array, point: Uint8Array): Bytes {
  return bigIntToLittleEndian(
    montgomeryLadder(clampScalar(scalar), decodePoint(point)),
    POINT_BYTES,
  );
}

/** The public key of a scalar. */
export function x25519Base(scalar: Uint8Array): Bytes {
  return x25519(scalar, BASE_POINT);
}

function montgomeryLadder(k: bigint, u: bigint): bigint {
  const x1 = u;
  let [x2, z2] = [1n, 0n];
  let [x3, z3] = [u, 1n];
  let swap = 0n;
  for (let t = 254n; t >= 0n; t--) {
    const kt = (k >> t) & 1n;
    if (swap ^ kt) [x2, z2, x3, z3] = [x3, z3, x2, z2];
    swap = kt;

    const a = add(x2, z2);
    const aa = square(a);
    const b = sub(x2, z2);
    const bb = square(b);
    const e = sub(aa, bb);
    const c = add(x3, z3);
    const d = sub(x3, z3);
    const da = mul(d, a);
    const cb = mul(c, b);
    x3 = square(add(da, cb));
    z3 = mul(x1, square(sub(da, cb)));
    x2 = mul(aa, bb);
    z2 = mul(e, add(aa, mul(A24, e)));
  }
  if (swap) [x2, z2] = [x3, z3];
  return mul(x2, invert(z2));
}

function requireLength(bytes: Uint8Array, lengthBytes: number, name: string): void {
  if (bytes.length !== lengthBytes)
    throw new RangeError(`${name}: ${lengthBytes} bytes wanted, ${bytes.length} given`);
}
