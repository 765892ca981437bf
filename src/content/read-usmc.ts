import { parse, present, usmcMessage } from './messages.js';
import { USMC_TYPE, type ContentHint, type UsmcType } from './usmc.js';

/** What an envelope sealed, without the certificate, which is judged elsewhere. */
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
 * Reads a USMC that was unsealed, or gives undefined for what is none; throws ERR_INVALID_ENVELOPE for what is no protobuf. The bytes in it are views of what was given. A hint
 * that nobody knows is the default one, as libsignal takes it.
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
