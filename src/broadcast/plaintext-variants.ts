import { profileKeyMark } from '../access/profile-key-mark.js';
import { padPlaintext, withRecipientParts, type PniSignature } from '../content/index.js';
import type { AccountRecord } from '../store/tables/account.js';
import type { BroadcastRecord } from '../store/tables/broadcasts.js';
import type { ContactRecord } from '../store/tables/contacts.js';
import { LruMap } from '../util/lru-map.js';

/**
 * Timers for which the plaintext is kept. Recipients choose theirs, and any contact may choose a
 * new one with every message.
 */
const MAX_KEPT = 64;

/**
 * Plaintexts of one broadcast: one for each expire timer of its recipients, all with the account's
 * present profile key.
 */
export class PlaintextVariants {
  readonly #broadcast: Pick<BroadcastRecord, 'content'>;
  readonly #account: () => Pick<AccountRecord, 'profileKey'>;
  readonly #pniSignature: () => PniSignature | undefined;
  readonly #kept = new LruMap<string, Uint8Array<ArrayBuffer>>(MAX_KEPT);

  /**
   * @param pniSignature for recipients who need it, of the present PNI; undefined where the account
   *   has none.
   */
  constructor(
    broadcast: Pick<BroadcastRecord, 'content'>,
    account: () => Pick<AccountRecord, 'profileKey'>,
    pniSignature: () => PniSignature | undefined = () => undefined,
  ) {
    this.#broadcast = broadcast;
    this.#pniSignature = pniSignature;
    this.#account = account;
  }

  /**
   * Returns the contact's plaintext, padded; the same array for all that get the same one. It has
   * the contact's own expire timer: without it, or with an older version of it, the message would
   * change how long messages stay in the conversation.
   */
  plaintextFor(contact: ContactRecord): Uint8Array<ArrayBuffer> {
    const { expireTimer, expireTimerVersion, needsPniSignature = false } = contact;
    const { profileKey } = this.#account();
    const pniSignature = needsPniSignature ? this.#pniSignature() : undefined;
    const name = [
      expireTimer,
      expireTimerVersion,
      profileKeyMark(profileKey) ?? 'no key',
      pniSignature?.pni ?? 'aci',
    ].join('/');
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const { content } = this.#broadcast;
    const plaintext = padPlaintext(
      withRecipientParts(content, { profileKey, expireTimer, expireTimerVersion, pniSignature }),
    );
    this.#kept.set(name, plaintext);
    return plaintext;
  }

  /** Mark of the profile key that plaintexts carry from now on; undefined: they carry none. */
  get profileKeyMark(): string | undefined {
    return profileKeyMark(this.#account().profileKey);
  }

  /** Plaintexts that are kept. */
  get size(): number {
    return this.#kept.size;
  }
}
