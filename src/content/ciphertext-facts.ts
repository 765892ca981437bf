import type protobuf from 'protobufjs/light.js';
import { SealcastError } from '../errors.js';
import {
  bytesOf,
  parse,
  preKeySignalMessage,
  present,
  senderKeyDistributionMessage,
  senderKeyMessage,
  withoutUndefined,
} from './messages.js';
import { uuidOfBytes } from './service-ids.js';

/** Facts that a PreKeySignalMessage tells about the session that it begins. */
export interface PreKeyIds {
  /** Our one-time prekey; absent where the sender found none left. */
  readonly preKeyId?: number;
  readonly signedPreKeyId: number;
  readonly kyberPreKeyId?: number;
  /** The sender's, 33 bytes. Only libsignal, which decrypts the message, can say that it is. */
  readonly identityKey: Uint8Array<ArrayBuffer>;
  /** The key that the sender made for this session, as serialized. */
  readonly baseKey: Uint8Array<ArrayBuffer>;
  /** The sender's; 0 where it says none. */
  readonly registrationId: number;
}

/**
 * Versions that libsignal 0.103 takes, in the high nibble of the first byte: 3 is from before Kyber
 * prekeys.
 */
const RATCHET_VERSIONS: readonly number[] = [3, 4];
const SENDER_KEY_VERSION = 3;
const SIGNATURE_BYTES = 64;
const CHAIN_KEY_BYTES = 32;
const PUBLIC_KEY_BYTES = 33;
const PUBLIC_KEY_TYPE = 0x05;

/** The fields; undefined for another type, or where a field that libsignal requires is missing. */
function parseWhole(
  type: protobuf.Type,
  bytes: Uint8Array,
  required: readonly string[],
): object | undefined {
  try {
    const message = parse(type, bytes);
    return required.every((field) => present(message, field) !== undefined) ? message : undefined;
  } catch (error) {
    if (error instanceof SealcastError) return undefined;
    throw error;
  }
}

/**
 * Reads the unencrypted part of a serialized PreKeySignalMessage (libsignal, wire.proto). It names
 * the prekeys that decryption needs. Any sender can have forged it.
 *
 * @returns undefined where it is malformed. It reads every message that libsignal reads.
 */
export function preKeyIdsOf(ciphertext: Uint8Array): PreKeyIds | undefined {
  if (!RATCHET_VERSIONS.includes((ciphertext[0] ?? 0) >> 4)) return undefined;
  const required = ['baseKey', 'identityKey', 'message', 'signedPreKeyId'];
  const message = parseWhole(preKeySignalMessage, ciphertext.subarray(1), required);
  const identityKey = message && bytesOf(message, 'identityKey');
  const baseKey = message && bytesOf(message, 'baseKey');
  if (
    baseKey === undefined ||
    message === undefined ||
    identityKey?.length !== PUBLIC_KEY_BYTES ||
    identityKey[0] !== PUBLIC_KEY_TYPE
  ) {
    return undefined;
  }
  return {
    signedPreKeyId: present(message, 'signedPreKeyId') as number,
    identityKey,
    baseKey,
    registrationId: (present(message, 'registrationId') as number | undefined) ?? 0,
    ...withoutUndefined({
      preKeyId: present(message, 'preKeyId'),
      kyberPreKeyId: present(message, 'kyberPreKeyId'),
    }),
  };
}

/**
 * The distribution id of a SenderKeyMessage or SenderKeyDistributionMessage. A UUID in lower case.
 *
 * Which of the two it is shows: without its last 64 bytes, a SenderKeyDistributionMessage ends
 * within its chain key.
 *
 * @returns undefined where it is neither. It reads every message that libsignal reads.
 */
export function distributionIdOf(senderKeyBytes: Uint8Array): string | undefined {
  if ((senderKeyBytes[0] ?? 0) >> 4 !== SENDER_KEY_VERSION) return undefined;
  const message = asSenderKeyMessage(senderKeyBytes) ?? asDistributionMessage(senderKeyBytes);
  const distributionUuid = message && bytesOf(message, 'distributionUuid');
  return distributionUuid && uuidOfBytes(distributionUuid);
}

function asSenderKeyMessage(bytes: Uint8Array): object | undefined {
  if (bytes.length < 1 + SIGNATURE_BYTES) return undefined;
  const required = ['distributionUuid', 'chainId', 'iteration', 'ciphertext'];
  return parseWhole(senderKeyMessage, bytes.subarray(1, bytes.length - SIGNATURE_BYTES), required);
}

function asDistributionMessage(bytes: Uint8Array): object | undefined {
  const required = ['distributionUuid', 'chainId', 'iteration', 'chainKey', 'signingKey'];
  const message = parseWhole(senderKeyDistributionMessage, bytes.subarray(1), required);
  if (message === undefined) return undefined;
  const lengths = ['chainKey', 'signingKey'].map(
    (field) => (present(message, field) as Uint8Array).length,
  );
  return lengths[0] === CHAIN_KEY_BYTES && lengths[1] === PUBLIC_KEY_BYTES ? message : undefined;
}
