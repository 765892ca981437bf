import { unlessWorkersDied } from '../../engine/worker-loss.js';
import { movablePrivateKey, type SessionClient } from '../../session/session-client.js';
import type { IdentityKind } from '../../store/tables/account.js';
import type { PreKeyIds } from '../../content/index.js';
import {
  DECRYPT_STATUSES,
  SESSION_MESSAGE_TYPES,
  type DecryptReply,
  type DecryptRequest,
  type DecryptStatus,
  type PreKeyRecords,
  pack,
  unpack,
} from '../../session/protocol.js';
import {
  kyberUseKey,
  knownKyberUses,
  loadPreKeys,
  type KyberUse,
  type PreKeyTable,
} from '../../store/tables/prekeys.js';
import { loadSessions } from '../../store/tables/sessions.js';
import type { Store } from '../../store/store.js';

/** A ratchet message of a sender's device. */
export interface SessionMessage {
  /** `serviceId.deviceId` */
  readonly address: string;
  readonly type: (typeof SESSION_MESSAGE_TYPES)[number];
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Ids that a prekey message names; undefined where they are malformed. */
  readonly preKeys: PreKeyIds | undefined;
}

/** The identity of ours that messages were sent to. */
export interface ReceivingIdentity {
  readonly kind: IdentityKind;
  readonly own: DecryptRequest['own'];
  /** 32 bytes; absent: the workers have it. The caller wipes it after the call. */
  readonly privateKey?: Uint8Array;
}

/**
 * Result of a message. `lost`: workers died of it, alone, again and again; nothing is known of it.
 */
export type Decrypted =
  | { readonly status: 'ok'; readonly plaintext: Uint8Array<ArrayBuffer> | undefined }
  | { readonly status: Exclude<DecryptStatus, 'ok'> | 'lost'; readonly reason: string | undefined };

/** Session after the messages. */
export interface NewSession {
  readonly record: Uint8Array<ArrayBuffer>;
  readonly registrationId: number;
  /** Of a session that began, 33 bytes; absent where the session goes on. */
  readonly identityKey: Uint8Array<ArrayBuffer> | undefined;
}

export interface SessionsDecrypted {
  /** In the order of the messages. */
  readonly outcomes: readonly Decrypted[];
  /** By address; only sessions that changed. */
  readonly sessions: ReadonlyMap<string, NewSession>;
  readonly usedPreKeys: readonly number[];
  readonly usedKyberPreKeys: readonly KyberUse[];
}

/** Senders whose messages one worker decrypts. */
interface Share {
  /** Index of the first one. */
  readonly from: number;
  readonly addresses: readonly string[];
  readonly records: readonly (Uint8Array<ArrayBuffer> | undefined)[];
}

/** Input of one request to a worker. */
interface Task extends Pick<Share, 'addresses' | 'records'> {
  /** Indices of the senders' messages. */
  readonly indices: readonly number[];
  readonly preKeys: PreKeyLookup;
  readonly identity: ReceivingIdentity;
}

type Wanted = Readonly<Record<PreKeyTable, ReadonlySet<number>>>;

/** Sessions and prekeys that messages need, as they are in the store. */
export interface KnownSessions {
  /** By address; undefined where there is none. */
  readonly records: ReadonlyMap<string, Uint8Array<ArrayBuffer> | undefined>;
  readonly preKeys: PreKeyLookup;
}

/** Lets the workers decrypt. The caller holds the locks of the senders, and commits the results. */
export class SessionDecryptor {
  readonly #store: Store;
  readonly #sessionClient: SessionClient;

  constructor(store: Store, sessionClient: SessionClient) {
    this.#store = store;
    this.#sessionClient = sessionClient;
  }

  /**
   * Reads what {@link decrypt} needs; the caller holds the locks of the senders from here on.
   *
   * @throws SealcastError what the store throws.
   */
  async read(messages: readonly SessionMessage[], identity: IdentityKind): Promise<KnownSessions> {
    const addresses = [...new Set(messages.map(({ address }) => address))];
    const [records, preKeys] = await Promise.all([
      loadSessions(this.#store, addresses, identity),
      this.#preKeysOf(
        messages.map(({ preKeys: ids }) => ids),
        identity,
      ),
    ]);
    return { records: new Map(addresses.map((address, i) => [address, records[i]])), preKeys };
  }

