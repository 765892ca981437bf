// The `int` field's way from bytes to limbs and back, one lane at a time. int.ts draws the layout.

const VECTOR_BYTES: usize = 16;

/** Limb i of one lane sits at this offset in the pair. */
@inline function limbOffset(lane: usize, i: usize): usize {
  return (i >> 1) * VECTOR_BYTES + (i & 1) * 8 + lane * 4;
}
@inline function limbBits(i: usize): u64 {
  return i & 1 ? 25 : 26;
}

/**
 * One lane = the 32 little-endian bytes at `bytes`, tight. As RFC 7748 section 5 wants for
 * u-coordinates, the top bit is masked and values from p to 2^255 - 1 are accepted as they stand.
 */
export function decodeLane(pair: usize, lane: usize, bytes: usize): void {
  let window: u64 = 0;
  let windowBits: u64 = 0;
  let next = bytes;
  for (let i: usize = 0; i < 10; i++) {
    const bits = limbBits(i);
    // Needs at most 26 bits: the window holds < 26 before the refill and < 58 after it. Ten limbs
    // take 255 of 8 * 32 bits, so the refill reads eight words, and the 256th bit stays in the
    // window.
    if (windowBits < bits) {
      window |= <u64>load<u32>(next) << windowBits;
      windowBits += 32;
      next += 4;
    }
    store<u32>(pair + limbOffset(lane, i), <u32>(window & ((1 << bits) - 1)));
    window >>= bits;
    windowBits -= bits;
  }
}

/**
 * The 32 bytes at `bytes` = one lane of a tight element, reduced below p. See RFC 7748, section 5.
 */
export function encodeLane(bytes: usize, pair: usize, lane: usize): void {
  // Two rounds of carries with the wrap by 19 bring every limb within its bits, hence the value
  // below 2^255 = p + 19: a tight value is < 2^255 + 2^248, so after a wrap in round 1 it is <
  // 2^248 + 19 and round 2 cannot wrap again.
  for (let round = 0; round < 2; round++) {
    let carry: u32 = 0;
    for (let i: usize = 0; i < 10; i++) {
      const at = pair + limbOffset(lane, i);
      const limb = load<u32>(at) + carry;
      carry = limb >> <u32>limbBits(i);
      store<u32>(at, limb & ((1 << <u32>limbBits(i)) - 1));
    }
    const at0 = pair + limbOffset(lane, 0);
    store<u32>(at0, load<u32>(at0) + 19 * carry);
  }
  // value >= p exactly if value + 19 carries out of bit 255: then subtract p by adding 19 and
  // dropping that bit.
  let carry: u32 = 19;
  for (let i: usize = 0; i < 10; i++) carry = (load<u32>(pair + limbOffset(lane, i)) + carry) >> <u32>limbBits(i);
  carry *= 19;
  let window: u64 = 0;
  let windowBits: u64 = 0;
  let next = bytes;
  for (let i: usize = 0; i < 10; i++) {
    const bits = limbBits(i);
    const limb = load<u32>(pair + limbOffset(lane, i)) + carry;
    carry = limb >> <u32>bits;
    window |= <u64>(limb & ((1 << <u32>bits) - 1)) << windowBits;
    windowBits += bits;
    if (windowBits >= 32) {
      store<u32>(next, <u32>window);
      next += 4;
      window >>= 32;
      windowBits -= 32;
    }
  }
  store<u32>(next, <u32>window);
}
