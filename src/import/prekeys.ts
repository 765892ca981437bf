import { MAX_ID, wrap } from '../account/prekeys/plan.js';
import { libsignal } from '../access/libsignal.js';
import type { Change } from '../store/store.js';
import type { PreKeyRange, PreKeysRecord } from '../store/tables/account.js';
import { preKeyChange, type PreKeyTable } from '../store/tables/prekeys.js';
import type { SourceIdentity } from './account-json.js';
import type { RowIdentity, SourceDatabase, SourceRow } from './account-database.js';
import type { Tally } from './counts.js';

/** A prekey of the source, without its record. */
interface PreKey {
  readonly id: number;
  /** When it was made, ms since the epoch; 0: not known. */
  readonly madeMs: number;
  /** When the service took another in its place, ms since the epoch; 0: it has not. */
  readonly replacedMs: number;
}

type Kind = 'preKeys' | 'signedPreKeys' | 'kyberPreKeys' | 'lastResortKyberPreKeys';

const TABLES = {
  pre_key: 'preKey',
  signed_pre_key: 'signedPreKey',
  kyber_pre_key: 'kyberPreKey',
} as const satisfies Record<string, PreKeyTable>;
type PreKeySource = keyof typeof TABLES;

const COUNTED = {
  pre_key: 'preKeys',
  signed_pre_key: 'signedPreKeys',
  kyber_pre_key: 'kyberPreKeys',
} as const;

const isId = (id: number | undefined): id is number => id !== undefined && id >= 1 && id <= MAX_ID;

/** Reads the record in a row. @throws whatever libsignal throws: it is damaged. */
function recordIn(table: PreKeySource, id: number, row: SourceRow): Uint8Array<ArrayBuffer> {
  const { KyberPreKeyRecord, PreKeyRecord, PrivateKey, PublicKey, SignedPreKeyRecord } =
    libsignal();
  const bytes = (column: string): Uint8Array<ArrayBuffer> => {
    const value = row.bytes(column);
    if (value === undefined) throw new RangeError(`no ${column}`);
    return value;
  };
  if (table === 'kyber_pre_key') {
    const record = KyberPreKeyRecord.deserialize(bytes('serialized'));
    if (record.id() !== id) throw new RangeError('another id');
    // The key pair in it is read first when it is used: a damaged one is found here.
    record.publicKey();
    record.secretKey();
    return record.serialize();
  }
  const publicKey = PublicKey.deserialize(bytes('public_key'));
  const privateKey = PrivateKey.deserialize(bytes('private_key'));
  if (Buffer.compare(privateKey.getPublicKey().serialize(), publicKey.serialize()) !== 0)
    throw new RangeError('keys that do not match');
  if (table === 'pre_key') return PreKeyRecord.new(id, publicKey, privateKey).serialize();
  const timestamp = row.integer('timestamp') ?? 0;
  const signature = bytes('signature');
  return SignedPreKeyRecord.new(id, timestamp, publicKey, privateKey, signature).serialize();
}

/** Prekeys of one identity, by kind. */
type ByKind = Record<Kind, PreKey[]>;
const noPreKeys = (): ByKind => ({
  preKeys: [],
  signedPreKeys: [],
  kyberPreKeys: [],
  lastResortKyberPreKeys: [],
});

/** The prekeys of both identities: what the store is to know of them, and their rows. */
export class SourcePreKeys {
  readonly #byIdentity: Record<RowIdentity, ByKind> = { aci: noPreKeys(), pni: noPreKeys() };

  /**
   * Reads the prekeys, and yields changes that put them into the store, a page at a time.
   *
   * @param wanted identities that the account has
   */
  *read(
    database: SourceDatabase,
    wanted: ReadonlySet<RowIdentity>,
    tally: Tally,
  ): Generator<Change[], void, void> {
    for (const table of ['pre_key', 'signed_pre_key', 'kyber_pre_key'] as const) {
      for (const page of database.pages(table)) {
        const changes: Change[] = [];
        for (const row of page) {
          const change = this.#take(table, row, wanted);
          if (change === undefined) {
            tally.skip('prekey-damaged');
            continue;
          }
          tally.add(COUNTED[table]);
          changes.push(change);
        }
        yield changes;
      }
    }
  }

