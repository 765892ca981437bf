import {
  readMessage,
  type AttachmentPointer,
  type Content,
  type MessageContent,
  type SentTranscript,
} from '../content/index.js';
import type {
  DownloadContext,
  DownloadedAttachment,
  DownloadOptions,
} from '../attachments/download.js';
import { SealcastError } from '../errors.js';
import type { ReceivedContent, ReceivedFacts, ReceivedFile, ReceivedMessage } from './types.js';

/** Gives the bytes of an attachment, checked against its digest before the first one. */
export type Download = (pointer: AttachmentPointer) => AsyncIterable<Uint8Array>;

/** Where attachments come from. */
export interface Downloads {
  /** Gives the bytes of an attachment; absent where the transport has no CDN. */
  readonly download: Download | undefined;
  /** Downloads an attachment, and checks it; see `ReceivedFile.download`. */
  readonly open: (
    pointer: AttachmentPointer | undefined,
    options?: DownloadOptions,
  ) => Promise<DownloadedAttachment>;
}

/** Downloads over a transport's CDN. The way there is loaded when it is first taken. */
export function downloadsOf(context: DownloadContext): Downloads {
  const open: Downloads['open'] = async (pointer, options) => {
    const { downloadAttachment } = await import('../attachments/download.js');
    return downloadAttachment(pointer, context, options);
  };
  async function* download(pointer: AttachmentPointer): AsyncGenerator<Uint8Array, void, void> {
    await using file = await open(pointer);
    yield* file;
  }
  return { download: context.cdn === undefined ? undefined : download, open };
}

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
  readonly #open: Downloads['open'];
  #message: ReceivedContent | undefined;
  #isRead = false;

  /** @param downloads default: there are none, as of a transport without a CDN. */
  constructor(facts: ReceivedFacts, downloads: Downloads = NO_DOWNLOADS) {
    Object.assign(this, facts);
    this.#download = downloads.download;
    this.#open = downloads.open;
  }

  get message(): ReceivedContent | undefined {
    if (!this.#isRead) this.#message = this.#read();
    this.#isRead = true;
    return this.#message;
  }

  #read(): ReceivedContent | undefined {
    const message: MessageContent | undefined = readMessage(this.contentBytes);
    if (message?.attachments === undefined) return message as ReceivedContent | undefined;
    const attachments = message.attachments.map((attachment): ReceivedFile => {
      const { pointer } = attachment;
      const download: ReceivedFile['download'] = (options) => this.#open(pointer, options);
      // Not enumerable: two messages are compared by their data.
      return Object.defineProperty({ ...attachment, download }, 'download', { enumerable: false });
    });
    return { ...message, attachments };
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

const NO_DOWNLOADS = downloadsOf({ cdn: undefined });

const tooLongError = (): SealcastError =>
  new SealcastError(
    'ERR_MESSAGE_TOO_LARGE',
    `the text that was received has more than ${MAX_LONG_TEXT_BYTES} bytes`,
    { field: 'message.longText' },
  );
