// The numbers that the kernel and its hosts share. asc and tsc both compile this file, so it
// imports nothing and holds only `export const NAME = <integer expression>`. Sizes and offsets are
// bytes.

// --- Primitives ----------------------------------------------------------------------------------

/** A scalar, a u-coordinate, an X25519 result, a SHA-256 digest, an AES-256 key. */
export const KEY_BYTES = 32;
/** A public key on the wire: the type byte, then the u-coordinate. */
export const PUBLIC_KEY_BYTES = 33;
/** libsignal's type byte for X25519 keys. */
export const PUBLIC_KEY_TYPE = 5;
export const HASH_BLOCK_BYTES = 64;
export const CIPHER_BLOCK_BYTES = 16;
/** Bytes that one HKDF of sealed sender v1 gives: chain key, cipher key, MAC key. */
export const DERIVED_KEYS_BYTES = 96;

/**
 * How a batch of X25519 multiplies: by the ladder, by the base point's tables, by tables of the
 * points themselves.
 */
export const BY_LADDER = 0;
export const BY_BASE = 1;
export const BY_TABLES = 2;

// --- The v1 envelope -----------------------------------------------------------------------------
//
//     0x11 || protobuf { 1: e_pub(33), 2: static_ct(43), 3: message_ct }

/** HMAC-SHA256 cut to ten bytes. */
export const MAC_BYTES = 10;
/** CTR(S) and its MAC. */
export const STATIC_BYTES = PUBLIC_KEY_BYTES + MAC_BYTES;
/** Major version 1, minor version 1. */
export const V1_VERSION_BYTE = 0x11;
/** Protobuf tags, (field << 3) | wire type 2. */
export const EPHEMERAL_TAG = 0x0a;
export const STATIC_TAG = 0x12;
export const MESSAGE_TAG = 0x1a;
/** From the start of an envelope to the e_pub in it: version, tag, length. */
export const EPHEMERAL_OFFSET = 3;
/** To its static_ct: e_pub, tag, length. */
export const STATIC_OFFSET = EPHEMERAL_OFFSET + PUBLIC_KEY_BYTES + 2;
/** To the length of its message_ct: static_ct, tag. */
export const MESSAGE_LENGTH_OFFSET = STATIC_OFFSET + STATIC_BYTES + 1;
/** Longest content (USMC) that is sealed: 256 KiB. */
export const MAX_CONTENT_BYTES = 262144;
/** Longest varint of a message_ct's length: 256 KiB + 10 < 2^21. */
export const MAX_MESSAGE_LENGTH_BYTES = 3;
export const MAX_ENVELOPE_BYTES =
  MESSAGE_LENGTH_OFFSET + MAX_MESSAGE_LENGTH_BYTES + MAX_CONTENT_BYTES + MAC_BYTES;

// --- Memory --------------------------------------------------------------------------------------
//
//     0          constants of the module (every instance lays the same bytes)
//     CONTROL    one control block, then, wherever the host puts them: slots, index, arenas

/** The module's constants end below here; build.mjs checks it. */
export const CONTROL_PTR = 65536;

/** Own identity, private scalar. */
export const CONTROL_PRIVATE_KEY_OFFSET = 0;
/** Own identity, u-coordinate. */
export const CONTROL_PUBLIC_KEY_OFFSET = 32;
/** Eight u64 seeds of the index's hash. */
export const CONTROL_HASH_SEEDS_OFFSET = 64;
/** Address of the first slot. */
export const CONTROL_SLOTS_PTR_OFFSET = 128;
/** Address of the index; 0 when there are no slots. */
export const CONTROL_INDEX_PTR_OFFSET = 132;
/** Number of cells of the index, a power of two, less 1. */
export const CONTROL_INDEX_MASK_OFFSET = 136;
/** u64, counts every envelope that this memory has sealed; advanced with Atomics. */
export const CONTROL_COUNTER_OFFSET = 144;
export const CONTROL_BYTES = 192;

// --- Slots: DH(S, R) of every recipient seen -----------------------------------------------------

/**
 * u32: generation << SLOT_STATE_BITS | state. Atomic: a reader of the slot reads it before and
 * after the copy.
 */
export const SLOT_TAG_OFFSET = 0;
/** The other party's u-coordinate. */
export const SLOT_KEY_OFFSET = 16;
/** X25519(own private key, the other party's key). */
export const SLOT_SECRET_OFFSET = 48;
export const SLOT_BYTES = 80;
export const SLOT_STATE_BITS = 2;
export const SLOT_STATE_MASK = 3;
/** The slot holds the key, and no secret yet. */
export const SLOT_EMPTY = 0;
/** A worker is writing the secret. */
export const SLOT_FILLING = 1;
/** The slot holds key and secret. */
export const SLOT_READY = 2;
/** The host is replacing the key. */
export const SLOT_EVICTED = 3;

/** A cell of the index, u64: hash tag << 32 | (slot + 1), 0 when free. */
export const INDEX_CELL_BYTES = 8;
/** A key's cell is one of this many, from the cell that its hash names (wrapping). */
export const INDEX_WINDOW_CELLS = 16;
/** Answer of findSlot for a key that has no slot. */
export const NO_SLOT = -1;

// --- Tables: multiples of a recipient's key, so that DH(e, R) needs no ladder --------------------

