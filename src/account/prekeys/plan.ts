import { randomInt } from 'node:crypto';
import type { PreKeyRange, PreKeysRecord } from '../../store/tables/account.js';
import type { PreKeyTable } from '../../store/tables/prekeys.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Kinds of prekeys, as the state and an upload name them. */
export type PreKeyKind = 'preKeys' | 'signedPreKeys' | 'kyberPreKeys' | 'lastResortKyberPreKeys';
/** Counters of ids: one for each table. */
type Counter = 'nextPreKeyId' | 'nextSignedPreKeyId' | 'nextKyberPreKeyId';

export interface KindFacts {
  readonly table: PreKeyTable;
  readonly counter: Counter;
  /** Number of prekeys that are made at a time. */
  readonly count: number;
  /** Time for which replaced prekeys are kept: a message begun with one may come late. */
  readonly keepMs: number;
}

/**
 * Numbers of Signal's clients (Signal-Android `PreKeyUtil`, `PreKeysSyncJob`, 2026-11): batches of
 * 100; signed and last-resort prekeys are kept 30 days, one-time prekeys 90 once the service has
 * others.
 */
export const KINDS: Readonly<Record<PreKeyKind, KindFacts>> = {
  preKeys: { table: 'preKey', counter: 'nextPreKeyId', count: 100, keepMs: 90 * DAY_MS },
  signedPreKeys: {
    table: 'signedPreKey',
    counter: 'nextSignedPreKeyId',
    count: 1,
    keepMs: 30 * DAY_MS,
  },
  kyberPreKeys: {
    table: 'kyberPreKey',
    counter: 'nextKyberPreKeyId',
    count: 100,
    keepMs: 90 * DAY_MS,
  },
  lastResortKyberPreKeys: {
    table: 'kyberPreKey',
    counter: 'nextKyberPreKeyId',
    count: 1,
    keepMs: 30 * DAY_MS,
  },
};
export const KIND_NAMES = Object.keys(KINDS) as PreKeyKind[];

/** Fewest one-time prekeys of a kind at the service: with fewer, it gets new ones. */
export const MIN_ONE_TIME = 10;
/** Age in use at which signed and last-resort prekeys are replaced. */
export const ROTATION_MS = 2 * DAY_MS;

/** Ids are 1 to 2^24 - 1, as in all clients (`Medium.MAX_VALUE`). */
export const MAX_ID = 0xff_ffff;
/** The id that a counter means: 1 follows the highest one. */
export const wrap = (id: number): number => ((id - 1) % MAX_ID) + 1;
/** The id that follows; 1 after the highest one. */
export const idAfter = (id: number): number => wrap(id + 1);

export const idsOf = ({ firstId, count }: Pick<PreKeyRange, 'firstId' | 'count'>): number[] =>
  Array.from({ length: count }, (_, i) => wrap(firstId + i));

const holds = ({ firstId, count }: PreKeyRange, id: number): boolean =>
  (id - firstId + MAX_ID) % MAX_ID < count;

/**
 * Returns the state of a device that has had no prekeys.
 *
 * The first ids are random: a device that is set up again has other ids than before, so that no
 * message begun with a prekey of its earlier life finds one of the same id.
 */
export function newState(): PreKeysRecord {
  const randomId = (): number => randomInt(1, MAX_ID + 1);
  return {
    nextPreKeyId: randomId(),
    nextSignedPreKeyId: randomId(),
    nextKyberPreKeyId: randomId(),
    preKeys: [],
    signedPreKeys: [],
    kyberPreKeys: [],
    lastResortKyberPreKeys: [],
  };
}

/** Facts about a kind from which its plan follows. */
export interface KindSight {
  /** Number of one-time prekeys that the service has; undefined for a kind with one at a time. */
  readonly count: number | undefined;
  /** Whether some of the newest prekeys are no longer in the store. */
  readonly isUsed: boolean;
  readonly nowMs: number;
}

