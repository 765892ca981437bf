import {
  BY_BASE,
  BY_LADDER,
  CHUNK_CLOCK_OFFSET,
  CONTROL_COUNTER_OFFSET,
  CONTROL_PTR,
  ENTRIES_OFFSET,
  ENTRY_BYTES,
  ENTRY_CIPHER_KEY_OFFSET,
  ENTRY_EPHEMERAL_KEY_OFFSET,
  ENTRY_EPHEMERAL_SECRET_OFFSET,
  ENTRY_SCALAR_OFFSET,
  ENTRY_STATIC_SECRET_OFFSET,
  ENTRY_TAG_OFFSET,
  EPHEMERAL_OFFSET,
  EPHEMERAL_TAG,
  KEY_BYTES,
  MAC_BYTES,
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_TAG,
  PUBLIC_KEY_BYTES,
  PUBLIC_KEY_TYPE,
  RECORDS_OFFSET,
  RECORD_BYTES,
  RECORD_ENVELOPE_PTR_OFFSET,
  RECORD_KEY_OFFSET,
  RECORD_MESSAGE_BYTES_OFFSET,
  RECORD_MESSAGE_PTR_OFFSET,
  RECORD_STATIC_PTR_OFFSET,
  STATIC_BYTES,
  STATIC_OFFSET,
  STATIC_TAG,
  STATUS_INVALID_ENVELOPE,
  STATUS_LOW_ORDER_KEY,
  STATUS_NO_RANDOMNESS,
  STATUS_OK,
  V1_VERSION_BYTE,
} from '../abi';
import { MAX_TEXTS, ctrBatch, setText } from '../cipher/ctr';
import { nonZero, x25519Batch } from '../curve/x25519';
import { hmacKeysX4, hmacMessagesX4 } from '../hash/hmacx4';
import { setLane } from '../hash/lanes';
import {
  activeEntry,
  activeList,
  chunkCount,
  clearKey,
  copyKey,
  entryPtr,
  gatherActive,
  gatherPtr,
  lanesPtr,
  pairsPtr,
  recordPtr,
  scratchPtr,
  senderPtr,
  setStatus,
  textsPtr,
  wipe,
} from './chunk';
import {
  OWN_PRIVATE_KEY,
  OWN_PUBLIC_KEY,
  ZERO_BLOCK,
  agreeStatic,
  authenticate,
  buildTables,
  deriveEphemeralKeys,
  deriveStaticKeys,
  failZeroSecrets,
  macsEqual,
  multiplyKeys,
  writePublicKey,
} from './steps';

// Sealed sender v1, whole chunks at a time: Signal's post of 2018 in the form that libsignal ships,
// in which the second agreement is DH(S, R).
//
//     chain, ck, mk = HKDF("UnidentifiedDelivery" || R || e_pub, DH(e, R))
//     static_ct     = CTR(ck, S) || HMAC(mk, that)[:10]
//     _, ck2, mk2   = HKDF(chain || static_ct, DH(S, R))
//     message_ct    = CTR(ck2, USMC) || HMAC(mk2, that)[:10]

const HEDGE_LABEL_BYTES: usize = 32;
/** "sealcast v1 ephemeral scalar", padded with zeros. */
const HEDGE_LABEL: usize = memory.data<u8>([
  0x73, 0x65, 0x61, 0x6c, 0x63, 0x61, 0x73, 0x74, 0x20, 0x76, 0x31, 0x20, 0x65, 0x70, 0x68, 0x65,
  0x6d, 0x65, 0x72, 0x61, 0x6c, 0x20, 0x73, 0x63, 0x61, 0x6c, 0x61, 0x72, 0, 0, 0, 0,
]);

/**
 * Seals the chunk in `arena`. Every record ends with a status; entries, pairs and scratch end as
 * zeros.
 */