  #take(table: PreKeySource, row: SourceRow, wanted: ReadonlySet<RowIdentity>): Change | undefined {
    const id = row.integer('key_id');
    const identity = row.identity();
    if (!isId(id) || identity === undefined || !wanted.has(identity)) return undefined;
    let record: Uint8Array<ArrayBuffer>;
    try {
      record = recordIn(table, id, row);
    } catch {
      return undefined;
    }
    const kind: Kind =
      table === 'pre_key'
        ? 'preKeys'
        : table === 'signed_pre_key'
          ? 'signedPreKeys'
          : row.flag('is_last_resort')
            ? 'lastResortKyberPreKeys'
            : 'kyberPreKeys';
    this.#byIdentity[identity][kind].push({
      id,
      madeMs: row.integer('timestamp') ?? 0,
      replacedMs: row.integer('stale_timestamp') ?? 0,
    });
    return preKeyChange(TABLES[table], id, record, identity);
  }

  /** State of an identity's prekeys, from which the next ones continue. */
  stateOf(identity: RowIdentity, source: SourceIdentity, nowMs: number): PreKeysRecord {
    const { preKeys, signedPreKeys, kyberPreKeys, lastResortKyberPreKeys } =
      this.#byIdentity[identity];
    return {
      nextPreKeyId: nextId(source.nextPreKeyId, preKeys),
      nextSignedPreKeyId: nextId(source.nextSignedPreKeyId, signedPreKeys),
      nextKyberPreKeyId: nextId(source.nextKyberPreKeyId, [
        ...kyberPreKeys,
        ...lastResortKyberPreKeys,
      ]),
      preKeys: oneTimeRanges(preKeys, nowMs),
      kyberPreKeys: oneTimeRanges(kyberPreKeys, nowMs),
      signedPreKeys: singleRanges(signedPreKeys, source.activeSignedPreKeyId, nowMs),
      lastResortKyberPreKeys: singleRanges(
        lastResortKyberPreKeys,
        source.activeLastResortKyberPreKeyId,
        nowMs,
      ),
    };
  }
}

/** Ids that must be free from the next one on: several batches of prekeys. */
const FREE_IDS = 10_000;

/**
 * The next id: the source's own, above the highest one of a prekey that is there.
 *
 * Ids begin again at 1 behind the highest possible one, where old prekeys may still be.
 */
function nextId(next: number | undefined, preKeys: readonly PreKey[]): number {
  const ids = preKeys.map(({ id }) => id).sort((a, b) => a - b);
  let id = wrap(Math.max(next ?? 1, (ids.at(-1) ?? 0) + 1));
  // Twice: behind the end of the ids comes their beginning.
  for (const taken of [...ids, ...ids]) {
    if ((taken - id + MAX_ID) % MAX_ID < FREE_IDS) id = wrap(taken + 1);
  }
  return id;
}

/** One-time prekeys that follow one another within this many ids were made together. */
const MAX_GAP = 100;

/**
 * Ranges of one-time prekeys: used ones leave gaps. The service has those that were not replaced,
 * so they count as taken by it now.
 */
function oneTimeRanges(preKeys: readonly PreKey[], nowMs: number): PreKeyRange[] {
  const ranges: PreKeyRange[] = [];
  const sorted = [...preKeys].sort((a, b) => a.id - b.id);
  for (const { id, replacedMs } of sorted) {
    const last = ranges.at(-1);
    const gap = last === undefined ? Infinity : id - (last.firstId + last.count);
    if (last !== undefined && gap < MAX_GAP && last.replacedMs === replacedMs)
      ranges[ranges.length - 1] = { ...last, count: id - last.firstId + 1 };
    else ranges.push({ firstId: id, count: 1, uploadedMs: nowMs, replacedMs });
  }
  // The replaced ones first: the service has the last range.
  return ranges.sort((a, b) => Number(a.replacedMs === 0) - Number(b.replacedMs === 0));
}

/** Ranges of a kind that the service has one prekey of: the active one, or the newest. */
function singleRanges(
  preKeys: readonly PreKey[],
  activeId: number | undefined,
  nowMs: number,
): PreKeyRange[] {
  const sorted = [...preKeys].sort((a, b) => a.madeMs - b.madeMs || a.id - b.id);
  const active = sorted.find(({ id }) => id === activeId) ?? sorted.at(-1);
  if (active === undefined) return [];
  const others = sorted.filter((preKey) => preKey !== active);
  return [
    ...others.map(({ id, madeMs, replacedMs }) => ({
      firstId: id,
      count: 1,
      uploadedMs: madeMs || nowMs,
      replacedMs: replacedMs || nowMs,
    })),
    { firstId: active.id, count: 1, uploadedMs: active.madeMs || nowMs, replacedMs: 0 },
  ];
}
