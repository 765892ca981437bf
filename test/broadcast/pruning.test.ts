import { MemoryStore, type Change } from 'sealcast';
import { encodeMessage } from '#dist/src/content/index.js';
import { Telemetry } from '#dist/src/runtime/telemetry.js';
import { Outbox } from '#dist/src/broadcast/outbox.js';
import { Pruner, PRUNE_INTERVAL_MS } from '#dist/src/broadcast/pruner.js';
import { Runs } from '#dist/src/broadcast/run-registry.js';
import { RecipientLocks } from '#dist/src/session/recipient-locks.js';
import { encodeBroadcast, type BroadcastState } from '#dist/src/store/tables/broadcasts.js';
import { encodeOutbox } from '#dist/src/store/tables/outbox.js';
import { uploadChange } from '#dist/src/store/tables/uploads.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manyTurns } from '../harness/await-condition.js';
import { ManualClock } from '../fakes/manual-clock.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const KEEP_MS = 14 * DAY_MS;

let store: MemoryStore;
let clock: ManualClock;
let runs: Runs;
let pruner: Pruner;
/** Ids that the first look left in the store. */
let kept: string[];
let pruned: string[];
let warnings: string[];
beforeEach(() => {
  store = new MemoryStore();
  clock = new ManualClock();
  runs = new Runs({});
  kept = [];
  pruned = [];
  warnings = [];
  pruner = makePruner();
});
afterEach(() => pruner.stop());

function makePruner(): Pruner {
  const noop = (): void => undefined;
  const warn = (_: object, message: string): number => warnings.push(message);
  return new Pruner({
    outbox: new Outbox(store, clock),
    locks: new RecipientLocks(),
    keepFinishedMs: KEEP_MS,
    clock,
    telemetry: new Telemetry({ debug: noop, info: noop, warn, error: noop }),
    runs,
    index: { add: ({ id }) => void kept.push(id), pruned: ({ id }) => void pruned.push(id) },
  });
}
async function put(
  id: string,
  finishedAtMs: number,
  state: BroadcastState = 'finished',
): Promise<void> {
  const content = encodeMessage({ body: 'x' }, finishedAtMs);
  const record = {
    content,
    timestamp: finishedAtMs,
    urgent: true,
    createdAtMs: finishedAtMs,
    invalidRecipients: 0,
  };
  await store.commit([
    { table: 'broadcast', key: id, value: encodeBroadcast({ ...record, state, finishedAtMs }) },
    { table: 'outbox', key: `${id}/r`, value: encodeOutbox({ state: 'done', status: 'sealed' }) },
  ]);
}
async function stored(): Promise<string[]> {
  const [broadcasts, rows] = await Promise.all([
    store.list('broadcast', { limit: 100 }),
    store.list('outbox', { limit: 100 }),
  ]);
  const ids = broadcasts.map(({ key }) => key);
  expect(rows.map(({ key }) => key)).toEqual(ids.map((id) => `${id}/r`));
  return ids;
}
/** Puts the upload of one attachment, as a finished one is stored. */
async function putUpload(id: string, index: number): Promise<void> {
  const record = {
    key: new Uint8Array(64).fill(1),
    iv: new Uint8Array(16).fill(2),
    plaintextHash: new Uint8Array(32).fill(3),
    clientUuid: new Uint8Array(16).fill(4),
    startedAtMs: clock.now(),
    finishedAtMs: clock.now(),
    permit: { cdnNumber: 3, cdnKey: 'file', uploadUrl: '', headers: [] },
  };
  await store.commit([uploadChange(id, index, record)]);
}
async function storedUploads(): Promise<string[]> {
  const uploads = await store.list('account', { prefix: 'upload/', limit: 100 });
  return uploads.map(({ key }) => key);
}
/** Lists the tables and keys of each commit from now on. */
function watchCommits(): string[][] {
  const commits: string[][] = [];
  const commit = store.commit.bind(store);
  store.commit = (changes: readonly Change[]) => {
    commits.push(changes.map(({ table, key }) => `${table} ${key}`));
    return commit(changes);
  };
  return commits;
}
async function start(): Promise<string[]> {
  await pruner.start();
  return kept;
}
/** Time passes, look by look. */
async function pass(ms: number): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= PRUNE_INTERVAL_MS) {
    clock.pass(Math.min(leftMs, PRUNE_INTERVAL_MS));
    await manyTurns(20);
  }
}

