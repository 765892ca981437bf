import {
  CHUNK_COUNT_OFFSET,
  ENTRIES_OFFSET,
  ENTRY_BYTES,
  MAX_CHUNK_ENTRIES,
  PAIR_BYTES,
  PAIRS_OFFSET,
  RECORDS_OFFSET,
  RECORD_BYTES,
  RECORD_STATUS_OFFSET,
  SCRATCH_BYTES,
  SCRATCH_OFFSET,
  STATUS_PENDING,
} from '../abi';
import { MAX_TEXTS, TEXTS_BYTES } from '../cipher/ctr';
import { LANES_BYTES } from '../hash/lanes';

// Where things are in an arena, and which entries of its chunk are still at work.

/** Room of one lane for a salt or a message put together: the longest is 112 bytes. */
const GATHER_BYTES: usize = 128;
/** Room of one text for a sender's public key: 33 bytes. */
const SENDER_BYTES: usize = 48;

// The scratch of an arena: list of entries | list of misses | parted list | lane rows | four gather
// buffers | list of texts | senders | the primitives' scratch.
const ACTIVE_OFFSET: usize = SCRATCH_OFFSET;
const MISSES_OFFSET: usize = ACTIVE_OFFSET + 4 * MAX_CHUNK_ENTRIES;
const PARTED_OFFSET: usize = MISSES_OFFSET + 4 * MAX_CHUNK_ENTRIES;
const LANES_OFFSET: usize = PARTED_OFFSET + 4 * MAX_CHUNK_ENTRIES;
const GATHER_OFFSET: usize = LANES_OFFSET + LANES_BYTES;
const TEXTS_OFFSET: usize = GATHER_OFFSET + 4 * GATHER_BYTES;
const SENDERS_OFFSET: usize = TEXTS_OFFSET + TEXTS_BYTES;
const PRIMITIVES_OFFSET: usize = SENDERS_OFFSET + MAX_TEXTS * SENDER_BYTES;
/** Bytes of the arena's scratch that primitives may use. */
export const PRIMITIVES_SCRATCH_BYTES: usize = <usize>(SCRATCH_OFFSET + SCRATCH_BYTES) - PRIMITIVES_OFFSET;

@inline export function chunkCount(arena: usize): usize {
  return load<u32>(arena, CHUNK_COUNT_OFFSET);
}
@inline export function recordPtr(arena: usize, entry: usize): usize {
  return arena + RECORDS_OFFSET + entry * RECORD_BYTES;
}
@inline export function entryPtr(arena: usize, entry: usize): usize {
  return arena + ENTRIES_OFFSET + entry * ENTRY_BYTES;
}
@inline export function pairsPtr(arena: usize): usize {
  return arena + PAIRS_OFFSET;
}
@inline export function lanesPtr(arena: usize): usize {
  return arena + LANES_OFFSET;
}
@inline export function gatherPtr(arena: usize, lane: usize): usize {
  return arena + GATHER_OFFSET + lane * GATHER_BYTES;
}
@inline export function textsPtr(arena: usize): usize {
  return arena + TEXTS_OFFSET;
}
@inline export function senderPtr(arena: usize, text: usize): usize {
  return arena + SENDERS_OFFSET + text * SENDER_BYTES;
}
@inline export function scratchPtr(arena: usize): usize {
  return arena + PRIMITIVES_OFFSET;
}

@inline export function setStatus(arena: usize, entry: usize, status: u32): void {
  store<u32>(recordPtr(arena, entry), status, RECORD_STATUS_OFFSET);
}

/** The list of entries, u32 each, that no step has failed so far. */
@inline export function activeList(arena: usize): usize {
  return arena + ACTIVE_OFFSET;
}
/** Writes {@link activeList}; gives its length. */
export function gatherActive(arena: usize): usize {
  const count = chunkCount(arena);
  let activeCount: usize = 0;
  for (let entry: usize = 0; entry < count; entry++) {
    if (load<u32>(recordPtr(arena, entry), RECORD_STATUS_OFFSET) != STATUS_PENDING) continue;
    store<u32>(activeList(arena) + (activeCount << 2), <u32>entry);
    activeCount++;
  }
  return activeCount;
}
/**
 * Active entry number i; past the end the last one, so that idle lanes repeat its work, to the same
 * result and place.
 */
@inline export function activeEntry(arena: usize, i: usize, activeCount: usize): usize {
  return load<u32>(activeList(arena) + (min(i, activeCount - 1) << 2));
}

/** The list of entries, u32 each, whose DH(S, R) no slot had. */
@inline export function missList(arena: usize): usize {
  return arena + MISSES_OFFSET;
}

/** Room for a list of entries parted in two. */
@inline export function partedList(arena: usize): usize {
  return arena + PARTED_OFFSET;
}

/**
 * Copies the 32 bytes of a key. In line: memory.copy is a call out of WebAssembly, some 7 ns before
 * V8 14.
 */
@inline export function copyKey(out: usize, key: usize): void {
  v128.store(out, v128.load(key));
  v128.store(out, v128.load(key, 16), 16);
}
@inline export function clearKey(key: usize): void {
  v128.store(key, i32x4.splat(0));
  v128.store(key, i32x4.splat(0), 16);
}

/**
 * Host only: zeros over a range of the memory. The host's own `fill` writes memory that threads
 * share byte by byte.
 */
export function clear(ptr: usize, bytes: usize): void {
  memory.fill(ptr, 0, bytes);
}

/** Zeros over all that a call keeps to itself: its entries and pairs, and the scratch. */
export function wipe(arena: usize): void {
  const count = chunkCount(arena);
  memory.fill(arena + ENTRIES_OFFSET, 0, count * ENTRY_BYTES);
  memory.fill(pairsPtr(arena), 0, ((count + 1) >> 1) * PAIR_BYTES);
  memory.fill(arena + SCRATCH_OFFSET, 0, SCRATCH_BYTES);
}
