// The `fma` field's way from bytes to limbs and back, one lane at a time. fma.ts draws the layout.

const VECTOR_BYTES: usize = 16;
@inline const LIMB_MASK: u64 = (1 << 51) - 1;
@inline const HALF_LIMB: i64 = 1 << 50;
/**
 * bits(1.5 * 2^52): an integer of at most 2^51 in size, added to them, makes the bits of 1.5 * 2^52
 * + it.
 */
@inline const SIGNED_INTEGER: i64 = 0x4338000000000000;
@inline const SIGNED_INTEGER_F64: f64 = 6755399441055744;

@inline function limbPtr(pair: usize, lane: usize, k: usize): usize {
  return pair + k * VECTOR_BYTES + lane * 8;
}
@inline function storeLimb(pair: usize, lane: usize, k: usize, limb: i64): void {
  store<f64>(limbPtr(pair, lane, k), reinterpret<f64>(limb + SIGNED_INTEGER) - SIGNED_INTEGER_F64);
}
@inline function loadLimb(pair: usize, lane: usize, k: usize): i64 {
  return reinterpret<i64>(load<f64>(limbPtr(pair, lane, k)) + SIGNED_INTEGER_F64) - SIGNED_INTEGER;
}
/** Carry out of a limb of up to 2^62 in size. The limb keeps at least -2^50 and less than 2^50. */
@inline function carryOf(limb: i64): i64 {
  return (limb + HALF_LIMB) >> 51;
}

/**
 * One lane = the 32 little-endian bytes at `bytes`, tight. As RFC 7748 section 5 wants for
 * u-coordinates, the top bit is masked and values from p to 2^255 - 1 are accepted as they stand.
 */
export function decodeLane(pair: usize, lane: usize, bytes: usize): void {
  const w0 = load<u64>(bytes), w1 = load<u64>(bytes, 8), w2 = load<u64>(bytes, 16), w3 = load<u64>(bytes, 24);
  let x0 = <i64>(w0 & LIMB_MASK);
  let x1 = <i64>(((w0 >> 51) | (w1 << 13)) & LIMB_MASK);
  let x2 = <i64>(((w1 >> 38) | (w2 << 26)) & LIMB_MASK);
  let x3 = <i64>(((w2 >> 25) | (w3 << 39)) & LIMB_MASK);
  let x4 = <i64>((w3 >> 12) & LIMB_MASK);
  // Each carry is 0 or 1. Beginning at limb 1, the one out of limb 0 meets a limb 1 < 2^50: at most
  // 2^50 in the end.
  let carry = carryOf(x1);
  x1 -= carry << 51;
  x2 += carry;
  carry = carryOf(x2);
  x2 -= carry << 51;
  x3 += carry;
  carry = carryOf(x3);
  x3 -= carry << 51;
  x4 += carry;
  carry = carryOf(x4);
  x4 -= carry << 51;
  x0 += 19 * carry;
  carry = carryOf(x0);
  x0 -= carry << 51;
  x1 += carry;
  storeLimb(pair, lane, 0, x0);
  storeLimb(pair, lane, 1, x1);
  storeLimb(pair, lane, 2, x2);
  storeLimb(pair, lane, 3, x3);
  storeLimb(pair, lane, 4, x4);
}

/**
 * The 32 bytes at `bytes` = one lane of a tight or loose element, reduced below p. See RFC 7748,
 * section 5.
 */
export function encodeLane(bytes: usize, pair: usize, lane: usize): void {
  // 2p keeps every limb positive: |limb| <= 2^50 + 2^14 < 2^52 - 38.
  let x0 = <u64>(loadLimb(pair, lane, 0) + 2 * ((1 << 51) - 19));
  let x1 = <u64>(loadLimb(pair, lane, 1) + 2 * ((1 << 51) - 1));
  let x2 = <u64>(loadLimb(pair, lane, 2) + 2 * ((1 << 51) - 1));
  let x3 = <u64>(loadLimb(pair, lane, 3) + 2 * ((1 << 51) - 1));
  let x4 = <u64>(loadLimb(pair, lane, 4) + 2 * ((1 << 51) - 1));
  // Two rounds of carries bring every limb within 51 bits: the value is below 3 * 2^255, the first
  // wraps at most 2, so it leaves less than 2^255 + 38; if the second wraps, what is left is below
  // 38 + 19, and limb 0 has room for it.
  for (let round = 0; round < 2; round++) {
    x1 += x0 >> 51;
    x0 &= LIMB_MASK;
    x2 += x1 >> 51;
    x1 &= LIMB_MASK;
    x3 += x2 >> 51;
    x2 &= LIMB_MASK;
    x4 += x3 >> 51;
    x3 &= LIMB_MASK;
    x0 += 19 * (x4 >> 51);
    x4 &= LIMB_MASK;
  }
  // value >= p exactly if value + 19 carries out of bit 255: then subtract p by adding 19 and
  // dropping that bit.
  let carry = (x0 + 19) >> 51;
  carry = (x1 + carry) >> 51;
  carry = (x2 + carry) >> 51;
  carry = (x3 + carry) >> 51;
  carry = (x4 + carry) >> 51;
  x0 += 19 * carry;
  x1 += x0 >> 51;
  x0 &= LIMB_MASK;
  x2 += x1 >> 51;
  x1 &= LIMB_MASK;
  x3 += x2 >> 51;
  x2 &= LIMB_MASK;
  x4 += x3 >> 51;
  x3 &= LIMB_MASK;
  x4 &= LIMB_MASK;
  store<u64>(bytes, x0 | (x1 << 51));
  store<u64>(bytes, (x1 >> 13) | (x2 << 38), 8);
  store<u64>(bytes, (x2 >> 26) | (x3 << 25), 16);
  store<u64>(bytes, (x3 >> 39) | (x4 << 12), 24);
}
