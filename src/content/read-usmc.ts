import { LENGTH_DELIMITED, PlainFields } from './plain-fields.js';
import { parse, present, usmcMessage } from './messages.js';
import { USMC_TYPE, type ContentHint, type UsmcType } from './usmc.js';

/** A message that an envelope sealed, without its certificate, which is judged elsewhere. */
export interface Usmc {
  readonly type: UsmcType;
  readonly content: Uint8Array<ArrayBuffer>;
  readonly contentHint: ContentHint;
  readonly groupId?: Uint8Array<ArrayBuffer>;
}

/** Numbers of fields, see signal.proto. */
const FIELD = { type: 1, senderCertificate: 2, content: 3, contentHint: 4, groupId: 5 } as const;
const HINTS = new Map<unknown, ContentHint>([
  [0, 'default'],
  [1, 'resendable'],
  [2, 'implicit'],
]);
const TYPES: readonly unknown[] = Object.values(USMC_TYPE);

/**
 * Reads an unsealed USMC, or gives undefined for bytes that are none.
 *
 * @throws SealcastError ERR_INVALID_ENVELOPE for bytes that are no protobuf. The bytes in the
 *   result are views of the input. An unknown hint is the default one, as in libsignal.
 */
export function decodeUsmc(usmcBytes: Uint8Array<ArrayBuffer>): Usmc | undefined {
  return readPlainUsmc(usmcBytes) ?? readUsmc(usmcBytes);
}

/** Reads a USMC in the form in which encoders write it; undefined for any other bytes. */
function readPlainUsmc(usmcBytes: Uint8Array<ArrayBuffer>): Usmc | undefined {
  const fields = new PlainFields(usmcBytes, 0, usmcBytes.length);
  let type: number | undefined;
  let content: Uint8Array<ArrayBuffer> | undefined;
  let contentHint: ContentHint | undefined = 'default';
  let groupId: Uint8Array<ArrayBuffer> | undefined;
  // Each field once, in their order.
  for (let last = 0; fields.next(); last = fields.id) {
    const isNumber = fields.id === FIELD.type || fields.id === FIELD.contentHint;
    if (fields.id <= last || isNumber === (fields.wireType === LENGTH_DELIMITED)) return undefined;
    if (fields.id === FIELD.type) type = fields.isSmall ? fields.low : undefined;
    else if (fields.id === FIELD.content) content = fields.view();
    else if (fields.id === FIELD.contentHint)
      contentHint = fields.isSmall ? HINTS.get(fields.low) : undefined;
    else if (fields.id === FIELD.groupId) groupId = fields.view();
    else if (fields.id !== FIELD.senderCertificate) return undefined;
  }
  if (!fields.isWhole || content === undefined || contentHint === undefined) return undefined;
  if (!TYPES.includes(type)) return undefined;
  const usmc = { type: type as UsmcType, content, contentHint };
  return groupId === undefined ? usmc : { ...usmc, groupId };
}

/** Reads a USMC of any form, as {@link decodeUsmc} does. */
export function readUsmc(usmcBytes: Uint8Array<ArrayBuffer>): Usmc | undefined {
  const message = parse(usmcMessage, usmcBytes);
  const type = present(message, 'type');
  const content = present(message, 'content') as Uint8Array<ArrayBuffer> | undefined;
  const groupId = present(message, 'groupId') as Uint8Array<ArrayBuffer> | undefined;
  if (!TYPES.includes(type) || content === undefined) return undefined;
  return {
    type: type as UsmcType,
    content,
    contentHint: HINTS.get(present(message, 'contentHint')) ?? 'default',
    ...(groupId !== undefined && { groupId }),
  };
}