export function sealV1(arena: usize): void {
  makeEphemeralScalars(arena);

  const activeCount = gatherActive(arena);
  if (activeCount > 0) {
    const scalars = arena + ENTRIES_OFFSET + ENTRY_SCALAR_OFFSET;
    buildTables(arena);
    // e_pub, and DH(e, R).
    x25519Batch(
      activeList(arena), activeCount, scalars, ENTRY_BYTES, 0, 0,
      arena + ENTRIES_OFFSET + ENTRY_EPHEMERAL_KEY_OFFSET, ENTRY_BYTES,
      BY_BASE, pairsPtr(arena), scratchPtr(arena),
    );
    multiplyKeys(arena, activeList(arena), activeCount, scalars, ENTRY_BYTES, ENTRY_EPHEMERAL_SECRET_OFFSET);
    const count = chunkCount(arena);
    for (let entry: usize = 0; entry < count; entry++) clearKey(entryPtr(arena, entry) + ENTRY_SCALAR_OFFSET);
    failZeroSecrets(arena, ENTRY_EPHEMERAL_SECRET_OFFSET, STATUS_LOW_ORDER_KEY);

    deriveEphemeralKeys(arena, false, ENTRY_EPHEMERAL_KEY_OFFSET);
    frame(arena);
    encrypt(arena, RECORD_ENVELOPE_PTR_OFFSET, STATIC_OFFSET, PUBLIC_KEY_BYTES, 0);

    agreeStatic(arena);
    failZeroSecrets(arena, ENTRY_STATIC_SECRET_OFFSET, STATUS_LOW_ORDER_KEY);
    deriveStaticKeys(arena, RECORD_ENVELOPE_PTR_OFFSET, STATIC_OFFSET);
    encrypt(arena, RECORD_MESSAGE_PTR_OFFSET, 0, 0, RECORD_MESSAGE_BYTES_OFFSET);
    succeed(arena);
  }
  wipe(arena);
}

/**
 * Makes each entry's ephemeral scalar of its 32 fresh random bytes, in place:
 *
 *     e = HMAC-SHA256(S private, label || random || R || counter || clock)
 *
 * The worst that can happen to sealed sender is one e used twice towards one R, for it repeats both
 * key streams. The hash keeps e apart, and unknown to others, even where the generator repeats
 * itself (a cloned virtual machine) or is weak. It is no substitute for randomness: an entry whose
 * 32 bytes are all zero is refused, so a chunk that is run twice, or whose filling was forgotten,
 * seals nothing.
 */
function makeEphemeralScalars(arena: usize): void {
  const count = chunkCount(arena);
  for (let entry: usize = 0; entry < count; entry++) {
    if (nonZero(entryPtr(arena, entry) + ENTRY_SCALAR_OFFSET) == 0) setStatus(arena, entry, STATUS_NO_RANDOMNESS);
  }
  const activeCount = gatherActive(arena);
  const counter = atomic.add<u64>(CONTROL_PTR + CONTROL_COUNTER_OFFSET, activeCount);
  const messageBytes = HEDGE_LABEL_BYTES + 2 * KEY_BYTES + 16;
  // One key for all: it is taken in once.
  for (let lane: usize = 0; lane < 4; lane++) setLane(lanesPtr(arena), lane, OWN_PRIVATE_KEY, 0, 0, 0);
  hmacKeysX4(lanesPtr(arena), scratchPtr(arena));
  for (let first: usize = 0; first < activeCount; first += 4) {
    for (let lane: usize = 0; lane < 4; lane++) {
      const entry = activeEntry(arena, first + lane, activeCount);
      const scalar = entryPtr(arena, entry) + ENTRY_SCALAR_OFFSET;
      const message = gatherPtr(arena, lane);
      copyKey(message, HEDGE_LABEL);
      copyKey(message + HEDGE_LABEL_BYTES, scalar);
      copyKey(message + HEDGE_LABEL_BYTES + KEY_BYTES, recordPtr(arena, entry) + RECORD_KEY_OFFSET);
      store<u64>(message + HEDGE_LABEL_BYTES + 2 * KEY_BYTES, counter + min<usize>(first + lane, activeCount - 1));
      store<u64>(message + HEDGE_LABEL_BYTES + 2 * KEY_BYTES, load<u64>(arena, CHUNK_CLOCK_OFFSET), 8);
      setLane(lanesPtr(arena), lane, OWN_PRIVATE_KEY, message, messageBytes, scalar);
    }
    hmacMessagesX4(lanesPtr(arena), scratchPtr(arena));
  }
}

/**
 * Lays the envelope around its content: version, e_pub, S as static_ct's plaintext, the tags and
 * lengths of its protobuf. The content, which the host left where it was quick to copy to, moves up
 * to the end of that.
 */
