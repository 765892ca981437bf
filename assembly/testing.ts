// Exports of the debug build only, which is not shipped: what lies under the public primitives, for
// the tests that hold it against the BigInt twin. The debug build also traps on every bound that
// the release build has only proven.

export * from './index';
export {
  ELEMENT_X2_BYTES,
  addMulSmallX2,
  addX2,
  carryX2,
  decodeLane,
  encodeLane,
  mulLooseX2,
  mulX2,
  squareLooseX2,
  squareX2,
  storeTableElement,
  subX2,
} from './field/field';
export { invertX2, powerP58X2, INVERT_SCRATCH_BYTES } from './field/invert';
export { fixedBaseX2, FIXED_BASE_SCRATCH_BYTES } from './curve/fixed-base';
export { lookUpPointX2 } from './curve/look-up';
export { ladderX2, LADDER_SCRATCH_BYTES } from './curve/montgomery';
export {
  buildTablesX2,
  multiplyByTablesX2,
  BUILD_TABLES_SCRATCH_BYTES,
  TABLES_SCRATCH_BYTES,
} from './curve/recipient-tables';
export { substituteBytes } from './cipher/sbox';
export { hmacX4, HMAC_X4_SCRATCH_BYTES } from './hash/hmacx4';
export { hkdf96X4, HKDF_X4_SCRATCH_BYTES } from './hash/hkdfx4';
export { initializeX4, loadBlockX4, compressX4, storeDigestX4, SCHEDULE_X4_BYTES, STATE_X4_BYTES } from './hash/sha256x4';
export { setLane, LANES_BYTES } from './hash/lanes';
export { macsEqual } from './envelope/steps';
export { readSecret, storeSecret } from './envelope/slots';
export { PRIMITIVES_SCRATCH_BYTES } from './envelope/chunk';
import { addSubX2, swapX2, laneMaskX2, negateWhereX2, selectX2 } from './field/field';

/** swapX2 under the mask of two bits; a vector cannot cross to JavaScript. */
export function swapByBitsX2(f: usize, g: usize, bitA: u32, bitB: u32): void {
  swapX2(f, g, laneMaskX2(bitA, bitB));
}
/** selectX2 under the mask of two bits. */
export function selectByBitsX2(out: usize, f: usize, g: usize, bitA: u32, bitB: u32): void {
  selectX2(out, f, g, laneMaskX2(bitA, bitB));
}
/** addSubX2 under the mask of two bits. */
export function addSubByBitsX2(sum: usize, difference: usize, f: usize, g: usize, bitA: u32, bitB: u32): void {
  addSubX2(sum, difference, f, g, laneMaskX2(bitA, bitB));
}
/** negateWhereX2 under the mask of two bits. */
export function negateByBitsX2(out: usize, f: usize, bitA: u32, bitB: u32): void {
  negateWhereX2(out, f, laneMaskX2(bitA, bitB));
}
export { encryptSliced, expandKeys, layKey, transposeBlocks, ROUND_KEYS_BYTES, SLICED_STATE_BYTES } from './cipher/aes';
export { CTR_BATCH_SCRATCH_BYTES, TEXTS_BYTES, ctrBatch, setText } from './cipher/ctr';
export { hmacKeysX4, hmacMessagesX4 } from './hash/hmacx4';