/**
 * The comb's shape (curve/comb.ts): tables, columns and teeth; 252 digits. assembly/notes/tables.md
 * says why this one.
 */
export const COMB_TABLES = 3;
export const COMB_COLUMNS = 21;
export const COMB_TEETH = 4;
/** An affine point in a table. */
export const TABLE_POINT_BYTES = 128;
/** All tables of one recipient. */
export const RECIPIENT_TABLES_BYTES = COMB_TABLES * (1 << (COMB_TEETH - 1)) * TABLE_POINT_BYTES;

// --- A chunk: the records of one call, in an arena -----------------------------------------------
//
//     header | records | entries (secrets) | pairs (secrets) | scratch (secrets) | payload
//     (envelopes)
//
// An arena holds all that a call touches but the control block and the slots, so that the arena's
// owner can wipe it, whatever became of the worker.

export const MAX_CHUNK_ENTRIES = 256;

/** u32 */
export const CHUNK_COUNT_OFFSET = 0;
/**
 * u64, the host's clock in nanoseconds: one more thing that two copies of a virtual machine do not
 * share.
 */
export const CHUNK_CLOCK_OFFSET = 8;
export const CHUNK_HEADER_BYTES = 64;

export const RECORDS_OFFSET = CHUNK_HEADER_BYTES;
/** u32, one of the STATUS_ values. */
export const RECORD_STATUS_OFFSET = 0;
/**
 * u32, sealing: address of the envelope; the content stands behind the place that it will have in
 * it.
 */
export const RECORD_ENVELOPE_PTR_OFFSET = 4;
/**
 * u32, address of message_ct (unsealing) or of the content (sealing). The kernel moves the content
 * to its place in the envelope, or, unsealed, to a multiple of 16, and says where that is.
 */
export const RECORD_MESSAGE_PTR_OFFSET = 8;
/** u32, bytes of the content, without the MAC. */
export const RECORD_MESSAGE_BYTES_OFFSET = 12;
/**
 * u32, unsealing: address of static_ct. The sender's key is left in the record, in the place of
 * e_pub.
 */
export const RECORD_STATIC_PTR_OFFSET = 16;
/**
 * u32, sealing and preparing: address of the tables of the recipient's key, or 0. The chunk has
 * them until it ends.
 */
export const RECORD_TABLES_PTR_OFFSET = 20;
/**
 * u32, one of the TABLES_ values; the kernel puts TABLES_READY or TABLES_NONE for TABLES_WANTED.
 */
export const RECORD_TABLES_STATE_OFFSET = 24;
/** u-coordinate: the recipient's (sealing, preparing), the ephemeral (unsealing). */
export const RECORD_KEY_OFFSET = 32;
export const RECORD_BYTES = 64;

/**
 * The record has no tables; or, after TABLES_WANTED, its key can have none: it is on the twist, or
 * of low order.
 */
export const TABLES_NONE = 0;
/** The record has tables. */
export const TABLES_READY = 1;
/**
 * The record has room for tables that the kernel is to build. Only this chunk reads or writes them
 * meanwhile.
 */
export const TABLES_WANTED = 2;

export const STATUS_PENDING = 0;
export const STATUS_OK = 1;
/** A DH gave zero: the key is of low order (RFC 7748, section 6.1). */
export const STATUS_LOW_ORDER_KEY = 2;
/** A MAC or a key did not hold. */
export const STATUS_INVALID_ENVELOPE = 3;
/** The scalar to seal with was missing, all zeros. */
export const STATUS_NO_RANDOMNESS = 4;

export const ENTRIES_OFFSET = RECORDS_OFFSET + MAX_CHUNK_ENTRIES * RECORD_BYTES;
/**
 * 32 fresh bytes of the operating system's generator; the kernel makes the ephemeral scalar of them
 * in place.
 */
export const ENTRY_SCALAR_OFFSET = 0;
/** DH(e, R) */
export const ENTRY_EPHEMERAL_SECRET_OFFSET = 32;
/** DH(S, R) */
export const ENTRY_STATIC_SECRET_OFFSET = 64;
/** Chain, cipher and MAC key of the layer at work. */
export const ENTRY_CHAIN_KEY_OFFSET = 96;
export const ENTRY_CIPHER_KEY_OFFSET = 128;
export const ENTRY_MAC_KEY_OFFSET = 160;
/** e_pub, u-coordinate. */
export const ENTRY_EPHEMERAL_KEY_OFFSET = 192;
/** A full HMAC before it is cut. */
export const ENTRY_TAG_OFFSET = 224;
export const ENTRY_BYTES = 256;

export const PAIRS_OFFSET = ENTRIES_OFFSET + MAX_CHUNK_ENTRIES * ENTRY_BYTES;
/**
 * X, Z and the running product of the batched inversion, of two entries. Twice 160 bytes each would
 * do for any field.
 */
export const PAIR_BYTES = 512;
export const MAX_CHUNK_PAIRS = MAX_CHUNK_ENTRIES / 2;

export const SCRATCH_OFFSET = PAIRS_OFFSET + MAX_CHUNK_PAIRS * PAIR_BYTES;
export const SCRATCH_BYTES = 20480;

export const PAYLOAD_OFFSET = SCRATCH_OFFSET + SCRATCH_BYTES;
