import { SealcastError } from '../errors.js';

/** The error of a file that its pointer does not describe, and of a malformed pointer. */
export const invalidAttachment = (reason: string): SealcastError =>
  new SealcastError('ERR_ATTACHMENT_INVALID', `the attachment is refused: ${reason}`);

export const limitError = (limitBytes: number): SealcastError =>
  new SealcastError(
    'ERR_ATTACHMENT_TOO_LARGE',
    `the attachment has more than ${limitBytes} bytes, and is not downloaded`,
  );
