import {
  BY_LADDER,
  BY_TABLES,
  CONTROL_PRIVATE_KEY_OFFSET,
  CONTROL_PTR,
  CONTROL_PUBLIC_KEY_OFFSET,
  ENTRY_BYTES,
  ENTRY_CHAIN_KEY_OFFSET,
  ENTRY_EPHEMERAL_SECRET_OFFSET,
  ENTRIES_OFFSET,
  ENTRY_MAC_KEY_OFFSET,
  ENTRY_STATIC_SECRET_OFFSET,
  ENTRY_TAG_OFFSET,
  KEY_BYTES,
  MAC_BYTES,
  MAX_CHUNK_PAIRS,
  PAIR_BYTES,
  PUBLIC_KEY_BYTES,
  PUBLIC_KEY_TYPE,
  RECORDS_OFFSET,
  RECORD_BYTES,
  RECORD_KEY_OFFSET,
  RECORD_TABLES_PTR_OFFSET,
  RECORD_TABLES_STATE_OFFSET,
  STATIC_BYTES,
  TABLES_NONE,
  TABLES_READY,
  TABLES_WANTED,
} from '../abi';
import { BUILD_TABLES_SCRATCH_BYTES, buildTablesX2 } from '../curve/recipient-tables';
import { nonZero, x25519Batch } from '../curve/x25519';
import { hkdf96X4 } from '../hash/hkdfx4';
import { hmacX4 } from '../hash/hmacx4';
import { setLane } from '../hash/lanes';
import {
  activeEntry,
  copyKey,
  entryPtr,
  gatherActive,
  gatherPtr,
  lanesPtr,
  missList,
  pairsPtr,
  partedList,
  recordPtr,
  scratchPtr,
  setStatus,
} from './chunk';
import { readSecret, storeSecret } from './slots';

// The steps that sealing and unsealing v1 share. Each works through the whole chunk, on the entries
// still at work.

