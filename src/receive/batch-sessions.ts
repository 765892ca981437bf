import type { IdentityKind } from '../store/tables/account.js';
import { kyberUseChange, preKeyChange } from '../store/tables/prekeys.js';
import type { Change } from '../store/store.js';
import type { BatchItem } from './batch-contents.js';
import type { ContactBatch } from './contact-batch.js';
import type { ReceiveContext } from './context.js';
import type { KnownSessions, SessionMessage, SessionsDecrypted } from './decrypt/sessions.js';

/** Consequences of decrypting, beside the sessions, which the contacts take. */
export interface SessionsResult {
  /** Removals of used prekeys, and uses of last-resort ones, to be committed. */
  readonly changes: readonly Change[];
  /** Calls to make once all is on the disk. */
  readonly afterwards: readonly (() => void)[];
}

/**
 * Sessions of a batch's ratchet messages, and the step that decrypts with them.
 *
 * Sessions of blocked contacts are read, too: whether a contact is blocked is read meanwhile. The
 * batch holds the locks of its senders and prekeys.
 */
export class BatchSessions {
  readonly #context: ReceiveContext;
  /** By the identity of ours that messages were sent to; undefined where there are none. */
  readonly #known: Readonly<Record<IdentityKind, KnownSessions | undefined>>;

  private constructor(
    context: ReceiveContext,
    known: Readonly<Record<IdentityKind, KnownSessions | undefined>>,
  ) {
    this.#context = context;
    this.#known = known;
  }

  static async read(items: readonly BatchItem[], context: ReceiveContext): Promise<BatchSessions> {
    const readOf = async (identity: IdentityKind): Promise<KnownSessions | undefined> => {
      const messages = messagesTo(identity, items).map(({ message }) => message);
      return messages.length === 0 ? undefined : context.sessions.read(messages, identity);
    };
    const [aci, pni] = await Promise.all([readOf('aci'), readOf('pni')]);
    return new BatchSessions(context, { aci, pni });
  }

  /** Decrypts the ratchet messages among the items, and gives the contacts their new sessions. */
  async decrypt(items: readonly BatchItem[], contacts: ContactBatch): Promise<SessionsResult> {
    const changes: Change[] = [];
    const afterwards: (() => void)[] = [];
    for (const identity of ['aci', 'pni'] as const) {
      const known = this.#known[identity];
      if (known === undefined) continue;
      const result = await this.#decryptTo(identity, known, items, contacts);
      changes.push(...result.changes);
      afterwards.push(...result.afterwards);
    }
    return { changes, afterwards };
  }

  /** Decrypts the messages that were sent to one identity of ours. */
  async #decryptTo(
    identity: IdentityKind,
    known: KnownSessions,
    items: readonly BatchItem[],
    contacts: ContactBatch,
  ): Promise<SessionsResult> {
    const preKeys = this.#context.preKeys[identity];
    const asked = messagesTo(identity, items);
    const messages = asked.map(({ message }) => message);
    if (messages.length === 0) return { changes: [], afterwards: [] };
    const decrypted = await this.#decryptMessages(messages, identity, known);
    asked.forEach(({ item }, i) => item.takeDecrypted(decrypted.outcomes[i]));
    for (const [address, session] of decrypted.sessions)
      contacts.takeSession(address, session, identity);
    const { usedPreKeys, usedKyberPreKeys } = decrypted;
    const changes = usedPreKeys.map((id) => preKeyChange('preKey', id, null, identity));
    const kyberIds = usedKyberPreKeys.map(({ kyberPreKeyId }) => kyberPreKeyId);
    const lastResorts =
      kyberIds.length === 0 ? new Set<number>() : await preKeys.lastResortsAmong(kyberIds);
    for (const use of usedKyberPreKeys) {
      // A last-resort prekey is handed out again and again, and must not be used twice with the
      // same keys.
      const isLastResort = lastResorts.has(use.kyberPreKeyId);
      changes.push(
        isLastResort
          ? kyberUseChange(use, identity)
          : preKeyChange('kyberPreKey', use.kyberPreKeyId, null, identity),
      );
    }
    const used = usedPreKeys.length + usedKyberPreKeys.length;
    return { changes, afterwards: used > 0 ? [() => preKeys.noteUsed(used)] : [] };
  }

  #decryptMessages(
    messages: readonly SessionMessage[],
    identity: IdentityKind,
    known: KnownSessions,
  ): Promise<SessionsDecrypted> {
    const { runtime, sessions } = this.#context;
    const own = runtime.deviceOf(identity);
    return runtime.withPrivateKey(identity, (privateKey) =>
      sessions.decrypt(
        messages,
        { kind: identity, own, ...(privateKey !== undefined && { privateKey }) },
        known,
      ),
    );
  }
}

/** Ratchet messages among the items that were sent to one identity of ours, in their order. */
function messagesTo(
  identity: IdentityKind,
  items: readonly BatchItem[],
): { readonly item: BatchItem; readonly message: SessionMessage }[] {
  return items.flatMap((item) => {
    const { destination, envelopeType: type, ciphertext: bytes, preKeys } = item.opened;
    if ((type !== 'prekey' && type !== 'whisper') || destination !== identity) return [];
    return [{ item, message: { address: item.address, type, bytes, preKeys } }];
  });
}