function frame(arena: usize): void {
  const activeCount = gatherActive(arena);
  for (let i: usize = 0; i < activeCount; i++) {
    const entry = activeEntry(arena, i, activeCount);
    const record = recordPtr(arena, entry);
    const envelope = <usize>load<u32>(record, RECORD_ENVELOPE_PTR_OFFSET);
    store<u8>(envelope, V1_VERSION_BYTE);
    store<u8>(envelope + EPHEMERAL_OFFSET - 2, EPHEMERAL_TAG);
    store<u8>(envelope + EPHEMERAL_OFFSET - 1, PUBLIC_KEY_BYTES);
    writePublicKey(envelope + EPHEMERAL_OFFSET, entryPtr(arena, entry) + ENTRY_EPHEMERAL_KEY_OFFSET);
    store<u8>(envelope + STATIC_OFFSET - 2, STATIC_TAG);
    store<u8>(envelope + STATIC_OFFSET - 1, STATIC_BYTES);
    writePublicKey(envelope + STATIC_OFFSET, OWN_PUBLIC_KEY);
    store<u8>(envelope + MESSAGE_LENGTH_OFFSET - 1, MESSAGE_TAG);
    let lengthPtr = envelope + MESSAGE_LENGTH_OFFSET;
    const contentBytes = load<u32>(record, RECORD_MESSAGE_BYTES_OFFSET);
    let messageBytes = contentBytes + MAC_BYTES;
    for (; messageBytes >= 0x80; messageBytes >>= 7) store<u8>(lengthPtr++, <u8>(messageBytes | 0x80));
    store<u8>(lengthPtr++, <u8>messageBytes);
    const contentPtr = <usize>load<u32>(record, RECORD_MESSAGE_PTR_OFFSET);
    assert(lengthPtr <= contentPtr, 'the host left too small a gap for what stands before the content');
    memory.copy(lengthPtr, contentPtr, contentBytes);
    store<u32>(record, <u32>lengthPtr, RECORD_MESSAGE_PTR_OFFSET);
  }
}

/**
 * plaintext -> CTR(ck, plaintext) || HMAC(mk, that)[:10], in place. See {@link authenticate} for
 * the parameters.
 */
function encrypt(arena: usize, ptrOffset: usize, plaintextOffset: usize, bytes: usize, bytesOffset: usize): void {
  const activeCount = gatherActive(arena);
  for (let first: usize = 0; first < activeCount; first += MAX_TEXTS) {
    const textCount = min(activeCount - first, MAX_TEXTS);
    for (let i: usize = 0; i < textCount; i++) {
      const entry = activeEntry(arena, first + i, activeCount);
      const record = recordPtr(arena, entry);
      const plaintext = <usize>load<u32>(record + ptrOffset) + plaintextOffset;
      const plaintextBytes = bytesOffset == 0 ? bytes : <usize>load<u32>(record + bytesOffset);
      setText(textsPtr(arena), i, entryPtr(arena, entry) + ENTRY_CIPHER_KEY_OFFSET, plaintext, plaintextBytes);
    }
    ctrBatch(textsPtr(arena), textCount, ZERO_BLOCK, scratchPtr(arena));
  }
  authenticate(arena, ptrOffset, plaintextOffset, bytes, bytesOffset);
  for (let i: usize = 0; i < activeCount; i++) {
    const entry = activeEntry(arena, i, activeCount);
    const record = recordPtr(arena, entry);
    const ciphertext = <usize>load<u32>(record + ptrOffset) + plaintextOffset;
    const ciphertextBytes = bytesOffset == 0 ? bytes : <usize>load<u32>(record + bytesOffset);
    const tag = entryPtr(arena, entry) + ENTRY_TAG_OFFSET;
    store<u64>(ciphertext + ciphertextBytes, load<u64>(tag));
    store<u16>(ciphertext + ciphertextBytes, load<u16>(tag, 8), 8);
  }
}

function succeed(arena: usize): void {
  const activeCount = gatherActive(arena);
  for (let i: usize = 0; i < activeCount; i++) setStatus(arena, activeEntry(arena, i, activeCount), STATUS_OK);
}

/**
 * Unseals the chunk in `arena`. A record that ends with STATUS_OK has the sender's u-coordinate as
 * its key, and the content in the place of message_ct. Every other cause is one status: an attacker
 * learns nothing from which MAC or key it was. Nothing is decrypted before its MAC held. Entries,
 * pairs and scratch end as zeros.
 */
export function unsealV1(arena: usize): void {
  x25519Batch(
    0, chunkCount(arena), OWN_PRIVATE_KEY, 0,
    arena + RECORDS_OFFSET + RECORD_KEY_OFFSET, RECORD_BYTES,
    arena + ENTRIES_OFFSET + ENTRY_EPHEMERAL_SECRET_OFFSET, ENTRY_BYTES,
    BY_LADDER, pairsPtr(arena), scratchPtr(arena),
  );
  failZeroSecrets(arena, ENTRY_EPHEMERAL_SECRET_OFFSET, STATUS_INVALID_ENVELOPE);
  deriveEphemeralKeys(arena, true, 0);
  authenticate(arena, RECORD_STATIC_PTR_OFFSET, 0, PUBLIC_KEY_BYTES, 0);
  failWrongMacs(arena, RECORD_STATIC_PTR_OFFSET, PUBLIC_KEY_BYTES, 0);
  decryptSenders(arena);

  agreeStatic(arena);
  failZeroSecrets(arena, ENTRY_STATIC_SECRET_OFFSET, STATUS_INVALID_ENVELOPE);
  deriveStaticKeys(arena, RECORD_STATIC_PTR_OFFSET, 0);
  authenticate(arena, RECORD_MESSAGE_PTR_OFFSET, 0, 0, RECORD_MESSAGE_BYTES_OFFSET);
  failWrongMacs(arena, RECORD_MESSAGE_PTR_OFFSET, 0, RECORD_MESSAGE_BYTES_OFFSET);
  decryptMessages(arena);
  alignContents(arena);
  succeed(arena);
  wipe(arena);
}

