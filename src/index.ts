export { Account, openAccount, type AccountOptions } from './account/account.js';
export { type AccountEvents } from './account/account-events.js';
export type { ChallengeAnswer } from './account/challenge.js';
export { open, type OpenedAccount, type OpenOptions } from './account/open.js';
export type { AccountDevice } from './account/account-types.js';
export { listContacts, type ContactSummary } from './account/contact-list.js';
export { DeviceLink, linkDevice, type LinkOptions } from './link/link-device.js';
export type { LinkedAccount, LinkEvent } from './link/link-task.js';
export {
  Registration,
  resumeRegistration,
  startRegistration,
  type RegistrationOptions,
  type RequestCodeOptions,
  type ResumeRegistrationOptions,
  type SubmitCodeOptions,
} from './register/registration.js';
export type { RegisteredAccount, RegistrationState } from './register/registration-types.js';
export { deriveAccessKey } from './access/access-key.js';
export type { AccessMode } from './access/access-mode.js';
export { MAX_BODY_BYTES, truncateBody } from './content/limits.js';
export type { ProfileName } from './access/profile-cipher.js';
export type { AttributesInput } from './account/attributes.js';
export type {
  AccessKeyOptions,
  OwnCallOptions,
  UnidentifiedAccess,
  UnidentifiedAccessPair,
} from './account/account-types.js';
export type { ProfileInput } from './account/profile-upload.js';
export type { ContactProfile, FetchProfileOptions } from './account/account-types.js';
export {
  SealcastError,
  type SealcastErrorCode,
  type SealcastErrorFacts,
  type TransportRefusalReason,
} from './errors.js';
export {
  BroadcastReader,
  type BroadcastStatus,
  type DeliveriesOptions,
  type StoredDelivery,
  type StoredDeliveryStatus,
} from './broadcast/broadcast-reader.js';
export {
  Broadcaster,
  type BroadcasterOptions,
  type ResumeOptions,
} from './broadcast/broadcaster.js';
export type { BroadcasterEvents } from './broadcast/options.js';
export type { PendingIdentity } from './account/account-types.js';
export type { ClockSkew } from './runtime/service-time.js';
export type { AccountInput, Policies, SharedOptions } from './runtime/options.js';
export type {
  BroadcasterLimits,
  BroadcastMessage,
  BroadcastOptions,
  Recipients,
  Transcripts,
} from './broadcast/options.js';
export { listLists, openList, type ListSummary, type OpenListOptions } from './lists/open-list.js';
export { subscriptions, type SubscriptionsOptions } from './lists/subscriptions.js';
export { SUBSCRIPTION_ANSWERS, SUBSCRIPTION_WORDS } from './lists/default-words.js';
export type {
  LanguageAnswers,
  LanguageWords,
  SubscriptionAnswers,
  SubscriptionWords,
} from './lists/words.js';
export type { ListRecipients } from './broadcast/options.js';
export type { AddOptions, AddOutcome, ListMember } from './lists/member-input.js';
export type { ImportedRow, ImportOptions } from './lists/csv-import.js';
export type {
  RemoveOptions,
  SegmentOptions,
  SubscriberList,
  SuppressedPerson,
} from './lists/subscriber-list.js';
export type { WaitReason } from './broadcast/flow/pause-gate.js';
export type { Delivery } from './broadcast/delivery.js';
export type {
  BroadcastProgress,
  BroadcastRun,
  BroadcastSummary,
  ResumedBroadcast,
} from './broadcast/run.js';
export type { Logger, Metrics } from './runtime/telemetry.js';
export type { AttachmentInput, ByteStream, MetadataPolicy } from './attachments/input.js';
export type { DownloadedAttachment, DownloadOptions } from './attachments/download.js';
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
} from './content/read-content.js';
export type { SentTranscript } from './content/sync-message.js';
export { ATTACHMENT_FLAG, type AttachmentPointer } from './content/attachment-pointer.js';
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
} from './content/message-types.js';
export type { BodyRange, Mention, TextSpan, TextStyle } from './content/text-ranges.js';
export { importSignalCli } from './import/import-signal-cli.js';
export type { SignalCliImport, SignalCliImportOptions } from './import/import-task.js';
export type { ServiceEnvironment } from './import/account-files.js';
export type { ImportedCounts, SkippedCounts, SkipReason } from './import/counts.js';
export type { KernelChoice } from './kernel/choice.js';
export type {
  PrivateKeyInput,
  PublicKeyInput,
  SealerOptions,
  SerializableKey,
} from './sealer/options.js';
export type { PrepareResult, SealResult } from './engine/types.js';
export type { CertifiedSender } from './sealer/certificate-validator.js';
export type { UnsealResult } from './sealer/unseal-verdicts.js';
export { Receiver, type ReceiverOptions } from './receive/receiver.js';
export type { ReceiverEvents, StopReason } from './receive/events.js';
export type { GivenAttachment } from './broadcast/message-upload.js';
export type {
  ReceivedContent,
  ReceivedFile,
  ReceivedMessage,
  ReceiveRefusal,
  ReceiverStats,
} from './receive/types.js';
export {
  Sealer,
  type CallOptions,
  type SealOptions,
  type SealerStats,
  type SealRequest,
  type UnsealOptions,
} from './sealer/sealer.js';
export { openStore, type StoreOptions } from './store/lmdb/open.js';
export { MemoryStore } from './store/memory.js';
export type { DeliveryStatus } from './store/tables/outbox.js';
export type { EnvelopeType } from './store/tables/inbox.js';
export type {
  Change,
  DamagedEntry,
  ListOptions,
  Store,
  StoreEntry,
  TableName,
} from './store/store.js';
export { ChatTransport } from './transport/chat/chat-transport.js';
export {
  type ChatTransportConnectOptions,
  type ChatTransportOptions,
} from './transport/chat/chat-options.js';
export {
  signalNet,
  type SignalEnvironment,
  type SignalNetOptions,
  type SignalNetwork,
  type SignalProxy,
} from './transport/chat/signal-net.js';
export type { StorageService } from './transport/chat/storage-host.js';
export type { LinkNet } from './transport/chat/link-source.js';
export type { BackoffOptions } from './util/backoff.js';
export type {
  AuthenticatedConnection,
  AuthenticatedListener,
  ChatAccount,
  ChatNet,
  ConnectionListener,
  ConnectionSource,
  UnauthenticatedConnection,
  RegistrationNet,
} from './transport/chat/connection-source.js';
export type {
  AccessKey,
  AccountExistsOutcome,
  CdnService,
  CertificateOutcome,
  OutboundMessage,
  PreKeyBundleFields,
  PreKeysOutcome,
  Refusal,
  RequestOptions,
  SealedSend,
  SendOutcome,
  ServerTime,
  Transport,
  UnsealedMessage,
  UnsealedSend,
  UploadForm,
  UploadFormOutcome,
  UploadRequest,
  UsernameLookUp,
  UsernameOutcome,
} from './transport/transport.js';
export type {
  AccountAttributes,
  AccountTransport,
  DevicesOutcome,
  DoneOutcome,
  FetchedProfile,
  LinkedDevice,
  MessageAck,
  PreKeyCountOutcome,
  PreKeyRequestOptions,
  PreKeyUpload,
  ProfileOutcome,
  ProfileUpload,
  PublicPreKey,
  StorageOutcome,
  SignedPublicPreKey,
  TransportListener,
} from './transport/account-transport.js';
