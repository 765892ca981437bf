import { SealcastError } from '../errors.js';
import { encodeContent } from './content.js';
import { tooLargeError } from './limits.js';
import { contentMessage, pniSignatureMessage, serialize } from './messages.js';
import { bytesOfUuid } from './service-ids.js';

/** Text of a broadcast, checked. */
export interface MessageFields {
  readonly body: string;
}

/** Parts of a Content that differ per recipient. */
export interface RecipientParts {
  readonly profileKey: Uint8Array | undefined;
  /** Seconds until the message disappears once read. */
  readonly expireTimer: number;
  readonly expireTimerVersion: number;
  /** For a recipient who wrote to our PNI, and may not know that our ACI is the same account. */
  readonly pniSignature?: PniSignature | undefined;
}

/** Proof that a PNI and an ACI are one account's (Signal: PniSignatureMessage). */
export interface PniSignature {
  /** `PNI:` and a UUID */
  readonly pni: string;
  /** Of the ACI's identity key, by the PNI's. */
  readonly signature: Uint8Array;
}

/**
 * The serialized Content of a message, without its {@link RecipientParts}.
 *
 * A message always has the same bytes: a broadcast that continues is recognized by them.
 */
export function encodeMessage({ body }: MessageFields, timestamp: number): Uint8Array<ArrayBuffer> {
  return encodeContent({ dataMessage: { body, timestamp } });
}

/** Adds the parts that are the recipient's own to what {@link encodeMessage} returned. */
export function withRecipientParts(
  content: Uint8Array,
  parts: RecipientParts,
): Uint8Array<ArrayBuffer> {
  const { profileKey, expireTimer, expireTimerVersion, pniSignature } = parts;
  const { dataMessage } = decodeMessage(content);
  const timer =
    expireTimer === 0 && expireTimerVersion === 0 ? {} : { expireTimer, expireTimerVersion };
  return serialize(contentMessage, {
    dataMessage: { ...dataMessage, profileKey, ...timer },
    ...(pniSignature !== undefined && { pniSignatureMessage: pniSignatureBytes(pniSignature) }),
  });
}

function pniSignatureBytes({ pni, signature }: PniSignature): Uint8Array<ArrayBuffer> {
  const uuid = bytesOfUuid(pni.slice('PNI:'.length));
  return serialize(pniSignatureMessage, { pni: uuid, signature });
}

/** The text of what {@link encodeMessage} returned. @throws as {@link withRecipientParts}. */
export const messageBodyOf = (content: Uint8Array): string =>
  decodeMessage(content).dataMessage.body ?? '';

/**
 * The error of a message that no client shows, and that an earlier version accepted.
 *
 * @returns undefined where clients show the message
 */
export function messageError(content: Uint8Array): SealcastError | undefined {
  return tooLargeError(decodeMessage(content).dataMessage.body ?? '');
}

/** @throws SealcastError ERR_STORE_FAILED: the bytes are not those of a message. */
function decodeMessage(content: Uint8Array): { readonly dataMessage: { readonly body?: string } } {
  let cause: unknown;
  try {
    const { dataMessage } = contentMessage.decode(content) as unknown as {
      readonly dataMessage: object | null;
    };
    if (dataMessage !== null) return { dataMessage };
  } catch (error) {
    cause = error;
  }
  throw new SealcastError(
    'ERR_STORE_FAILED',
    'the store holds a broadcast without a well-formed message',
    { cause },
  );
}
