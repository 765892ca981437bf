import type { UploadContext } from '../attachments/upload.js';
import { checkAttachment, type AttachmentInput } from '../attachments/input.js';
import {
  LONG_TEXT_TYPE,
  MAX_TEXT_BYTES,
  POINTER_RULES,
  type AttachmentPointer,
  type CheckedMessage,
  type MessageRules,
} from '../content/index.js';
import { refuse } from '../sealer/options.js';

/** File that is uploaded with the broadcast, or one that was uploaded before. */
export type GivenAttachment = AttachmentInput | AttachmentPointer;

const isPointer = (value: unknown): value is AttachmentPointer =>
  typeof value === 'object' && value !== null && 'digest' in value;

/**
 * Rules of a message whose files are uploaded with it.
 *
 * @param canUpload whether the transport has a CDN: a text that is too long for a body is a file.
 */
export const uploadRules = (canUpload: boolean): MessageRules<GivenAttachment> => ({
  maxTextBytes: canUpload ? MAX_TEXT_BYTES : POINTER_RULES.maxTextBytes,
  checkAttachment: (value, index) =>
    isPointer(value) ? POINTER_RULES.checkAttachment(value, index) : checkAttachment(value, index),
  contentTypeOf: ({ contentType }) => contentType,
});

/**
 * Uploads the files of a message, and its text where that is too long for a body.
 *
 * @returns the message that is sent. The same message with the same id always gives the same one,
 *   as long as its uploads are used again.
 * @throws SealcastError as `uploadAttachments`; ERR_INVALID_ARGUMENT: a file that is to be seen
 *   once is no image or video.
 */
export async function uploadMessage(
  { longText, ...message }: CheckedMessage<GivenAttachment>,
  context: UploadContext,
): Promise<CheckedMessage> {
  const { attachments = [], ...rest } = message;
  const given: readonly GivenAttachment[] =
    longText === undefined
      ? attachments
      : [...attachments, { bytes: longText, contentType: LONG_TEXT_TYPE, metadata: 'keep' }];
  const inputs = given.flatMap((each) => (isPointer(each) ? [] : [each]));
  // Loaded for files alone: a text needs no way to the CDN.
  const uploaded =
    inputs.length === 0
      ? []
      : await (await import('../attachments/upload.js')).uploadAttachments(inputs, context);
  const rests = uploaded.values();
  const pointers = given.map((each) => (isPointer(each) ? each : nextOf(rests)));
  if (
    rest.viewOnce === true &&
    pointers.some(({ contentType }) => !/^(?:image|video)\//i.test(contentType))
  )
    refuse('message.viewOnce', 'together with one attachment, an image or video');
  return pointers.length === 0 ? rest : { ...rest, attachments: pointers };
}

function nextOf(pointers: Iterator<AttachmentPointer>): AttachmentPointer {
  const next = pointers.next();
  if (next.done === true) throw new Error('each input has a pointer');
  return next.value;
}
