import type { DownloadedAttachment, DownloadOptions } from '../attachments/download.js';
import type {
  Content,
  MessageContent,
  ReceivedAttachment,
  SentTranscript,
} from '../content/index.js';
import type { EnvelopeType } from '../store/tables/inbox.js';

/** Facts of a message that was unsealed, decrypted, and acknowledged to the service. */
export interface ReceivedFacts {
  /** Service id. */
  readonly sender: string;
  readonly senderDevice: number;
  /**
   * Whether the service could not see the sender; `sender` is then of the validated certificate.
   */
  readonly sealed: boolean;
  /** ms since the epoch; identifies the message, together with the sender */
  readonly timestamp: number;
  /** Time at which the service accepted it, ms since the epoch. */
  readonly serverTimestamp: number;
  readonly content: Content;
  /** Serialized content, with the fields that {@link Content} has no name for. */
  readonly contentBytes: Uint8Array<ArrayBuffer>;
  readonly envelopeType: EnvelopeType;
  /** Group id of a sealed group message, as the sender gave it. */
  readonly groupId?: Uint8Array<ArrayBuffer>;
  /**
   * A message that another device of our account sent: `sender` is our own ACI. Absent in all other
   * messages.
   */
  readonly sentTranscript?: SentTranscript;
}

/** File that came with a message, and the way to get it. */
export interface ReceivedFile extends ReceivedAttachment {
  /**
   * Downloads the file, and checks it before any of it is given: length, MAC, digest, padding.
   *
   * @returns the file, which holds a temporary file until it is closed.
   * @throws SealcastError ERR_ATTACHMENT_INVALID: it is not what the message says, or the message
   *   does not say where it is; ERR_ATTACHMENT_TOO_LARGE; ERR_ATTACHMENT_GONE: the CDN has it no
   *   longer; ERR_SERVICE_UNAVAILABLE, ERR_SERVICE_REJECTED; ERR_ABORTED; ERR_INVALID_ARGUMENT;
   *   ERR_NOT_IMPLEMENTED: the transport has no CDN.
   * @example
   * for (const attachment of message?.attachments ?? []) {
   *   await using file = await attachment.download();
   *   await file.saveTo(`./inbox/${crypto.randomUUID()}`);
   * }
   */
  download(options?: DownloadOptions): Promise<DownloadedAttachment>;
}

/** A received message whose files can be downloaded. */
export interface ReceivedContent extends MessageContent {
  readonly attachments?: readonly ReceivedFile[];
}

/** Message as it is given out: unsealed, decrypted, and acknowledged to the service. */
export interface ReceivedMessage extends ReceivedFacts {
  /**
   * The message in the shapes that `broadcast()` takes. Times are ms, as numbers.
   *
   * It is there for a message, an edit, a reaction, a vote, a deletion, or the message of a
   * {@link ReceivedFacts.sentTranscript}. Undefined in all others, such as receipts. The first
   * access reads it; it is no own property, so that a copy of the object has none.
   */
  readonly message: ReceivedContent | undefined;
  /**
   * Gives the whole text. Of a long one `message.body` is the beginning; this downloads all.
   *
   * @returns undefined where the message has no text.
   * @throws SealcastError ERR_MESSAGE_TOO_LARGE: the text has more than 256 KiB;
   *   ERR_NOT_IMPLEMENTED: the transport downloads no attachments.
   * @example
   * for await (const message of receiver) console.log(message.sender, await message.text());
   */
  text(): Promise<string | undefined>;
}

/**
 * Largest envelope that is read, bytes. The service takes 96 KiB for a device (Signal-Server
 * answers 413 above it) and adds some hundred bytes of its own; the rest is room for a service that
 * takes more.
 */
export const MAX_ENVELOPE_BYTES = 256 * 1024;

/**
 * Reasons to refuse an envelope, before anything in it could be acted on.
 *
 * `too-large`: above {@link MAX_ENVELOPE_BYTES}; nothing of it was read. `malformed-envelope`: no
 * Envelope of the service, or one that lacks what its type needs. `unknown-type`. `sealed-to-pni`,
 * `sent-to-pni`: to a phone-number identity that is not this device's; sealed ones go to ACIs
 * only. `self-send`: sealed by this very device. `invalid-envelope`: it cannot be unsealed.
 * `key-mismatch`: the certificate in it is not of the key that sealed it, or a message in the name
 * of our own account is of another identity key. `foreign-sync`: a message for devices of one
 * account, from another account. `untrusted-certificate`,
 * `expired-certificate`, `revoked-certificate`. `invalid-content`: decrypted, and not a Content, or
 * a receipt for more messages than any client sends one for. `worker-lost`: a worker died of
 * unsealing it, alone, in each of three deliveries.
 */
export const REFUSALS = [
  'too-large',
  'malformed-envelope',
  'unknown-type',
  'sealed-to-pni',
  'sent-to-pni',
  'self-send',
  'invalid-envelope',
  'key-mismatch',
  'foreign-sync',
  'untrusted-certificate',
  'expired-certificate',
  'revoked-certificate',
  'invalid-content',
  'worker-lost',
] as const;
/** Reason why an envelope was refused. */
export type ReceiveRefusal = (typeof REFUSALS)[number];

/** Counts of envelopes so far, by outcome. */
export interface ReceiverStats {
  /** Messages given out, or ready to be. */
  readonly messages: number;
  /** Envelopes that were known already. */
  readonly duplicates: number;
  /** Envelopes of blocked contacts. */
  readonly blocked: number;
  /** Sealed and signed well, but not to be decrypted: the sender is asked to send them again. */
  readonly undecryptable: number;
  /** Of interest only to the receiver itself: sender keys, retry requests. */
  readonly internal: number;
  readonly refused: Readonly<Record<ReceiveRefusal, number>>;
  /**
   * Left with the service, which delivers them again. There was no room, or a worker died (of one
   * envelope, twice at most).
   */
  readonly deferred: number;
  /** Envelopes that wait to be opened, and messages that wait for the caller that iterates. */
  readonly waiting: number;
  readonly ready: number;
}

/** Name of a receipt of the service: it has no other facts than these. */
export const receiptName = ({
  sender,
  senderDevice,
  timestamp,
}: Pick<ReceivedMessage, 'sender' | 'senderDevice' | 'timestamp'>): string =>
  `${sender}.${senderDevice}/${timestamp}`;
