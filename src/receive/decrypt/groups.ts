import { unlessWorkersDied } from '../../engine/worker-loss.js';
import type { SessionClient } from '../../session/session-client.js';
import { distributionIdOf } from '../../content/index.js';
import {
  DECRYPT_STATUSES,
  GROUP_MESSAGE_TYPES,
  type GroupReply,
  type GroupRequest,
  pack,
  unpack,
} from '../../session/protocol.js';
import type { Change, Store } from '../../store/store.js';
import {
  loadSenderKeys,
  senderKeyChange,
  senderKeyKey,
  senderKeysOf,
} from '../../store/tables/sessions.js';
import type { Decrypted } from './sessions.js';

/** A received sender key, or a message encrypted with one. */
export interface GroupMessage {
  /** `serviceId.deviceId` */
  readonly address: string;
  readonly type: (typeof GROUP_MESSAGE_TYPES)[number];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface GroupsDecrypted {
  /** In the order of the messages; a sender key that was accepted is `ok`, and has no plaintext. */
  readonly outcomes: readonly Decrypted[];
  readonly changes: readonly Change[];
}

/** A message that names its chain. */
interface Known {
  readonly index: number;
  /** Key of its chain in the store. */
  readonly key: string;
  readonly message: GroupMessage;
}

/**
 * Sender keys that are kept of a device. A device has one for each group that it writes to, and
 * makes a new one when a member leaves.
 */
const MAX_CHAINS = 256;

/**
 * Lets a worker take sender keys and decrypt with them. The caller holds the locks of the senders,
 * and commits the changes.
 */
export class GroupDecryptor {
  readonly #store: Store;
  readonly #sessionClient: SessionClient;

  constructor(store: Store, sessionClient: SessionClient) {
    this.#store = store;
    this.#sessionClient = sessionClient;
  }

  /** @throws SealcastError ERR_CLOSED, ERR_LIBSIGNAL_UNAVAILABLE, what the store throws. */
  async decrypt(messages: readonly GroupMessage[]): Promise<GroupsDecrypted> {
    const outcomes = new Array<Decrypted>(messages.length);
    const chains = new Map<string, { readonly address: string; readonly distributionId: string }>();
    const known: Known[] = [];
    messages.forEach((message, index) => {
      const distributionId = distributionIdOf(message.bytes);
      if (distributionId === undefined) {
        outcomes[index] = { status: 'failed', reason: 'it has no distribution id' };
        return;
      }
      const key = senderKeyKey(message.address, distributionId);
      chains.set(key, { address: message.address, distributionId });
      known.push({ index, key, message });
    });
    if (known.length === 0) return { outcomes, changes: [] };
    const keys = [...chains.keys()];
    const records = await loadSenderKeys(this.#store, keys);
    const before = new Map(keys.map((key, i) => [key, records[i]]));
    const after = new Map<string, Uint8Array<ArrayBuffer>>();
    const decryptSome = async (some: readonly Known[]): Promise<void> => {
      const involved = [...new Set(some.map(({ key }) => key))];
      const places = new Map(involved.map((key, i) => [key, i]));
      const reply = await this.#ask((): GroupRequest => ({
        kind: 'group',
        addresses: involved.map((key) => chains.get(key)?.address ?? '').join(' '),
        distributionIds: involved.map((key) => chains.get(key)?.distributionId ?? '').join(' '),
        records: pack(involved.map((key) => after.get(key) ?? before.get(key))),
        chains: Uint32Array.from(some, ({ key }) => places.get(key) ?? 0),
        types: Uint8Array.from(some, ({ message }) => GROUP_MESSAGE_TYPES.indexOf(message.type)),
        messages: pack(some.map(({ message }) => message.bytes)),
      }));
      // Workers die of one message, if of any: the others would be lost with it in each delivery.
      if (reply === undefined && some.length > 1) {
        for (const one of some) await decryptSome([one]);
        return;
      }
      if (reply === undefined) {
        for (const { index } of some) outcomes[index] = { status: 'lost', reason: undefined };
        return;
      }
      const plaintexts = unpack(reply.plaintexts);
      some.forEach(({ index }, i) => {
        const status = DECRYPT_STATUSES[reply.statuses[i] ?? -1] ?? 'failed';
        outcomes[index] =
          status === 'ok'
            ? { status, plaintext: plaintexts[i] }
            : { status, reason: reply.reasons.get(i) };
      });
      unpack(reply.records).forEach((record, i) => {
        const key = involved[i];
        if (record !== undefined && key !== undefined) after.set(key, record);
      });
    };
    await decryptSome(known);
    const changes: Change[] = [];
    const grown = new Map<string, number>();
    for (const [key, value] of after) {
      changes.push(senderKeyChange(key, value));
      const address = chains.get(key)?.address ?? '';
      if (before.get(key) === undefined) grown.set(address, (grown.get(address) ?? 0) + 1);
    }
    for (const [address, added] of grown)
      changes.push(...(await this.#overgrown(address, added, chains)));
    return { outcomes, changes };
  }

  /**
   * Removes excess sender keys of a device, except those that the batch is about. Messages that
   * need a removed one are asked for again.
   */
  async #overgrown(
    address: string,
    added: number,
    inUse: ReadonlyMap<string, unknown>,
  ): Promise<Change[]> {
    const known = await senderKeysOf(this.#store, address, MAX_CHAINS);
    const excess = Math.max(0, known.length + added - MAX_CHAINS);
    const others = known.filter((key) => !inUse.has(key)).slice(0, excess);
    return others.map((key) => senderKeyChange(key, null));
  }

  #ask(make: () => GroupRequest): Promise<GroupReply | undefined> {
    const replied = this.#sessionClient.run<GroupReply>(() => ({ request: make(), moved: [] }));
    return unlessWorkersDied(replied, undefined);
  }
}
