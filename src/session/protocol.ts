import type { KyberUse } from '../store/tables/prekeys.js';
import type { PreKeyBundleFields } from '../transport/transport.js';

/** Data with which a new session of one device begins. */
export interface BundleSetup {
  readonly bundle: PreKeyBundleFields;
  /** Whether even a session that looks good is to be replaced. */
  readonly renew: boolean;
}

/**
 * Devices to encrypt for, a column for each fact: thousands of small objects would take longer to
 * pass to another thread than to encrypt for.
 */
export interface EncryptRequest {
  readonly kind: 'encrypt';
  /** The sending device. */
  readonly own: {
    readonly serviceId: string;
    readonly deviceId: number;
    readonly registrationId: number;
  };
  /** ms since the epoch: sessions that were not answered for 30 days are over by it. */
  readonly nowMs: number;
  /** Padded contents. */
  readonly plaintexts: readonly Uint8Array<ArrayBuffer>[];
  /** Service ids, with a space between each two. */
  readonly serviceIds: string;
  readonly deviceIds: Uint8Array<ArrayBuffer>;
  /** Which of the plaintexts each gets. */
  readonly contents: Uint32Array<ArrayBuffer>;
  /** Identity keys (33 bytes) of the devices' sessions, or of the signatures of their bundles. */
  readonly identityKeys: Packed;
  /** The session record of each, or nothing. */
  readonly sessions: Packed;
  /**
   * Bundles for new sessions, by index. A bundle is used where there is no session or it is over,
   * where `renew` says so, or where the session is with a device of another registration id. An old
   * session is archived in the record.
   */
  readonly renewals: ReadonlyMap<number, BundleSetup>;
}

/**
 * Outcome of a device. `no-session`: there is none, or it is over, or it is with another identity
 * key: a new one is wanted. `bad-bundle`: its signatures do not hold, or its keys are none. The
 * record comes back as it was given.
 */
export const ENCRYPT_STATUSES = ['ok', 'no-session', 'bad-bundle', 'failed'] as const;
export type EncryptStatus = (typeof ENCRYPT_STATUSES)[number];

export const CIPHERTEXT_TYPES = ['prekey', 'whisper'] as const;

/** In the order of the request. Sessions and ciphertexts are there where the status is `ok`. */
export interface EncryptReply {
  /** One of ENCRYPT_STATUSES each, and one of CIPHERTEXT_TYPES. */
  readonly statuses: Uint8Array<ArrayBuffer>;
  readonly types: Uint8Array<ArrayBuffer>;
  /** Of the devices, as their sessions have it. */
  readonly registrationIds: Uint32Array<ArrayBuffer>;
  /** Reasons that libsignal gave, by index; names of devices, no secrets. */
  readonly reasons: ReadonlyMap<number, string>;
  readonly sessions: Packed;
  readonly ciphertexts: Packed;
}

/**
 * Session records whose current session is to be over: no more is sent with it, what comes late can
 * still be decrypted.
 */
export interface ArchiveRequest {
  readonly kind: 'archive';
  readonly sessions: Packed;
  /**
   * Each is archived only if our side of its current session uses this ratchet key (33 bytes);
   * where there is none, anyway.
   */
  readonly ratchetKeys?: Packed;
}
/**
 * Records in the order of the request; nothing where nothing was archived, or libsignal cannot read
 * the record.
 */
export interface ArchiveReply {
  readonly sessions: Packed;
}

/** Private halves of prekeys, by id. */
export interface PreKeyRecords {
  readonly ids: Uint32Array<ArrayBuffer>;
  readonly records: Packed;
}

export const SESSION_MESSAGE_TYPES = ['prekey', 'whisper'] as const;

/**
 * Messages of senders' devices, a column for each fact; those of one device in the order in which
 * they came.
 */
export interface DecryptRequest {
  readonly kind: 'decrypt';
  /** The receiving device, under the identity of ours that the messages were sent to. */
  readonly own: EncryptRequest['own'];
  /** Private key of that identity, 32 bytes, wiped by the worker; absent: our ACI's. */
  readonly privateKey?: Uint8Array<ArrayBuffer>;
  /**
   * Addresses `serviceId.deviceId`, with a space between each two; their session records, or
   * nothing.
   */
  readonly addresses: string;
  readonly sessions: Packed;
  /**
   * Of each message: which of the addresses it is from, one of SESSION_MESSAGE_TYPES, and
   * libsignal's serialized message.
   */
  readonly senders: Uint32Array<ArrayBuffer>;
  readonly types: Uint8Array<ArrayBuffer>;
  readonly messages: Packed;
  /** Prekeys that the messages name. */
  readonly preKeys: PreKeyRecords;
  readonly signedPreKeys: PreKeyRecords;
  readonly kyberPreKeys: PreKeyRecords;
  /** Names of what last-resort keys were used with before, see {@link kyberUseKey}. */
  readonly kyberUses: ReadonlySet<string>;
}

/**
 * Outcome of a message. `duplicate`: it was decrypted before. `no-session`: there is none that it
 * could be of. `failed`: any other fault.
 */
export const DECRYPT_STATUSES = ['ok', 'duplicate', 'no-session', 'failed'] as const;
export type DecryptStatus = (typeof DECRYPT_STATUSES)[number];

