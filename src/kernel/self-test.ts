import type { Primitives } from './primitives.js';

// Known answers: RFC 7748, sections 5.2 and 6.1. The two lanes of a pair get different data.
const SCALARS =
  'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4' +
  '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d';
const POINTS =
  'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c' +
  'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493';
const PRODUCTS =
  'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552' +
  '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957';
const PRIVATE_KEYS =
  '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a' +
  '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb';
const PUBLIC_KEYS =
  '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a' +
  'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
const EMPTY_DIGEST = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const fromHex = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Runs the known-answer tests; gives the name of the first that fails, or null. */
export function findKernelFault(kernel: Primitives): string | null {
  if (toHex(kernel.x25519(fromHex(SCALARS), fromHex(POINTS))) !== PRODUCTS)
    return 'X25519 (RFC 7748, section 5.2)';
  if (toHex(kernel.x25519Base(fromHex(PRIVATE_KEYS))) !== PUBLIC_KEYS)
    return 'X25519 (RFC 7748, section 6.1)';
  if (toHex(kernel.sha256(new Uint8Array())) !== EMPTY_DIGEST) return 'SHA-256 (FIPS 180-4)';
  return null;
}