  /**
   * Decrypts messages that were sent to one identity of ours.
   *
   * @param known what {@link read} gave, for these messages or for more; read here where it is
   *   absent.
   * @throws SealcastError ERR_CLOSED, ERR_LIBSIGNAL_UNAVAILABLE, what the store throws.
   */
  async decrypt(
    messages: readonly SessionMessage[],
    identity: ReceivingIdentity,
    known?: KnownSessions,
  ): Promise<SessionsDecrypted> {
    const { records: recordByAddress, preKeys: preKeyLookup } =
      known ?? (await this.read(messages, identity.kind));
    const indicesByAddress = new Map<string, number[]>();
    messages.forEach(({ address }, index) => {
      const indices = indicesByAddress.get(address);
      if (indices === undefined) indicesByAddress.set(address, [index]);
      else indices.push(index);
    });
    const addresses = [...indicesByAddress.keys()];
    const ids = messages.map(({ preKeys }) => preKeys);
    const records = addresses.map((address) => recordByAddress.get(address));

    const outcomes = new Array<Decrypted>(messages.length);
    const sessions = new Map<string, NewSession>();
    const usedPreKeys: number[] = [];
    const usedKyberPreKeys: KyberUse[] = [];
    // One worker must see a use that two senders want, for only one of them may have it.
    const isOneShare = haveUseInCommon(messages);
    const share = isOneShare ? addresses.length : this.#sessionClient.shareOf(addresses.length);
    const sharesOf = (from: number, to: number, size: number): Share[] => {
      const parts: Share[] = [];
      for (let at = from; at < to; at += size) {
        const end = Math.min(at + size, to);
        parts.push({
          from: at,
          addresses: addresses.slice(at, end),
          records: records.slice(at, end),
        });
      }
      return parts;
    };
    const decryptShares = (parts: readonly Share[]): Promise<unknown> =>
      Promise.all(
        parts.map(async (part) => {
          const indices = part.addresses.flatMap((address) => indicesByAddress.get(address) ?? []);
          const reply = await this.#decryptShare(
            { ...part, indices, preKeys: preKeyLookup, identity },
            messages,
            ids,
          );
          if (reply !== undefined) takeReply(part.addresses, indices, reply);
          // Workers die of one message, if of any: the others would be lost with it in each
          // delivery.
          else if (part.addresses.length > 1 && !isOneShare) {
            await decryptShares(sharesOf(part.from, part.from + part.addresses.length, 1));
          } else if (indices.length > 1) await decryptOneByOne(part, indices);
          else for (const index of indices) outcomes[index] = { status: 'lost', reason: undefined };
        }),
      );
    /**
     * Decrypts messages one after the other. Each gets the session and the unused prekeys that
     * those before it left.
     */
    const decryptOneByOne = async (part: Share, indices: readonly number[]): Promise<void> => {
      const known = new Map(part.addresses.map((address, i) => [address, part.records[i]]));
      let preKeys = preKeyLookup;
      for (const index of indices) {
        const address = messages[index]?.address ?? '';
        const share = {
          addresses: [address],
          records: [sessions.get(address)?.record ?? known.get(address)],
          indices: [index],
          preKeys,
          identity,
        };
        const reply = await this.#decryptShare(share, messages, ids);
        if (reply === undefined) {
          outcomes[index] = { status: 'lost', reason: undefined };
          continue;
        }
        takeReply(share.addresses, share.indices, reply);
        preKeys = preKeys.after(reply);
      }
    };
    const takeReply = (
      addresses: readonly string[],
      indices: readonly number[],
      reply: DecryptReply,
    ): void => {
      const plaintexts = unpack(reply.plaintexts);
      indices.forEach((index, i) => {
        const status = DECRYPT_STATUSES[reply.statuses[i] ?? -1] ?? 'failed';
        outcomes[index] =
          status === 'ok'
            ? { status, plaintext: plaintexts[i] }
            : { status, reason: reply.reasons.get(i) };
      });
      const identityKeys = unpack(reply.identityKeys);
      unpack(reply.sessions).forEach((record, i) => {
        const address = addresses[i];
        if (record === undefined || address === undefined) return;
        sessions.set(address, {
          record,
          registrationId: reply.registrationIds[i] ?? 0,
          // A message before this one may have begun the session.
          identityKey: identityKeys[i] ?? sessions.get(address)?.identityKey,
        });
      });
      usedPreKeys.push(...reply.usedPreKeys);
      usedKyberPreKeys.push(...reply.usedKyberPreKeys);
    };
    await decryptShares(sharesOf(0, addresses.length, share));
    return { outcomes, sessions, usedPreKeys, usedKyberPreKeys };
  }

  async #decryptShare(
    { addresses, records, indices, preKeys, identity }: Task,
    messages: readonly SessionMessage[],
    ids: readonly (PreKeyIds | undefined)[],
  ): Promise<DecryptReply | undefined> {
    const places = new Map(addresses.map((address, i) => [address, i]));
    const own = indices.map((index) => messages[index]).filter((message) => message !== undefined);
    const wanted = wantedOf(indices.map((index) => ids[index]));
    const decrypted = this.#sessionClient.run<DecryptReply>(() => {
      const sessions = pack(records);
      const copy = movablePrivateKey(identity.privateKey);
      const request: DecryptRequest = {
        kind: 'decrypt',
        own: identity.own,
        ...copy.field,
        addresses: addresses.join(' '),
        sessions,
        senders: Uint32Array.from(own, ({ address }) => places.get(address) ?? 0),
        types: Uint8Array.from(own, ({ type }) => SESSION_MESSAGE_TYPES.indexOf(type)),
        messages: pack(own.map(({ bytes }) => bytes)),
        preKeys: preKeys.recordsOf('preKey', wanted.preKey),
        signedPreKeys: preKeys.recordsOf('signedPreKey', wanted.signedPreKey),
        kyberPreKeys: preKeys.recordsOf('kyberPreKey', wanted.kyberPreKey),
        kyberUses: preKeys.kyberUses,
      };
      return { request, moved: [sessions.bytes.buffer, ...copy.moved] };
    });
    return unlessWorkersDied(decrypted, undefined);
  }

  /** Records of all prekeys that the messages name, and their earlier uses. */
  async #preKeysOf(
    ids: readonly (PreKeyIds | undefined)[],
    identity: IdentityKind,
  ): Promise<PreKeyLookup> {
    const wanted = wantedOf(ids);
    const uses = ids.flatMap((each) => (each === undefined ? [] : kyberUseNames(each)));
    const [preKey, signedPreKey, kyberPreKey, kyberUses] = await Promise.all([
      this.#recordsOf('preKey', wanted, identity),
      this.#recordsOf('signedPreKey', wanted, identity),
      this.#recordsOf('kyberPreKey', wanted, identity),
      knownKyberUses(this.#store, uses, identity),
    ]);
    return new PreKeyLookup({ preKey, signedPreKey, kyberPreKey }, kyberUses);
  }

  async #recordsOf(
    table: PreKeyTable,
    wanted: Wanted,
    identity: IdentityKind,
  ): Promise<Map<number, Uint8Array<ArrayBuffer>>> {
    const ids = [...wanted[table]];
    if (ids.length === 0) return new Map();
    const records = await loadPreKeys(this.#store, table, ids, identity);
    return new Map(
      ids.flatMap((id, i): [number, Uint8Array<ArrayBuffer>][] => {
        const record = records[i];
        return record === undefined ? [] : [[id, record]];
      }),
    );
  }
}