const LABEL_BYTES: usize = 20;
/** "UnidentifiedDelivery" */
const LABEL: usize = memory.data<u8>([
  0x55, 0x6e, 0x69, 0x64, 0x65, 0x6e, 0x74, 0x69, 0x66, 0x69, 0x65, 0x64, 0x44, 0x65, 0x6c, 0x69, 0x76, 0x65, 0x72, 0x79,
]);
/** The counter block that every layer of v1 begins with. */
export const ZERO_BLOCK: usize = memory.data<u8>([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 16);

export const OWN_PRIVATE_KEY: usize = CONTROL_PTR + CONTROL_PRIVATE_KEY_OFFSET;
export const OWN_PUBLIC_KEY: usize = CONTROL_PTR + CONTROL_PUBLIC_KEY_OFFSET;

/** Writes the 33 bytes of a public key on the wire. */
@inline export function writePublicKey(out: usize, u: usize): void {
  store<u8>(out, PUBLIC_KEY_TYPE);
  copyKey(out + 1, u);
}

/**
 * Gives `status` to the entries at work whose 32 bytes at `entryOffset` are all zero: a DH with a
 * point of low order.
 */
export function failZeroSecrets(arena: usize, entryOffset: usize, status: u32): void {
  const activeCount = gatherActive(arena);
  for (let i: usize = 0; i < activeCount; i++) {
    const entry = activeEntry(arena, i, activeCount);
    if (nonZero(entryPtr(arena, entry) + entryOffset) == 0) setStatus(arena, entry, status);
  }
}

/**
 * chain, ck, mk = HKDF("UnidentifiedDelivery" || R(33) || e_pub(33), DH(e, R))[96]
 *
 * `receiving` says who is R: ourselves, the record's key being e_pub, or the record's key, e_pub
 * being the entry's.
 */
export function deriveEphemeralKeys(arena: usize, receiving: bool, ephemeralKeyOffset: usize): void {
  const activeCount = gatherActive(arena);
  for (let first: usize = 0; first < activeCount; first += 4) {
    for (let lane: usize = 0; lane < 4; lane++) {
      const entry = activeEntry(arena, first + lane, activeCount);
      const keys = entryPtr(arena, entry);
      const salt = gatherPtr(arena, lane);
      const recordKey = recordPtr(arena, entry) + RECORD_KEY_OFFSET;
      v128.store(salt, v128.load(LABEL));
      store<u32>(salt, load<u32>(LABEL, 16), 16);
      writePublicKey(salt + LABEL_BYTES, receiving ? OWN_PUBLIC_KEY : recordKey);
      writePublicKey(salt + LABEL_BYTES + PUBLIC_KEY_BYTES, receiving ? recordKey : keys + ephemeralKeyOffset);
      setLane(lanesPtr(arena), lane, salt, keys + ENTRY_EPHEMERAL_SECRET_OFFSET, KEY_BYTES, keys + ENTRY_CHAIN_KEY_OFFSET);
    }
    hkdf96X4(lanesPtr(arena), LABEL_BYTES + 2 * PUBLIC_KEY_BYTES, scratchPtr(arena));
  }
}

/**
 * X25519(scalar, the record's key) of the `count` entries in `list`, to `entryOffset`. It goes by
 * tables where the record has them, by the ladder where it has not. Which way an entry takes is
 * public.
 */
export function multiplyKeys(
  arena: usize, list: usize, count: usize, scalars: usize, scalarStride: usize, entryOffset: usize,
): void {
  const byTables = partedList(arena);
  let tablesCount: usize = 0;
  let ladderCount: usize = 0;
  for (let i: usize = 0; i < count; i++) {
    const entry = load<u32>(list + (i << 2));
    // Those with tables from the front, the others from behind.
    const hasTables = load<u32>(recordPtr(arena, entry), RECORD_TABLES_STATE_OFFSET) == TABLES_READY;
    const place = hasTables ? tablesCount++ : count - ++ladderCount;
    store<u32>(byTables + (place << 2), entry);
  }
  const outs = arena + ENTRIES_OFFSET + entryOffset;
  if (tablesCount > 0) {
    x25519Batch(
      byTables, tablesCount, scalars, scalarStride,
      arena + RECORDS_OFFSET + RECORD_TABLES_PTR_OFFSET, RECORD_BYTES,
      outs, ENTRY_BYTES, BY_TABLES, pairsPtr(arena), scratchPtr(arena),
    );
  }
  if (ladderCount > 0) {
    x25519Batch(
      byTables + (tablesCount << 2), ladderCount, scalars, scalarStride,
      arena + RECORDS_OFFSET + RECORD_KEY_OFFSET, RECORD_BYTES,
      outs, ENTRY_BYTES, BY_LADDER, pairsPtr(arena), scratchPtr(arena),
    );
  }
}

/** Builds the tables that records want, two at a time, where the key can have them. */
export function buildTables(arena: usize): void {
  assert(BUILD_TABLES_SCRATCH_BYTES <= <usize>MAX_CHUNK_PAIRS * PAIR_BYTES, 'the building works in the room of the pairs');
  const activeCount = gatherActive(arena);
  const wanted = partedList(arena);
  let wantedCount: usize = 0;
  for (let i: usize = 0; i < activeCount; i++) {
    const entry = activeEntry(arena, i, activeCount);
    if (load<u32>(recordPtr(arena, entry), RECORD_TABLES_STATE_OFFSET) != TABLES_WANTED) continue;
    store<u32>(wanted + (wantedCount << 2), <u32>entry);
    wantedCount++;
  }
  for (let i: usize = 0; i < wantedCount; i += 2) {
    const a = recordPtr(arena, load<u32>(wanted + (i << 2)));
    // The last lane of an odd number does its neighbor's work again, to the same place.
    const b = recordPtr(arena, load<u32>(wanted + (min(i + 1, wantedCount - 1) << 2)));
    const built = buildTablesX2(
      load<u32>(a, RECORD_TABLES_PTR_OFFSET), load<u32>(b, RECORD_TABLES_PTR_OFFSET),
      a + RECORD_KEY_OFFSET, b + RECORD_KEY_OFFSET, pairsPtr(arena),
    );
    store<u32>(a, built & 1 ? TABLES_READY : TABLES_NONE, RECORD_TABLES_STATE_OFFSET);
    store<u32>(b, built & 2 ? TABLES_READY : TABLES_NONE, RECORD_TABLES_STATE_OFFSET);
  }
  // All the room of the pairs is scratch of the building, and wiping takes care of the chunk's own
  // pairs only.
  if (wantedCount > 0) memory.fill(pairsPtr(arena), 0, BUILD_TABLES_SCRATCH_BYTES);
}

/**
 * The entries' DH(S, R) with the keys in their records: from their slots, or multiplied, all misses
 * in one batch. An empty slot of theirs is filled. Zeros where the key is of low order; that never
 * reaches a slot.
 */
export function agreeStatic(arena: usize): void {
  const activeCount = gatherActive(arena);
  const misses = missList(arena);
  let missCount: usize = 0;
  for (let i: usize = 0; i < activeCount; i++) {
    const entry = activeEntry(arena, i, activeCount);
    if (readSecret(entryPtr(arena, entry) + ENTRY_STATIC_SECRET_OFFSET, recordPtr(arena, entry) + RECORD_KEY_OFFSET)) continue;
    store<u32>(misses + (missCount << 2), <u32>entry);
    missCount++;
  }
  if (missCount == 0) return;
  multiplyKeys(arena, misses, missCount, OWN_PRIVATE_KEY, 0, ENTRY_STATIC_SECRET_OFFSET);
  for (let i: usize = 0; i < missCount; i++) {
    const entry = <usize>load<u32>(misses + (i << 2));
    const secret = entryPtr(arena, entry) + ENTRY_STATIC_SECRET_OFFSET;
    if (nonZero(secret)) storeSecret(recordPtr(arena, entry) + RECORD_KEY_OFFSET, secret);
  }
}

/** Copies 43 bytes: three vectors, the last two overlapping. */
@inline function copyStatic(out: usize, staticCiphertext: usize): void {
  copyKey(out, staticCiphertext);
  v128.store(out + STATIC_BYTES - 16, v128.load(staticCiphertext + STATIC_BYTES - 16));
}

/**
 * _, ck2, mk2 = HKDF(chain || static_ct, DH(S, R))[96]. `ptrOffset` and `staticOffset` lead from a
 * record to static_ct.
 */
export function deriveStaticKeys(arena: usize, ptrOffset: usize, staticOffset: usize): void {
  const activeCount = gatherActive(arena);
  for (let first: usize = 0; first < activeCount; first += 4) {
    for (let lane: usize = 0; lane < 4; lane++) {
      const entry = activeEntry(arena, first + lane, activeCount);
      const keys = entryPtr(arena, entry);
      const salt = gatherPtr(arena, lane);
      copyKey(salt, keys + ENTRY_CHAIN_KEY_OFFSET);
      copyStatic(salt + KEY_BYTES, <usize>load<u32>(recordPtr(arena, entry) + ptrOffset) + staticOffset);
      setLane(lanesPtr(arena), lane, salt, keys + ENTRY_STATIC_SECRET_OFFSET, KEY_BYTES, keys + ENTRY_CHAIN_KEY_OFFSET);
    }
    hkdf96X4(lanesPtr(arena), KEY_BYTES + STATIC_BYTES, scratchPtr(arena));
  }
}

/**
 * tag = HMAC(mk, ciphertext) for all entries at work. `ptrOffset` and `ciphertextOffset` lead from
 * a record to the ciphertext; its length is `bytes`, or the u32 at `bytesOffset` of the record
 * where that is not 0.
 */
export function authenticate(
  arena: usize, ptrOffset: usize, ciphertextOffset: usize,
  bytes: usize, bytesOffset: usize,
): void {
  const activeCount = gatherActive(arena);
  for (let first: usize = 0; first < activeCount; first += 4) {
    for (let lane: usize = 0; lane < 4; lane++) {
      const entry = activeEntry(arena, first + lane, activeCount);
      const record = recordPtr(arena, entry);
      const keys = entryPtr(arena, entry);
      const ciphertext = <usize>load<u32>(record + ptrOffset) + ciphertextOffset;
      const ciphertextBytes = bytesOffset == 0 ? bytes : <usize>load<u32>(record + bytesOffset);
      setLane(lanesPtr(arena), lane, keys + ENTRY_MAC_KEY_OFFSET, ciphertext, ciphertextBytes, keys + ENTRY_TAG_OFFSET);
    }
    hmacX4(lanesPtr(arena), scratchPtr(arena));
  }
}

/** 1 if the ten bytes of two MACs agree, else 0, in constant time. */
export function macsEqual(a: usize, b: usize): u32 {
  let difference: u32 = 0;
  for (let i: usize = 0; i < <usize>MAC_BYTES; i++) difference |= <u32>(load<u8>(a + i) ^ load<u8>(b + i));
  // difference < 256, so only 0 - 1 borrows into the top bit.
  return (difference - 1) >> 31;
}
