import { createHash } from 'node:crypto';

/** 2^-72: two keys of one account never share a mark. */
const MARK_BYTES = 9;

const marks = new WeakMap<Uint8Array, string>();

/**
 * Returns the mark of a profile key, which says later whether a ciphertext carries this key.
 *
 * It is part of a hash, so that the outbox has no key in it.
 *
 * @param profileKey 32 bytes, which do not change; undefined: there is none, and no mark.
 */
export function profileKeyMark(profileKey: Uint8Array | undefined): string | undefined {
  if (profileKey === undefined) return undefined;
  let mark = marks.get(profileKey);
  if (mark === undefined) {
    const hash = createHash('sha256').update(profileKey).digest();
    mark = hash.subarray(0, MARK_BYTES).toString('base64');
    marks.set(profileKey, mark);
  }
  return mark;
}

/**
 * Whether ciphertexts with a mark may go out while messages carry `profileKey`: they carry the same
 * one, or none.
 */
export const carriesNoOtherKey = (
  mark: string | undefined,
  profileKey: Uint8Array | undefined,
): boolean => mark === undefined || mark === profileKeyMark(profileKey);
