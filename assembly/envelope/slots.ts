import {
  CONTROL_HASH_SEEDS_OFFSET,
  CONTROL_INDEX_MASK_OFFSET,
  CONTROL_INDEX_PTR_OFFSET,
  CONTROL_PTR,
  CONTROL_SLOTS_PTR_OFFSET,
  INDEX_CELL_BYTES,
  INDEX_WINDOW_CELLS,
  KEY_BYTES,
  NO_SLOT,
  SLOT_BYTES,
  SLOT_EMPTY,
  SLOT_FILLING,
  SLOT_KEY_OFFSET,
  SLOT_READY,
  SLOT_SECRET_OFFSET,
  SLOT_STATE_MASK,
  SLOT_TAG_OFFSET,
} from '../abi';

// Slots hold DH(S, R), which depends on the two identity keys only, for every party seen; an index
// finds a key's slot. All workers read and fill slots, while the host alone assigns them to keys
// and evicts them.
//
// A slot's tag joins its generation and its state. A reader copies the secret between two reads of
// the tag and drops the copy unless they agree; a writer claims the slot by a compare-and-swap from
// the very tag under which it saw the key. The host moves a slot to the next generation before it
// touches key or secret, and never while a worker fills it. So no thread ever takes one key's
// secret for another's, and no thread waits. Keys are public; nothing here looks at secrets.

/**
 * Where the search for a key begins, and what its cell is tagged with: vector multiply-shift,
 * universal for secret seeds.
 */
function hashOf(key: usize): u32 {
  const seeds: usize = CONTROL_PTR + CONTROL_HASH_SEEDS_OFFSET;
  let sum: u64 = 0;
  for (let i: usize = 0; i < <usize>KEY_BYTES / 4; i++) sum += <u64>load<u32>(key + i * 4) * load<u64>(seeds + i * 8);
  return <u32>(sum >> 32);
}
@inline function cellPtr(hash: u32, step: u32): usize {
  const mask = load<u32>(CONTROL_PTR + CONTROL_INDEX_MASK_OFFSET);
  return <usize>load<u32>(CONTROL_PTR + CONTROL_INDEX_PTR_OFFSET) + ((hash + step) & mask) * INDEX_CELL_BYTES;
}
@inline function cellOf(hash: u32, slot: i32): u64 {
  return (<u64>hash << 32) | <u64>(slot + 1);
}
@inline function slotPtr(slot: i32): usize {
  return <usize>load<u32>(CONTROL_PTR + CONTROL_SLOTS_PTR_OFFSET) + <usize>slot * SLOT_BYTES;
}
@inline function hasKey(ptr: usize, key: usize): bool {
  let difference: u64 = 0;
  for (let i: usize = 0; i < <usize>KEY_BYTES; i += 8) {
    difference |= atomic.load<u64>(ptr + SLOT_KEY_OFFSET + i) ^ load<u64>(key + i);
  }
  return difference == 0;
}

/** The slot of the u-coordinate at `key`, or NO_SLOT. */
export function findSlot(key: usize): i32 {
  if (load<u32>(CONTROL_PTR + CONTROL_INDEX_PTR_OFFSET) == 0) return NO_SLOT;
  const hash = hashOf(key);
  for (let step: u32 = 0; step < <u32>INDEX_WINDOW_CELLS; step++) {
    const cell = atomic.load<u64>(cellPtr(hash, step));
    if (<u32>(cell >> 32) != hash || <u32>cell == 0) continue;
    const slot = <i32>(<u32>cell - 1);
    if (hasKey(slotPtr(slot), key)) return slot;
  }
  return NO_SLOT;
}

/** Host only: puts a slot, whose key stands, into the index. 0 when the key's window is full. */
export function indexSlot(slot: i32): u32 {
  if (load<u32>(CONTROL_PTR + CONTROL_INDEX_PTR_OFFSET) == 0) return 0;
  const hash = hashOf(slotPtr(slot) + SLOT_KEY_OFFSET);
  for (let step: u32 = 0; step < <u32>INDEX_WINDOW_CELLS; step++) {
    const ptr = cellPtr(hash, step);
    if (atomic.load<u64>(ptr) == 0) {
      atomic.store<u64>(ptr, cellOf(hash, slot));
      return 1;
    }
  }
  return 0;
}

/** Host only: takes a slot, whose key still stands, out of the index. */
export function unindexSlot(slot: i32): void {
  if (load<u32>(CONTROL_PTR + CONTROL_INDEX_PTR_OFFSET) == 0) return;
  const hash = hashOf(slotPtr(slot) + SLOT_KEY_OFFSET);
  for (let step: u32 = 0; step < <u32>INDEX_WINDOW_CELLS; step++) {
    const ptr = cellPtr(hash, step);
    if (atomic.load<u64>(ptr) == cellOf(hash, slot)) {
      atomic.store<u64>(ptr, 0);
      return;
    }
  }
}

/** out = DH(S, key), if a slot has it. */
export function readSecret(out: usize, key: usize): bool {
  const slot = findSlot(key);
  if (slot == NO_SLOT) return false;
  const ptr = slotPtr(slot);
  const tag = atomic.load<u32>(ptr + SLOT_TAG_OFFSET);
  if ((tag & SLOT_STATE_MASK) != SLOT_READY) return false;
  // Atomic reads, all of them: they keep their order with those of the tag, on every processor.
  for (let i: usize = 0; i < <usize>KEY_BYTES; i += 8) store<u64>(out + i, atomic.load<u64>(ptr + SLOT_SECRET_OFFSET + i));
  if (hasKey(ptr, key) && atomic.load<u32>(ptr + SLOT_TAG_OFFSET) == tag) return true;
  memory.fill(out, 0, KEY_BYTES);
  return false;
}

/** Fills the slot of `key`, if it has one that is still empty, with the 32 bytes at `secret`. */
export function storeSecret(key: usize, secret: usize): void {
  const slot = findSlot(key);
  if (slot == NO_SLOT) return;
  const ptr = slotPtr(slot);
  const tag = atomic.load<u32>(ptr + SLOT_TAG_OFFSET);
  if ((tag & SLOT_STATE_MASK) != SLOT_EMPTY || !hasKey(ptr, key)) return;
  const generation = tag & ~(<u32>SLOT_STATE_MASK);
  if (atomic.cmpxchg<u32>(ptr + SLOT_TAG_OFFSET, tag, generation | SLOT_FILLING) != tag) return;
  for (let i: usize = 0; i < <usize>KEY_BYTES; i += 8) atomic.store<u64>(ptr + SLOT_SECRET_OFFSET + i, load<u64>(secret + i));
  atomic.store<u32>(ptr + SLOT_TAG_OFFSET, generation | SLOT_READY);
}
