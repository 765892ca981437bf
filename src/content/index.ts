export { ATTACHMENT_FLAG, LONG_TEXT_TYPE } from './attachment-pointer.js';
export type { AttachmentPointer } from './attachment-pointer.js';
export { distributionIdOf, preKeyIdsOf } from './ciphertext-facts.js';
export type { PreKeyIds } from './ciphertext-facts.js';
export { DATA_MESSAGE_FLAG, expireTimerOf, profileKeyOf } from './content-facts.js';
export type { ExpireTimer } from './content-facts.js';
export { encodeContent, encodeDataMessage } from './content.js';
export type { ContentFields, DataMessageFields } from './content.js';
export {
  checkBody,
  MAX_BODY_BYTES,
  MAX_EXPIRE_TIMER,
  MAX_TEXT_BYTES,
  MAX_TIMESTAMP_MS,
} from './limits.js';
export { encodeMessage } from './encode-message.js';
export { messageBodyOf, messageError, withRecipientParts } from './message.js';
export type { PniSignature, RecipientParts } from './message.js';
export { checkMessage, POINTER_RULES } from './check-message.js';
export type { CheckedMessage, MessageRules } from './check-message.js';
export { splitLongText } from './long-text.js';
export type { SplitText } from './long-text.js';
export type {
  LinkPreview,
  MessageContent,
  MessageReaction,
  OutgoingMessage,
  Poll,
  PollVote,
  Quote,
  QuotedAttachment,
  ReceivedAttachment,
  UnreadPart,
} from './message-types.js';
export type { BodyRange, Mention, TextRange, TextSpan, TextStyle } from './text-ranges.js';
export { padPlaintext, unpadPlaintext } from './padding.js';
export { readMessage } from './read-message.js';
export { decodeContent } from './plain-content.js';
export { decodeServiceEnvelope } from './plain-envelope.js';
export type {
  AttachmentFacts,
  Content,
  DataMessage,
  EditMessage,
  GroupContext,
  Reaction,
  ReceiptMessage,
  ReceiptType,
  StoryMessage,
  TypingMessage,
  UnsupportedPart,
} from './read-content.js';
export {
  destinationOf,
  serverGuidOf,
  SERVICE_ENVELOPE_TYPE,
  sourceOf,
  updatedPniOf,
} from './service-envelope.js';
export type { EnvelopeSource, ServiceEnvelope } from './service-envelope.js';
export {
  decodeManifest,
  decodeManifestRecord,
  decodeStorageItems,
  decodeStorageRecord,
  encodeReadOperation,
} from './storage-records.js';
export type { EncryptedItem, StorageManifest, StoredContact } from './storage-records.js';
export {
  decodeSyncMessage,
  encodeNoteToSelf,
  encodeSyncRequest,
  sentTranscriptOf,
} from './sync-message.js';
export type {
  FetchLatest,
  PniChangeNumber,
  SentTranscript,
  SyncedKeys,
  SyncMessage,
  SyncRequest,
} from './sync-message.js';
export { encodeUsmc, USMC_TYPE, usmcTypeOfCiphertext } from './usmc.js';
export type { ContentHint, UsmcFields, UsmcType } from './usmc.js';
export { decodeUsmc, type Usmc } from './read-usmc.js';
