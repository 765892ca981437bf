/** (a, b, c) => f64x2.relaxed_madd(splat(a), splat(b), splat(c))[0], exported as `r`. */
const PROBE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  // One type, (f64, f64, f64) -> f64; one function of it; its export.
  ...[0x01, 0x08, 0x01, 0x60, 0x03, 0x7c, 0x7c, 0x7c, 0x01, 0x7c],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x05, 0x01, 0x01, 0x72, 0x00, 0x00],
  // Its body: three times local.get and f64x2.splat, then f64x2.relaxed_madd, f64x2.extract_lane 0,
  // end.
  ...[0x0a, 0x16, 0x01, 0x14, 0x00],
  ...[0x20, 0x00, 0xfd, 0x14, 0x20, 0x01, 0xfd, 0x14, 0x20, 0x02, 0xfd, 0x14],
  ...[0xfd, 0x87, 0x02, 0xfd, 0x21, 0x00, 0x0b],
]);

function probe(): 'fused' | 'unfused' | 'absent' {
  if (!WebAssembly.validate(PROBE)) return 'absent';
  const memory = new WebAssembly.Memory({ initial: 0, maximum: 0, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(PROBE), { env: { memory } });
  const multiplyAdd = exports['r'] as (a: number, b: number, c: number) => number;
  // (1 + 2^-52)^2 = 1 + 2^-51 + 2^-104, whose last term the rounding of a product of its own drops.
  const ulp = 2 ** -52;
  return multiplyAdd(1 + ulp, 1 + ulp, -(1 + 2 * ulp)) === ulp ** 2 ? 'fused' : 'unfused';
}

/** What this engine makes of relaxed SIMD's multiply-add. */
export const relaxedSimd = probe();
