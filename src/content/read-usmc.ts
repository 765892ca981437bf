import { parse, present, usmcMessage } from './messages.js';
import { USMC_TYPE, type ContentHint, type UsmcType } from './usmc.js';

/** A message that an envelope sealed, without its certificate, which is judged elsewhere. */
export interface Usmc {
  readonly type: UsmcType;
  readonly content: Uint8Array<ArrayBuffer>;
  readonly contentHint: ContentHint;
  readonly groupId?: Uint8Array<ArrayBuffer>;
}

const HINTS = new Map<unknown, ContentHint>([
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
