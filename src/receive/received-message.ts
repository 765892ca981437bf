import {
  readMessage,
  type AttachmentPointer,
  type Content,
  type MessageContent,
  type SentTranscript,
} from '../content/index.js';
import { SealcastError } from '../errors.js';
import type { ReceivedFacts, ReceivedMessage } from './types.js';

/** Gives the bytes of an attachment, checked against its digest before the first one. */
export type Download = (pointer: AttachmentPointer) => AsyncIterable<Uint8Array>;

/** Longest text that is read, bytes: clients send 64 KiB. */
const MAX_LONG_TEXT_BYTES = 256 * 1024;

/** Received message that reads its parts when they are asked for. */
export class DecryptedMessage implements ReceivedMessage {
  // Of the facts: the constructor assigns those that are there, as own properties.
  declare readonly sender: string;
  declare readonly senderDevice: number;
  declare readonly sealed: boolean;
  declare readonly timestamp: number;
  declare readonly serverTimestamp: number;
  declare readonly content: Content;
  declare readonly contentBytes: Uint8Array<ArrayBuffer>;
  declare readonly envelopeType: ReceivedFacts['envelopeType'];
  declare readonly groupId?: Uint8Array<ArrayBuffer>;
  declare readonly sentTranscript?: SentTranscript;
  readonly #download: Download | undefined;
  #message: MessageContent | undefined;
  #isRead = false;

  /** @param download absent where the transport has no CDN. */
  constructor(facts: ReceivedFacts, download: Download | undefined) {
    Object.assign(this, facts);
    this.#download = download;
  }

  get message(): MessageContent | undefined {
    if (!this.#isRead) this.#message = readMessage(this.contentBytes);
    this.#isRead = true;
    return this.#message;
  }

  async text(): Promise<string | undefined> {
    const { body, longText } = this.message ?? {};
    if (longText === undefined) return body;
    if (this.#download === undefined) {
      const message = 'the transport downloads no attachments, and the text is in one';
      throw new SealcastError('ERR_NOT_IMPLEMENTED', message, { field: 'transport' });
    }
    if (longText.size > MAX_LONG_TEXT_BYTES) throw tooLongError();
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of this.#download(longText)) {
      bytes += part.length;
      if (bytes > MAX_LONG_TEXT_BYTES) throw tooLongError();
      parts.push(part);
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(parts));
  }
}

const tooLongError = (): SealcastError =>
  new SealcastError(
    'ERR_MESSAGE_TOO_LARGE',
    `the text that was received has more than ${MAX_LONG_TEXT_BYTES} bytes`,
    { field: 'message.longText' },
  );
