import { BASE_TABLES, COLUMN_COUNT, TABLE_COUNT, TEETH } from './base-table';
import { COMB_SCRATCH_BYTES, multiplyByCombX2 } from './comb';

/** Scratch that {@link fixedBaseX2} wants. */
export const FIXED_BASE_SCRATCH_BYTES: usize = COMB_SCRATCH_BYTES;

/**
 * One lane each: outX : outZ = the u-coordinate of scalar * 9, a public key, by tables made when
 * the kernel was built.
 */
export function fixedBaseX2(outX: usize, outZ: usize, scalarA: usize, scalarB: usize, scratch: usize): void {
  multiplyByCombX2(outX, outZ, scalarA, scalarB, BASE_TABLES, BASE_TABLES, TABLE_COUNT, COLUMN_COUNT, TEETH, scratch);
}