/** Messages and addresses in the order of the request. */
export interface DecryptReply {
  /** One of DECRYPT_STATUSES each; plaintexts where it is `ok`, padding and all. */
  readonly statuses: Uint8Array<ArrayBuffer>;
  readonly plaintexts: Packed;
  /** Reasons that libsignal gave, by index of the message; no secrets. */
  readonly reasons: ReadonlyMap<number, string>;
  /** The changed session record of each address, and the registration id that is in it. */
  readonly sessions: Packed;
  readonly registrationIds: Uint32Array<ArrayBuffer>;
  /**
   * The identity key that a new session of the address is with, 33 bytes; nothing where no session
   * was begun.
   */
  readonly identityKeys: Packed;
  /** One-time prekeys that are used up. */
  readonly usedPreKeys: readonly number[];
  readonly usedKyberPreKeys: readonly KyberUse[];
}

export const GROUP_MESSAGE_TYPES = ['distribution', 'message'] as const;

/**
 * Sender keys that came, and messages that were encrypted with them; those of one device in the
 * order in which they came.
 */
export interface GroupRequest {
  readonly kind: 'group';
  /** Addresses and distribution ids, separated by spaces, each with a record or none. */
  readonly addresses: string;
  readonly distributionIds: string;
  readonly records: Packed;
  /**
   * Of each message: which of the records it goes with, one of GROUP_MESSAGE_TYPES, and libsignal's
   * serialized message.
   */
  readonly chains: Uint32Array<ArrayBuffer>;
  readonly types: Uint8Array<ArrayBuffer>;
  readonly messages: Packed;
}
/** In the order of the request. */
export interface GroupReply {
  /** One of DECRYPT_STATUSES each; plaintexts of messages where it is `ok`. */
  readonly statuses: Uint8Array<ArrayBuffer>;
  readonly plaintexts: Packed;
  readonly reasons: ReadonlyMap<number, string>;
  /** The record of each chain, where it is another one now. */
  readonly records: Packed;
}

/** Prekeys to make, by their ids; one-time and last-resort Kyber prekeys are made alike. */
export interface GeneratePreKeysRequest {
  readonly kind: 'generate-prekeys';
  /** Private key of the identity that signs, 32 bytes, wiped by the worker; absent: our ACI's. */
  readonly privateKey?: Uint8Array<ArrayBuffer>;
  /** ms since the epoch, as it is written into the records. */
  readonly nowMs: number;
  readonly preKeyIds: Uint32Array<ArrayBuffer>;
  readonly signedPreKeyIds: Uint32Array<ArrayBuffer>;
  readonly kyberPreKeyIds: Uint32Array<ArrayBuffer>;
}
/** libsignal's records, in the order of the ids. */
export interface GeneratePreKeysReply {
  readonly preKeys: Packed;
  readonly signedPreKeys: Packed;
  readonly kyberPreKeys: Packed;
}

/** Records of prekeys whose public parts are needed. */
export interface DescribePreKeysRequest extends GeneratePreKeysReply {
  readonly kind: 'describe-prekeys';
}
/** In the order of the records; nothing where there was none, or none that libsignal can read. */
export interface PublicPreKeys {
  readonly publicKeys: Packed;
  /** Nothing for one-time EC prekeys: they are not signed. */
  readonly signatures: Packed;
}
export interface DescribePreKeysReply {
  readonly preKeys: PublicPreKeys;
  readonly signedPreKeys: PublicPreKeys;
  readonly kyberPreKeys: PublicPreKeys;
}
export type PreKeysRequest = GeneratePreKeysRequest | DescribePreKeysRequest;
export type PreKeysReply = GeneratePreKeysReply | DescribePreKeysReply;

export type RatchetRequest =
  EncryptRequest | DecryptRequest | GroupRequest | ArchiveRequest | PreKeysRequest;
export type RatchetReply = EncryptReply | DecryptReply | GroupReply | ArchiveReply | PreKeysReply;

/**
 * Byte strings, one behind the other: one buffer to hand to another thread, however many they are.
 */
export interface Packed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of each; 0 where there is none. */
  readonly lengths: Uint32Array<ArrayBuffer>;
}

export function pack(parts: readonly (Uint8Array | undefined)[]): Packed {
  const lengths = Uint32Array.from(parts, (part) => part?.length ?? 0);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    if (part === undefined) continue;
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, lengths };
}

/** Packs byte strings as they come, so that none is kept until the last is there. */
export class Packer {
  #bytes: Uint8Array<ArrayBuffer>;
  #end = 0;
  readonly #lengths: number[] = [];

  /** @param expectedBytes of all of them; more are taken too. */
  constructor(expectedBytes: number) {
    this.#bytes = new Uint8Array(expectedBytes);
  }

  /** Adds a copy of a byte string, or a place for one that is not there. */
  add(part: Uint8Array | undefined): void {
    if (part === undefined) this.#lengths.push(0);
    else this.reserve(part.length).set(part);
  }

  /** Adds a byte string that the caller writes, before it adds another one. */
  reserve(length: number): Uint8Array<ArrayBuffer> {
    const start = this.#end;
    this.#lengths.push(length);
    this.#end += length;
    if (this.#end > this.#bytes.length) {
      const longer = new Uint8Array(2 * this.#end);
      longer.set(this.#bytes.subarray(0, start));
      this.#bytes = longer;
    }
    return this.#bytes.subarray(start, this.#end);
  }

  finish(): Packed {
    return {
      bytes: this.#bytes.subarray(0, this.#end),
      lengths: Uint32Array.from(this.#lengths),
    };
  }
}

/** @returns views, not copies; undefined for what has no bytes. */
export function unpack({ bytes, lengths }: Packed): (Uint8Array<ArrayBuffer> | undefined)[] {
  let at = 0;
  return Array.from(lengths, (length) => {
    at += length;
    return length === 0 ? undefined : bytes.subarray(at - length, at);
  });
}
