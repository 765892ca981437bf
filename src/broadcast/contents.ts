import { encodeContent, padPlaintext } from '../content/index.js';
import type { AccountRecord, BroadcastRecord, ContactRecord } from '../store/records.js';

/** The plaintexts of one broadcast: one for each expire timer that its recipients have, and each profile key that we have meanwhile. */
export class Contents {
  readonly #broadcast: BroadcastRecord;
  readonly #account: () => AccountRecord;
  /** By identity: a new one is a new array. */
  readonly #profileKeys: (Uint8Array | undefined)[] = [];
  readonly #indices = new Map<string, number>();
  /** Padded contents. */
  readonly plaintexts: Uint8Array<ArrayBuffer>[] = [];

  constructor(broadcast: BroadcastRecord, account: () => AccountRecord) {
    this.#broadcast = broadcast;
    this.#account = account;
  }

  /**
   * Which of the plaintexts the contact gets. It has the contact's own expire timer: without it, or with an older version of
   * it, the message would change how long messages stay in the conversation.
   */
  indexFor({ expireTimer, expireTimerVersion }: ContactRecord): number {
    const { profileKey } = this.#account();
    const name = `${expireTimer}/${expireTimerVersion}/${this.#numberOf(profileKey)}`;
    let index = this.#indices.get(name);
    if (index === undefined) {
      const { body, timestamp } = this.#broadcast;
      const timer = expireTimer === 0 && expireTimerVersion === 0 ? {} : { expireTimer, expireTimerVersion };
      index = this.plaintexts.length;
      this.plaintexts.push(padPlaintext(encodeContent({ dataMessage: { body, timestamp, profileKey, ...timer } })));
      this.#indices.set(name, index);
    }
    return index;
  }

  /** A profile key that was replaced while the broadcast went on is sent to nobody any more. */
  #numberOf(profileKey: Uint8Array | undefined): number {
    const known = this.#profileKeys.indexOf(profileKey);
    return known === -1 ? this.#profileKeys.push(profileKey) - 1 : known;
  }
}
