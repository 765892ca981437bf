import { SealcastError } from '../errors.js';
import { MAX_EXPIRE_TIMER, tooLargeError } from './limits.js';
import {
  contentMessage,
  pniSignatureMessage,
  pollCreateMessage,
  present,
  serialize,
} from './messages.js';
import { bytesOfUuid } from './service-ids.js';

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
 * Adds the parts that are the recipient's own to what `encodeMessage` returned.
 *
 * A message with a timer of its own changes that of the conversation, and so has the next version
 * after the one that the recipient's contact has. The contact learns of the new timer by what the
 * recipient sends from then on, as of any other change.
 */
export function withRecipientParts(
  content: Uint8Array,
  parts: RecipientParts,
): Uint8Array<ArrayBuffer> {
  const { profileKey, expireTimer, expireTimerVersion, pniSignature } = parts;
  const { dataMessage } = decodeMessage(content);
  const own = present(dataMessage, 'expireTimer') as number | undefined;
  const timer =
    own !== undefined && own !== expireTimer
      ? { expireTimerVersion: Math.min(expireTimerVersion + 1, MAX_EXPIRE_TIMER) }
      : expireTimer === 0 && expireTimerVersion === 0
        ? {}
        : { expireTimer, expireTimerVersion };
  return serialize(contentMessage, {
    dataMessage: { ...dataMessage, profileKey, ...timer },
    ...(pniSignature !== undefined && { pniSignatureMessage: pniSignatureBytes(pniSignature) }),
  });
}

function pniSignatureBytes({ pni, signature }: PniSignature): Uint8Array<ArrayBuffer> {
  const uuid = bytesOfUuid(pni.slice('PNI:'.length));
  return serialize(pniSignatureMessage, { pni: uuid, signature });
}

/**
 * The text of what `encodeMessage` returned, or a poll's question; empty where it has neither.
 *
 * @throws as {@link withRecipientParts}.
 */
export function messageBodyOf(content: Uint8Array): string {
  const { body, pollCreate } = decodeMessage(content).dataMessage;
  if (pollCreate === undefined || pollCreate.length === 0) return body ?? '';
  const { question } = pollCreateMessage.decode(pollCreate) as unknown as { question?: string };
  return question ?? '';
}

/**
 * The error of a message that no client shows, and that an earlier version accepted.
 *
 * @returns undefined where clients show the message
 */
export function messageError(content: Uint8Array): SealcastError | undefined {
  return tooLargeError(decodeMessage(content).dataMessage.body ?? '');
}

/** @throws SealcastError ERR_STORE_FAILED: the bytes are not those of a message. */
function decodeMessage(content: Uint8Array): {
  readonly dataMessage: { readonly body?: string; readonly pollCreate?: Uint8Array };
} {
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
