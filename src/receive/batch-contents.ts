import { decodeContent, unpadPlaintext, type Content } from '../content/index.js';
import { plaintextBodyOf } from '../session/worker/retry.js';
import type { Change } from '../store/store.js';
import { sessionKey } from '../store/tables/sessions.js';
import { TimeSlicer } from '../util/time-slicer.js';
import type { GroupDecryptor, GroupMessage } from './decrypt/groups.js';
import type { Decrypted } from './decrypt/sessions.js';
import type { OpenedEnvelope } from './envelope-opener.js';
import type { IncomingEnvelope } from './envelope-queue.js';

const RECEIPT: Content = {};
/**
 * Limit of timestamps in a receipt. Signal's clients put some hundreds into one (Signal-Android:
 * SendReadReceiptJob, 500; 2026). A message has room for 98,000 of a byte each, which take 3 MB
 * once they are read: as many messages as may be ready here would take gigabytes.
 */
const MAX_TIMESTAMPS = 4096;

/** An envelope, and its progress through the batch. */
export class BatchItem {
  readonly incoming: IncomingEnvelope;
  readonly opened: OpenedEnvelope;
  /** Of the sender's device. */
  readonly address: string;
  #decrypted: Decrypted | undefined;
  #content: Content | undefined;
  #contentBytes: Uint8Array<ArrayBuffer> | undefined;

  constructor(incoming: IncomingEnvelope, opened: OpenedEnvelope) {
    this.incoming = incoming;
    this.opened = opened;
    this.address = sessionKey(opened.sender, opened.senderDevice);
  }

  /** libsignal's result; undefined before the step, and where there is nothing to decrypt. */
  get decrypted(): Decrypted | undefined {
    return this.#decrypted;
  }

  /** Undefined before it is read, and where the plaintext is no Content. */
  get content(): Content | undefined {
    return this.#content;
  }

  get contentBytes(): Uint8Array<ArrayBuffer> | undefined {
    return this.#contentBytes;
  }

  /** Takes libsignal's result. */
  takeDecrypted(decrypted: Decrypted | undefined): void {
    this.#decrypted = decrypted;
  }

  /** Turns the plaintext, decrypted or sent in the clear, into a Content. */
  readContent(): void {
    const { envelopeType, ciphertext } = this.opened;
    if (envelopeType === 'receipt') {
      this.#content = RECEIPT;
      this.#contentBytes = new Uint8Array(0);
      return;
    }
    const padded =
      envelopeType === 'plaintext' ? plaintextBodyOf(ciphertext) : plaintextOf(this.#decrypted);
    if (padded === undefined) return;
    try {
      this.#contentBytes = unpadPlaintext(padded);
      const content = decodeContent(this.#contentBytes);
      this.#content =
        (content.receiptMessage?.timestamps.length ?? 0) > MAX_TIMESTAMPS ? undefined : content;
    } catch {
      // Bytes that are no Content are refused later.
      this.#content = undefined;
    }
  }
}

/** Reads contents in turns of the event loop: the senders decide how long each takes. */
export async function readContents(items: readonly BatchItem[]): Promise<void> {
  const slicer = new TimeSlicer();
  for (const item of items) {
    item.readContent();
    if (slicer.isOver) await slicer.next();
  }
}

/**
 * Takes received sender keys and decrypts messages encrypted with them, in order of arrival.
 *
 * @returns changes of the sender keys, to be committed.
 */
export async function decryptGroups(
  items: readonly BatchItem[],
  groups: GroupDecryptor,
): Promise<readonly Change[]> {
  const steps = items.flatMap((item): { item: BatchItem; message: GroupMessage }[] => {
    const { address, opened, content } = item;
    if (opened.envelopeType === 'sender-key') {
      return [{ item, message: { address, type: 'message', bytes: opened.ciphertext } }];
    }
    const bytes = content?.senderKeyDistributionMessage;
    return bytes === undefined ? [] : [{ item, message: { address, type: 'distribution', bytes } }];
  });
  if (steps.length === 0) return [];
  const { outcomes, changes } = await groups.decrypt(steps.map(({ message }) => message));
  const read = steps.flatMap(({ item, message }, i) => {
    if (message.type === 'distribution') return [];
    item.takeDecrypted(outcomes[i]);
    return [item];
  });
  await readContents(read);
  return changes;
}

const plaintextOf = (decrypted: Decrypted | undefined): Uint8Array<ArrayBuffer> | undefined =>
  decrypted?.status === 'ok' ? decrypted.plaintext : undefined;

/** Whether the content is a retry request, and has nothing beside it. */
export const isRetryRequest = (content: Content): boolean =>
  content.decryptionErrorMessage !== undefined && Object.keys(content).length === 1;

/** Fields between clients, of no interest to the application. */
const INTERNAL: readonly (keyof Content)[] = [
  'senderKeyDistributionMessage',
  'decryptionErrorMessage',
  'nullMessage',
  'pniSignatureMessage',
];

/** Whether a message has anything for the application, or is only for the receiver itself. */
export function hasNews(content: Content): boolean {
  const names = Object.keys(content) as (keyof Content)[];
  // A content without any field that we know may have one that the application knows.
  return names.length === 0 || names.some((name) => !INTERNAL.includes(name));
}