/** Private halves of prekeys, and names of their uses. */
class PreKeyLookup {
  readonly #records: Readonly<Record<PreKeyTable, ReadonlyMap<number, Uint8Array<ArrayBuffer>>>>;
  readonly kyberUses: ReadonlySet<string>;

  constructor(
    records: Readonly<Record<PreKeyTable, ReadonlyMap<number, Uint8Array<ArrayBuffer>>>>,
    kyberUses: ReadonlySet<string>,
  ) {
    this.#records = records;
    this.kyberUses = kyberUses;
  }

  /**
   * Lookup after messages were decrypted, without the prekeys that they used up. A one-time prekey
   * is used once, a Kyber prekey once with the same keys.
   */
  after({
    usedPreKeys,
    usedKyberPreKeys,
  }: Pick<DecryptReply, 'usedPreKeys' | 'usedKyberPreKeys'>): PreKeyLookup {
    const preKey = new Map([...this.#records.preKey].filter(([id]) => !usedPreKeys.includes(id)));
    const kyberUses = new Set([
      ...this.kyberUses,
      ...usedKyberPreKeys.map((use) => kyberUseKey(use)),
    ]);
    return new PreKeyLookup({ ...this.#records, preKey }, kyberUses);
  }

  recordsOf(table: PreKeyTable, ids: ReadonlySet<number>): PreKeyRecords {
    const known = [...ids].filter((id) => this.#records[table].has(id));
    return {
      ids: Uint32Array.from(known),
      records: pack(known.map((id) => this.#records[table].get(id))),
    };
  }
}

function wantedOf(ids: readonly (PreKeyIds | undefined)[]): Wanted {
  const preKey = new Set<number>();
  const signedPreKey = new Set<number>();
  const kyberPreKey = new Set<number>();
  for (const each of ids) {
    if (each === undefined) continue;
    if (each.preKeyId !== undefined) preKey.add(each.preKeyId);
    signedPreKey.add(each.signedPreKeyId);
    if (each.kyberPreKeyId !== undefined) kyberPreKey.add(each.kyberPreKeyId);
  }
  return { preKey, signedPreKey, kyberPreKey };
}

/** Names under which a use of a Kyber prekey is kept: one, or none. */
function kyberUseNames({ kyberPreKeyId, signedPreKeyId, baseKey }: PreKeyIds): string[] {
  if (kyberPreKeyId === undefined) return [];
  return [
    kyberUseKey({ kyberPreKeyId, signedPreKeyId, baseKey: Buffer.from(baseKey).toString('hex') }),
  ];
}

/**
 * Names of uses that only one prekey message may have. The caller that decrypts the message holds
 * locks of these names too, lest two messages have one use side by side.
 */
export function useNames(ids: PreKeyIds, identity: IdentityKind = 'aci'): string[] {
  const kyber = kyberUseNames(ids).map((name) => `${identity} Kyber prekey ${name}`);
  return ids.preKeyId === undefined ? kyber : [`${identity} prekey ${ids.preKeyId}`, ...kyber];
}

function haveUseInCommon(messages: readonly SessionMessage[]): boolean {
  const addressByUse = new Map<string, string>();
  return messages.some(({ address, preKeys }) =>
    (preKeys === undefined ? [] : useNames(preKeys)).some((name) => {
      const known = addressByUse.get(name);
      addressByUse.set(name, known ?? address);
      return known !== undefined && known !== address;
    }),
  );
}