describe('finished broadcasts', () => {
  it('leave the outbox when they are old enough, at opening and while it is open', async () => {
    await put('old', clock.now() - KEEP_MS - 1);
    await put('young', clock.now() - KEEP_MS + DAY_MS);
    await put('sent', clock.now() - KEEP_MS - DAY_MS, 'sending');
    expect(await start()).toEqual(['sent', 'young']);
    expect(await stored()).toEqual(['sent', 'young']);
    await pass(DAY_MS - HOUR_MS);
    expect(await stored()).toEqual(['sent', 'young']);
    await pass(2 * PRUNE_INTERVAL_MS);
    expect(await stored()).toEqual(['sent']);
    expect(pruned).toEqual(['old', 'young']);
  });

  it('of a year of daily broadcasts are two weeks’ at most', async () => {
    await start();
    for (let day = 0; day < 365; day++) {
      await put(`day-${String(day).padStart(3, '0')}`, clock.now());
      await pass(DAY_MS);
      expect((await stored()).length).toBeLessThanOrEqual(15);
      expect(clock.pending).toBe(1);
    }
    expect(pruned.length).toBeGreaterThan(349);
  });

  it('that a run goes on with, or that a contact asked for again, stay', async () => {
    await start();
    await put('busy', clock.now() - KEEP_MS - 1);
    await put('other', clock.now() - KEEP_MS - 1);
    let end!: () => void;
    runs.add('busy', 'run', {
      stop: () => undefined,
      ended: new Promise<void>((resolve) => (end = resolve)),
    });
    await pass(PRUNE_INTERVAL_MS);
    expect(await stored()).toEqual(['busy']);
    end();
    await put('busy', clock.now() - KEEP_MS - 1, 'sending');
    await pass(PRUNE_INTERVAL_MS);
    expect(await stored()).toEqual(['busy']);
  });

  it('that are being taken out are waited for by a run of the same id', async () => {
    await put('old', clock.now() - KEEP_MS - 1);
    let letGo!: () => void;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const working = runs.whileIdle('old', () => held);
    expect(runs.hasUsersRun('old')).toBe(false);
    let isIdle = false;
    runs.whenIdle('old', () => (isIdle = true));
    await manyTurns(5);
    expect(isIdle).toBe(false);
    letGo();
    await working;
    await manyTurns(5);
    expect(isIdle).toBe(true);
  });
});

describe('keys of the attachments of a finished broadcast', () => {
  it('leave with it, damaged ones too, and those of other broadcasts stay', async () => {
    await put('old', clock.now() - KEEP_MS - 1);
    await put('old2', clock.now());
    for (const id of ['old', 'old2', 'unsent']) await putUpload(id, 0);
    for (const index of [1, 10]) await putUpload('old', index);
    const other = [
      { table: 'account', key: 'upload/old/2', value: Uint8Array.of(255) },
      { table: 'account', key: 'other', value: Uint8Array.of(1) },
    ] as const;
    await store.commit(other);
    await start();
    expect(await stored()).toEqual(['old2']);
    expect(await storedUploads()).toEqual(['upload/old2/0', 'upload/unsent/0']);
    expect(await store.getMany('account', ['other'])).toEqual([Uint8Array.of(1)]);
  });

  it('are removed in the commit that removes its record', async () => {
    await put('old', clock.now() - KEEP_MS - 1);
    await putUpload('old', 0);
    const commits = watchCommits();
    await start();
    expect(commits.at(-1)).toEqual(['broadcast old', 'account upload/old/0']);
    expect(commits.flat().filter((name) => name.startsWith('account'))).toHaveLength(1);
  });

  it.each([0, 1, 2])('are removed at the next look after a crash at commit %i', async (crashAt) => {
    await put('old', clock.now() - KEEP_MS - 1);
    await putUpload('old', 0);
    const commit = store.commit.bind(store);
    let commits = 0;
    store.commit = (changes) =>
      commits++ === crashAt ? Promise.reject(new Error('the process is gone')) : commit(changes);
    await expect(start()).rejects.toThrow('the process is gone');
    expect(await storedUploads()).toEqual(['upload/old/0']);
    expect(await store.getMany('broadcast', ['old'])).toEqual([expect.any(Uint8Array)]);
    await pruner.stop();
    pruner = makePruner();
    await start();
    expect(await stored()).toEqual([]);
    expect(await storedUploads()).toEqual([]);
  });
});

describe('a clock that is not believed prunes nothing', () => {
  it('set a year ahead while it is open: not at the next look', async () => {
    await put('young', clock.now() - DAY_MS);
    await start();
    clock.jump(365 * DAY_MS);
    await pass(PRUNE_INTERVAL_MS);
    expect(await stored()).toEqual(['young']);
    expect(warnings).toEqual(['prune outbox: clock may be wrong, retry in six hours']);
    // And set right again.
    clock.jump(-365 * DAY_MS);
    await pass(4 * PRUNE_INTERVAL_MS);
    expect(await stored()).toEqual(['young']);
    await pass(KEEP_MS);
    expect(await stored()).toEqual([]);
  });

  it('set a year ahead before it is opened', async () => {
    await put('young', clock.now() - DAY_MS);
    clock.jump(365 * DAY_MS);
    expect(await start()).toEqual(['young']);
    expect(await stored()).toEqual(['young']);
    expect(warnings.length).toBe(1);
  });

  it('years behind', async () => {
    await put('old', clock.now() - KEEP_MS - 1);
    clock.jump(-10 * 365 * DAY_MS);
    await start();
    await pass(DAY_MS);
    expect(await stored()).toEqual(['old']);
  });
});

it('a broadcast that a crash left half taken out goes at any time of the clock', async () => {
  await put('half', clock.now() - DAY_MS, 'pruned');
  clock.jump(-365 * DAY_MS);
  await start();
  expect(await stored()).toEqual([]);
});

it('a store that fails is tried again', async () => {
  await start();
  await put('old', clock.now() - KEEP_MS - 1);
  const list = store.list.bind(store);
  store.list = () => Promise.reject(new Error('away'));
  await pass(PRUNE_INTERVAL_MS);
  expect(warnings).toEqual(['prune outbox: failed, retry in six hours']);
  store.list = list;
  await pass(PRUNE_INTERVAL_MS);
  expect(await stored()).toEqual([]);
});

it('nothing is looked at after it was stopped', async () => {
  await start();
  await pruner.stop();
  await put('old', clock.now() - KEEP_MS - 1);
  expect(clock.pending).toBe(0);
  await pass(DAY_MS);
  expect(await stored()).toEqual(['old']);
});
