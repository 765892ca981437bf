import {
  CiphertextMessageType,
  DecryptionErrorMessage,
  PlaintextContent,
} from '@signalapp/libsignal-client';

/** Type of a ciphertext by the number of `CiphertextMessage.type()`. */
const TYPES = {
  prekey: CiphertextMessageType.PreKey,
  whisper: CiphertextMessageType.Whisper,
  'sender-key': CiphertextMessageType.SenderKey,
} as const;

/** A message that could not be decrypted. */
export interface Undecryptable {
  readonly type: keyof typeof TYPES;
  readonly ciphertext: Uint8Array<ArrayBuffer>;
  /** ms since the epoch, as it was sent with. */
  readonly timestamp: number;
  readonly senderDevice: number;
}

/**
 * Asks for a message again: a serialized PlaintextContent around a DecryptionErrorMessage
 * (libsignal `DecryptionErrorMessage::for_original`), which names time and ratchet key of the
 * message.
 *
 * @returns undefined where the ciphertext is so malformed that it has no ratchet key: the sender
 *   could not tell which message is meant.
 */
export function encodeRetryRequest(message: Undecryptable): Uint8Array<ArrayBuffer> | undefined {
  const { type, ciphertext, timestamp, senderDevice } = message;
  try {
    const error = DecryptionErrorMessage.forOriginal(
      ciphertext,
      TYPES[type],
      timestamp,
      senderDevice,
    );
    return PlaintextContent.from(error).serialize();
  } catch {
    return undefined;
  }
}

/** A message of ours that a recipient could not decrypt. */
export interface RetryRequest {
  /** ms since the epoch, as we sent it with. */
  readonly timestamp: number;
  /** Of our devices, the one that sent it. */
  readonly deviceId: number;
  /**
   * Ours, with which it was encrypted, 33 bytes; absent where it was encrypted with a sender key.
   */
  readonly ratchetKey?: Uint8Array<ArrayBuffer>;
}

/** @returns undefined where it is malformed. */
export function decodeRetryRequest(bytes: Uint8Array<ArrayBuffer>): RetryRequest | undefined {
  try {
    const message = DecryptionErrorMessage.deserialize(bytes);
    const ratchetKey = message.ratchetKey()?.serialize();
    return {
      timestamp: message.timestamp(),
      deviceId: message.deviceId(),
      ...(ratchetKey !== undefined && { ratchetKey }),
    };
  } catch {
    return undefined;
  }
}

/** The Content, padding and all, of a PlaintextContent; undefined where it is none. */
export function plaintextBodyOf(
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  try {
    return PlaintextContent.deserialize(bytes).body();
  } catch {
    return undefined;
  }
}
