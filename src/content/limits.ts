import { SealcastError } from '../errors.js';
import { truncateText } from '../util/truncate-text.js';

// Content that receivers' clients drop or mangle although the service accepts it: the sender gets a
// delivery receipt, and no reader sees the message. Each limit names where it comes from (sources
// read 2026-11).
//
// Kept elsewhere: a DataMessage's timestamp is the envelope's (Android: EnvelopeContentValidator;
// Desktop: processDataMessage; both drop any other), since both are the broadcast's; a profile key
// has 32 bytes (content.ts); no two broadcasts have one timestamp.

/**
 * Most bytes of UTF-8 that a message's body may have. Clients drop the whole message above it, and
 * send a delivery receipt all the same. (Signal-Android:
 * SignalServiceMessageLimits.MAX_INLINE_BODY_SIZE_BYTES, "shared by the send path, the receive-side
 * content validation"; Signal-Desktop: longAttachment; mautrix/signal#666.)
 */
export const MAX_BODY_BYTES = 2_048;

/**
 * Latest timestamp of a message, ms since the epoch: 100,000,000 days. Desktop makes an invalid
 * Date of a later one, and the service refuses it. (ECMA-262, Time Values; Signal-Server:
 * MessageController.MAX_TIMESTAMP.)
 */
export const MAX_TIMESTAMP_MS = 8_640_000_000_000_000;

/**
 * Longest expire timer, s, and its highest version: Android reads both into signed 32 bits (Wire's
 * type for `uint32`).
 */
export const MAX_EXPIRE_TIMER = 0x7fff_ffff;

/**
 * Longest text, bytes of UTF-8: of one that is longer than a body, the whole is an attachment.
 * (Signal-Desktop: longAttachment; Signal-Android: MessageUtil.MAX_TOTAL_BODY_SIZE_BYTES.)
 */
export const MAX_TEXT_BYTES = 64 * 1024;

/**
 * @returns the error of a body that no client shows for its length; undefined where it is short
 *   enough.
 */
export function tooLargeError(
  body: string,
  field = 'message.body',
  maxBytes = MAX_BODY_BYTES,
): SealcastError | undefined {
  const bytes = Buffer.byteLength(body);
  if (bytes <= maxBytes) return undefined;
  const message = `${field} must be at most ${maxBytes} bytes of UTF-8, not ${bytes}: receivers drop a longer one`;
  return new SealcastError('ERR_MESSAGE_TOO_LARGE', message, { field });
}

/**
 * @throws SealcastError ERR_INVALID_ARGUMENT: no text, blank, ill-formed, or with a NUL, at which
 *   SQLite's functions, and so what clients keep, end a text (sqlite.org/nulinstr.html);
 *   ERR_MESSAGE_TOO_LARGE.
 */
export function checkText(text: unknown, field: string, maxBytes: number): string {
  if (
    typeof text !== 'string' ||
    text.trim() === '' ||
    !text.isWellFormed() ||
    text.includes('\0')
  ) {
    const message = `${field} must be a string of well-formed Unicode, not blank, without NUL`;
    throw new SealcastError('ERR_INVALID_ARGUMENT', message, { field });
  }
  const error = tooLargeError(text, field, maxBytes);
  if (error !== undefined) throw error;
  return text;
}

/** @throws SealcastError as {@link checkText}. */
export const checkBody = (body: unknown): string => checkText(body, 'message.body', MAX_BODY_BYTES);

/**
 * Makes a body that `broadcast()` accepts of any text that is not blank.
 *
 * Such a text is a received one with a prefix. The function truncates the text to the limit of a
 * message's body, 2,048 bytes of UTF-8, between graphemes, with an ellipsis. It removes each NUL,
 * and replaces each unpaired surrogate by U+FFFD, as `String.prototype.toWellFormed` does: a
 * sender's client may have put them into the text. Any other text is returned as it is; a blank one
 * (also one of NULs alone) stays blank, which `broadcast()` refuses.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT: it is no string.
 * @example
 * broadcaster.broadcast({ body: truncateBody(`A subscriber writes: ${text}`) }, admins);
 */
export function truncateBody(text: string): string {
  if (typeof text !== 'string') {
    throw new SealcastError('ERR_INVALID_ARGUMENT', 'text must be a string', { field: 'text' });
  }
  return truncateText(text.toWellFormed().replaceAll('\0', ''), MAX_BODY_BYTES);
}
