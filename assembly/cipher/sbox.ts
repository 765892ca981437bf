// The S-box of AES as a circuit of 32 ANDs and 81 XORs on bit planes, after Boyar, Find and
// Peralta, "Small low-depth circuits for cryptographic applications" (2018), in an order that keeps
// few values alive: 16 vector registers hold all but a handful. Its four complements, which are the
// constant 0x63 of the affine map, are left to the caller. A test runs it on all 256 bytes.

/** A row: eight planes, bit k of 16 * 8 bytes in plane k. */
export const ROW_BYTES: usize = 128;

@inline function xor(a: v128, b: v128): v128 {
  return v128.xor(a, b);
}
@inline function and(a: v128, b: v128): v128 {
  return v128.and(a, b);
}

/** SubBytes of FIPS 197, 5.1.1, without its XOR of 0x63, on rows `begin` to `end`, in place. */
export function substituteBytes(begin: usize, end: usize): void {
  for (let row = begin; row < end; row += ROW_BYTES) {
    // As in the paper, x0 is the most significant bit.
    let x7 = v128.load(row), x6 = v128.load(row, 16), x5 = v128.load(row, 32), x4 = v128.load(row, 48);
    let x3 = v128.load(row, 64), x2 = v128.load(row, 80), x1 = v128.load(row, 96), x0 = v128.load(row, 112);

    // The linear layer on top and the products of the first inversion's inputs, mixed, so that
    // inputs die early.
    let t0 = xor(x3, x5), t1 = xor(x0, x6), t2 = xor(t1, t0), t3 = xor(x4, t2), t4 = xor(t3, x5), t5 = and(t2, t4);
    let t6 = xor(t4, x7), t7 = xor(t3, x1), t8 = xor(x0, x3), t9 = xor(t7, t8), t10 = and(t8, t9), t11 = xor(x7, t9);
    let t12 = xor(x0, x5), t13 = xor(x1, x2), t14 = xor(t4, t13), t15 = xor(t14, t9), t16 = and(t0, t15), t17 = xor(t16, t10);
    x1 = xor(t14, t12); x2 = and(t12, t14); x2 = xor(x2, t10); x4 = xor(t13, t9); x5 = xor(t1, x4);
    t3 = and(t1, x4); t10 = xor(x0, x4); t13 = xor(t13, x7); x3 = xor(x3, t13); t16 = and(x3, x7); t16 = xor(t16, t5);
    t16 = xor(t16, x2); x1 = xor(x1, t16); x0 = xor(x0, t13); t16 = and(x0, t11); t16 = xor(t16, t3); x2 = xor(x2, t16);
    x2 = xor(x2, t10); x6 = xor(x6, t13); t10 = and(x6, t13); t3 = xor(t3, t10); t3 = xor(t3, t17); x5 = xor(x5, t3);
    t3 = xor(x6, t12); t10 = and(t3, t6); t5 = xor(t5, t10); t5 = xor(t5, t7); t5 = xor(t5, t17);
    // The inversion in GF(2^4), and the products with its result.
    t7 = and(t5, x5); t10 = xor(x2, t7); t7 = xor(t7, x1); t5 = xor(t5, x1); t16 = and(t5, t10); x1 = xor(x1, t16);
    t17 = and(x1, x0); t11 = and(x1, t11); t16 = xor(x5, x2); t7 = and(t7, t16); t7 = xor(t7, x2); t16 = xor(t10, t7);
    x2 = and(x2, t16); t10 = xor(t10, x2); t10 = and(t10, x1); t5 = xor(t5, t10); t10 = xor(x1, t5); x4 = and(x4, t10);
    t11 = xor(t11, x4); t1 = and(t1, t10); x6 = and(x6, t5); t10 = and(t5, t13); x4 = xor(x4, t10); x5 = xor(x5, t7);
    x2 = xor(x2, x5); x5 = xor(t5, x2); t5 = and(x5, t14); t10 = and(x5, t12); t12 = xor(t7, x2); t4 = and(t4, t12);
    t2 = and(t2, t12); t3 = and(t3, x2); x2 = and(x2, t6); x2 = xor(x2, t4); t13 = xor(x4, x2); x3 = and(x3, t7);
    x1 = xor(x1, t7); x5 = xor(x5, x1); t6 = and(x5, t15); x4 = xor(x4, t6); t0 = and(t0, x5); x5 = and(x1, t9);
    // The linear layer at the bottom.
    x5 = xor(x5, x4); x1 = and(x1, t8); t6 = xor(x1, x5); t0 = xor(t0, x1); x1 = xor(t3, t0); t15 = xor(x1, x3);
    t2 = xor(t2, x1); x0 = xor(t2, x5); x3 = xor(t2, t13); x1 = xor(x3, x5); t0 = xor(t0, x6); x5 = and(t7, x7);
    t14 = xor(t4, x5); x6 = xor(t1, t14); x6 = xor(x6, t5); x6 = xor(x6, x4); x2 = xor(t17, x6); x5 = xor(t15, x2);
    x2 = xor(x2, t6); x2 = xor(x2, t10); t14 = xor(t14, t11); t0 = xor(t0, t14); x6 = xor(x6, t0); x7 = xor(t1, t0);
    x4 = xor(t14, x3);

    v128.store(row, x7); v128.store(row, x6, 16); v128.store(row, x5, 32); v128.store(row, x4, 48);
    v128.store(row, x3, 64); v128.store(row, x2, 80); v128.store(row, x1, 96); v128.store(row, x0, 112);
  }
}
