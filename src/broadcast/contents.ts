import { encodeContent, padPlaintext } from '../content/index.js';
import type { AccountRecord, BroadcastRecord, ContactRecord } from '../store/records.js';

/** The plaintexts of one broadcast: one for each expire timer that its recipients have. */
export class Contents {
  readonly #broadcast: BroadcastRecord;
  readonly #account: AccountRecord;
  readonly #indices = new Map<string, number>();
  /** Padded contents. */
  readonly plaintexts: Uint8Array<ArrayBuffer>[] = [];

  constructor(broadcast: BroadcastRecord, account: AccountRecord) {
    this.#broadcast = broadcast;
    this.#account = account;
  }

  /**
   * Which of the plaintexts the contact gets. It has the contact's own expire timer: without it, or with an older version of
   * it, the message would change how long messages stay in the conversation.
   */
  indexFor({ expireTimer, expireTimerVersion }: ContactRecord): number {
    const name = `${expireTimer}/${expireTimerVersion}`;
    let index = this.#indices.get(name);
    if (index === undefined) {
      const { body, timestamp } = this.#broadcast;
      const { profileKey } = this.#account;
      const timer = expireTimer === 0 && expireTimerVersion === 0 ? {} : { expireTimer, expireTimerVersion };
      index = this.plaintexts.length;
      this.plaintexts.push(padPlaintext(encodeContent({ dataMessage: { body, timestamp, profileKey, ...timer } })));
      this.#indices.set(name, index);
    }
    return index;
  }
}
