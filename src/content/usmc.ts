import { checkBytes, checkNonEmptyBytes, checkObject, checkOneOf, refuse } from './checks.js';
import { serialize, usmcMessage } from './messages.js';

/** Type of the ciphertext in a USMC, as the wire numbers it. */
export const USMC_TYPE = { prekey: 1, whisper: 2, senderKey: 7, plaintext: 8 } as const;
export type UsmcType = (typeof USMC_TYPE)[keyof typeof USMC_TYPE];

/**
 * Advice to a receiver that cannot decrypt: do nothing special, ask for the message again, or stay
 * silent.
 */
export type ContentHint = 'default' | 'resendable' | 'implicit';

export interface UsmcFields {
  readonly type: UsmcType;
  /** The sender certificate, serialized. */
  readonly senderCertificate: Uint8Array;
  /** The ciphertext: a ratchet message, a sender-key message, or a PlaintextContent. */
  readonly content: Uint8Array;
  readonly contentHint?: ContentHint | undefined;
  readonly groupId?: Uint8Array | undefined;
}

const WIRE_HINT = { default: undefined, resendable: 1, implicit: 2 } as const;

/**
 * libsignal's `CiphertextMessage.type()` numbers a prekey message 3; on the wire of a USMC it is 1.
 */
const TYPE_OF_CIPHERTEXT = new Map<number, UsmcType>([
  [2, USMC_TYPE.whisper],
  [3, USMC_TYPE.prekey],
  [7, USMC_TYPE.senderKey],
  [8, USMC_TYPE.plaintext],
]);

/** The USMC type for what libsignal's `CiphertextMessage.type()` answers. */
export function usmcTypeOfCiphertext(ciphertextType: number): UsmcType {
  return (
    TYPE_OF_CIPHERTEXT.get(ciphertextType) ?? refuse('ciphertextType', 'must be one of 2, 3, 7, 8')
  );
}

/**
 * Serializes a USMC: the same bytes as libsignal's
 * `UnidentifiedSenderMessageContent.new(...).serialize()`.
 */
export function encodeUsmc(fields: UsmcFields): Uint8Array<ArrayBuffer> {
  checkObject('fields', fields);
  const { type, senderCertificate, content, contentHint = 'default', groupId } = fields;
  checkOneOf('type', type, Object.values(USMC_TYPE));
  checkNonEmptyBytes('senderCertificate', senderCertificate);
  checkNonEmptyBytes('content', content);
  checkOneOf('contentHint', contentHint, Object.keys(WIRE_HINT));
  if (groupId !== undefined) checkBytes('groupId', groupId);
  return serialize(usmcMessage, {
    type,
    senderCertificate,
    content,
    contentHint: WIRE_HINT[contentHint],
    // libsignal writes no group id where it is empty.
    groupId: groupId?.length === 0 ? undefined : groupId,
  });
}