/** Work to do for a kind: nothing, upload the newest prekeys again, or make and upload new ones. */
export interface KindPlan {
  /** Whether the service has taken the newest prekeys after all, though that was not known. */
  readonly isTaken: boolean;
  readonly step: 'none' | 'again' | 'new';
}

/**
 * Plans the work for a kind.
 *
 * A crash or a lost answer may leave open whether the newest prekeys have reached the service:
 *
 * - A signed or last-resort prekey is uploaded again: twice the same is the same.
 * - One-time prekeys may not be: the service may have handed some out, and would hand them out once
 *   more. A used one proves that they arrived (its use removes it from the store). Fewer than ten
 *   at the service prove that they did not. Enough of them prove that they did, as they were made
 *   because there were too few; but not if they are the first of this device, for the account may
 *   have had others before, which this device cannot use. Then new ones are made.
 *
 * A clock that was set back makes a signed prekey as good as old.
 */
export function planOf(
  ranges: readonly PreKeyRange[],
  { count, isUsed, nowMs }: KindSight,
): KindPlan {
  const last = ranges.at(-1);
  if (last === undefined) return { isTaken: false, step: 'new' };
  const isKnown = last.uploadedMs > 0;
  if (count === undefined) {
    if (!isKnown) return { isTaken: false, step: isUsed ? 'new' : 'again' };
    const ageMs = nowMs - last.uploadedMs;
    return { isTaken: false, step: ageMs < 0 || ageMs >= ROTATION_MS ? 'new' : 'none' };
  }
  const isEnough = count >= MIN_ONE_TIME;
  const isTaken =
    !isKnown && (isUsed || (isEnough && ranges.some(({ uploadedMs }) => uploadedMs > 0)));
  if (isKnown || isTaken) return { isTaken, step: isEnough ? 'none' : 'new' };
  return { isTaken, step: isEnough ? 'new' : 'again' };
}

/** Returns the state with new prekeys of a kind, which the service does not have yet. */
export function withNew(
  state: PreKeysRecord,
  kind: PreKeyKind,
): { state: PreKeysRecord; range: PreKeyRange } {
  const { counter, count } = KINDS[kind];
  const range: PreKeyRange = { firstId: state[counter], count, uploadedMs: 0, replacedMs: 0 };
  return {
    range,
    state: { ...state, [counter]: wrap(state[counter] + count), [kind]: [...state[kind], range] },
  };
}

/**
 * Returns the state once the service has taken the newest prekeys of a kind.
 *
 * They replace the prekeys before them.
 */
export function withUploaded(state: PreKeysRecord, kind: PreKeyKind, nowMs: number): PreKeysRecord {
  const last = state[kind].length - 1;
  const ranges = state[kind].map((range, i) =>
    i === last
      ? { ...range, uploadedMs: nowMs }
      : { ...range, replacedMs: range.replacedMs || nowMs },
  );
  return { ...state, [kind]: ranges };
}

/** Returns the state without prekeys whose time is over, and the ids of these by table. */
export function pruned(
  state: PreKeysRecord,
  nowMs: number,
): {
  state: PreKeysRecord;
  removed: readonly { readonly table: PreKeyTable; readonly id: number }[];
} {
  const kept = { ...state };
  const removed: { table: PreKeyTable; id: number }[] = [];
  for (const kind of KIND_NAMES) {
    const { table, keepMs } = KINDS[kind];
    const isOver = ({ replacedMs }: PreKeyRange): boolean =>
      replacedMs > 0 && nowMs - replacedMs > keepMs;
    for (const range of state[kind].filter(isOver))
      removed.push(...idsOf(range).map((id) => ({ table, id })));
    kept[kind] = state[kind].filter((range) => !isOver(range));
  }
  return { state: kept, removed };
}

/** Whether the Kyber prekey is a last-resort one, which is not used up. */
export const isLastResort = ({ lastResortKyberPreKeys }: PreKeysRecord, id: number): boolean =>
  lastResortKyberPreKeys.some((range) => holds(range, id));
