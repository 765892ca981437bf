/** out = the scalar at `scalar`, clamped as RFC 7748 section 5 decodes it. */
@inline export function clampScalar(out: usize, scalar: usize): void {
  v128.store(out, v128.load(scalar));
  v128.store(out, v128.load(scalar, 16), 16);
  store<u8>(out, load<u8>(out) & 248);
  store<u8>(out + 31, (load<u8>(out + 31) & 127) | 64);
}