/** Compares the MACs that {@link authenticate} made with those behind the ciphertexts. */
function failWrongMacs(arena: usize, ptrOffset: usize, bytes: usize, bytesOffset: usize): void {
  const activeCount = gatherActive(arena);
  for (let i: usize = 0; i < activeCount; i++) {
    const entry = activeEntry(arena, i, activeCount);
    const record = recordPtr(arena, entry);
    const ciphertextBytes = bytesOffset == 0 ? bytes : <usize>load<u32>(record + bytesOffset);
    const theirs = <usize>load<u32>(record + ptrOffset) + ciphertextBytes;
    if (macsEqual(entryPtr(arena, entry) + ENTRY_TAG_OFFSET, theirs) == 0) setStatus(arena, entry, STATUS_INVALID_ENVELOPE);
  }
}

/**
 * Writes S, decrypted, to the place of e_pub in the record. It is decrypted beside static_ct, which
 * the next salt wants as it came.
 */
function decryptSenders(arena: usize): void {
  const activeCount = gatherActive(arena);
  for (let first: usize = 0; first < activeCount; first += MAX_TEXTS) {
    const textCount = min(activeCount - first, MAX_TEXTS);
    for (let i: usize = 0; i < textCount; i++) {
      const entry = activeEntry(arena, first + i, activeCount);
      const sender = senderPtr(arena, i);
      memory.copy(sender, load<u32>(recordPtr(arena, entry), RECORD_STATIC_PTR_OFFSET), PUBLIC_KEY_BYTES);
      setText(textsPtr(arena), i, entryPtr(arena, entry) + ENTRY_CIPHER_KEY_OFFSET, sender, PUBLIC_KEY_BYTES);
    }
    ctrBatch(textsPtr(arena), textCount, ZERO_BLOCK, scratchPtr(arena));
    for (let i: usize = 0; i < textCount; i++) {
      const entry = activeEntry(arena, first + i, activeCount);
      const sender = senderPtr(arena, i);
      if (load<u8>(sender) == PUBLIC_KEY_TYPE) memory.copy(recordPtr(arena, entry) + RECORD_KEY_OFFSET, sender + 1, KEY_BYTES);
      else setStatus(arena, entry, STATUS_INVALID_ENVELOPE);
    }
  }
}

function decryptMessages(arena: usize): void {
  const activeCount = gatherActive(arena);
  for (let first: usize = 0; first < activeCount; first += MAX_TEXTS) {
    const textCount = min(activeCount - first, MAX_TEXTS);
    for (let i: usize = 0; i < textCount; i++) {
      const entry = activeEntry(arena, first + i, activeCount);
      const record = recordPtr(arena, entry);
      setText(
        textsPtr(arena), i, entryPtr(arena, entry) + ENTRY_CIPHER_KEY_OFFSET,
        load<u32>(record, RECORD_MESSAGE_PTR_OFFSET), load<u32>(record, RECORD_MESSAGE_BYTES_OFFSET),
      );
    }
    ctrBatch(textsPtr(arena), textCount, ZERO_BLOCK, scratchPtr(arena));
  }
}

/**
 * Moves each content down to a multiple of 16, over what is left of its envelope: from there hosts
 * copy it quickly.
 */
function alignContents(arena: usize): void {
  const activeCount = gatherActive(arena);
  for (let i: usize = 0; i < activeCount; i++) {
    const record = recordPtr(arena, activeEntry(arena, i, activeCount));
    const contentPtr = load<u32>(record, RECORD_MESSAGE_PTR_OFFSET);
    const alignedPtr = contentPtr & ~15;
    memory.copy(alignedPtr, contentPtr, load<u32>(record, RECORD_MESSAGE_BYTES_OFFSET));
    store<u32>(record, alignedPtr, RECORD_MESSAGE_PTR_OFFSET);
  }
}

/**
 * Builds the tables of the chunk's keys and computes DH(S, R) into their slots. Runs ahead of a
 * broadcast.
 */
export function prepareSlots(arena: usize): void {
  buildTables(arena);
  agreeStatic(arena);
  failZeroSecrets(arena, ENTRY_STATIC_SECRET_OFFSET, STATUS_LOW_ORDER_KEY);
  succeed(arena);
  wipe(arena);
}
