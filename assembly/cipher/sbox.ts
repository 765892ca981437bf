// The S-box of AES as a circuit on bit planes: Boyar and Peralta, "A New Combinational Logic Minimization Technique with
// Applications to Cryptology" (2010), with the names of the paper, whose bit 0 is the most significant. A test runs it on
// all 256 bytes.

@inline function xor(a: v128, b: v128): v128 {
  return v128.xor(a, b);
}
@inline function and(a: v128, b: v128): v128 {
  return v128.and(a, b);
}
@inline function not(a: v128): v128 {
  return v128.not(a);
}

/** SubBytes of FIPS 197, section 5.1.1, on a sliced state (plane k, at 16 k, holds bit k), in place. */
export function substituteBytes(state: usize): void {
  const x7 = v128.load(state), x6 = v128.load(state, 16), x5 = v128.load(state, 32), x4 = v128.load(state, 48);
  const x3 = v128.load(state, 64), x2 = v128.load(state, 80), x1 = v128.load(state, 96), x0 = v128.load(state, 112);

  // Top linear layer.
  const y14 = xor(x3, x5), y13 = xor(x0, x6), y9 = xor(x0, x3), y8 = xor(x0, x5);
  const t0 = xor(x1, x2), y1 = xor(t0, x7), y4 = xor(y1, x3), y12 = xor(y13, y14);
  const y2 = xor(y1, x0), y5 = xor(y1, x6), y3 = xor(y5, y8), t1 = xor(x4, y12);
  const y15 = xor(t1, x5), y20 = xor(t1, x1), y6 = xor(y15, x7), y10 = xor(y15, t0);
  const y11 = xor(y20, y9), y7 = xor(x7, y11), y17 = xor(y10, y11), y19 = xor(y10, y8);
  const y16 = xor(t0, y11), y21 = xor(y13, y16), y18 = xor(x0, y16);
  // Shared part of the inversion in GF(2^4)^2: inputs.
  const t2 = and(y12, y15), t3 = and(y3, y6), t4 = xor(t3, t2), t5 = and(y4, x7);
  const t6 = xor(t5, t2), t7 = and(y13, y16), t8 = and(y5, y1), t9 = xor(t8, t7);
  const t10 = and(y2, y7), t11 = xor(t10, t7), t12 = and(y9, y11), t13 = and(y14, y17);
  const t14 = xor(t13, t12), t15 = and(y8, y10), t16 = xor(t15, t12), t17 = xor(t4, t14);
  const t18 = xor(t6, t16), t19 = xor(t9, t14), t20 = xor(t11, t16), t21 = xor(t17, y20);
  const t22 = xor(t18, y19), t23 = xor(t19, y21), t24 = xor(t20, y18);
  // The inversion itself, and the products with its result.
  const t25 = xor(t21, t22), t26 = and(t21, t23), t27 = xor(t24, t26), t28 = and(t25, t27);
  const t29 = xor(t28, t22), t30 = xor(t23, t24), t31 = xor(t22, t26), t32 = and(t31, t30);
  const t33 = xor(t32, t24), t34 = xor(t23, t33), t35 = xor(t27, t33), t36 = and(t24, t35);
  const t37 = xor(t36, t34), t38 = xor(t27, t36), t39 = and(t29, t38), t40 = xor(t25, t39);
  const t41 = xor(t40, t37), t42 = xor(t29, t33), t43 = xor(t29, t40), t44 = xor(t33, t37);
  const t45 = xor(t42, t41), z0 = and(t44, y15), z1 = and(t37, y6), z2 = and(t33, x7);
  const z3 = and(t43, y16), z4 = and(t40, y1), z5 = and(t29, y7), z6 = and(t42, y11);
  const z7 = and(t45, y17), z8 = and(t41, y10), z9 = and(t44, y12), z10 = and(t37, y3);
  const z11 = and(t33, y4), z12 = and(t43, y13), z13 = and(t40, y5), z14 = and(t29, y2);
  const z15 = and(t42, y9), z16 = and(t45, y14), z17 = and(t41, y8);
  // Bottom linear layer; the four complements are the affine constant 0x63.
  const t46 = xor(z15, z16), t47 = xor(z10, z11), t48 = xor(z5, z13), t49 = xor(z9, z10);
  const t50 = xor(z2, z12), t51 = xor(z2, z5), t52 = xor(z7, z8), t53 = xor(z0, z3);
  const t54 = xor(z6, z7), t55 = xor(z16, z17), t56 = xor(z12, t48), t57 = xor(t50, t53);
  const t58 = xor(z4, t46), t59 = xor(z3, t54), t60 = xor(t46, t57), t61 = xor(z14, t57);
  const t62 = xor(t52, t58), t63 = xor(t49, t58), t64 = xor(z4, t59), t65 = xor(t61, t62);
  const t66 = xor(z1, t63), s0 = xor(t59, t63), s6 = not(xor(t56, t62)), s7 = not(xor(t48, t60));
  const t67 = xor(t64, t65), s3 = xor(t53, t66), s4 = xor(t51, t66), s5 = xor(t47, t65);
  const s1 = not(xor(t64, s3)), s2 = not(xor(t55, t67));

  v128.store(state, s7);
  v128.store(state, s6, 16);
  v128.store(state, s5, 32);
  v128.store(state, s4, 48);
  v128.store(state, s3, 64);
  v128.store(state, s2, 80);
  v128.store(state, s1, 96);
  v128.store(state, s0, 112);
}
