import { MemoryStore } from 'sealcast';
import { encodeMessage } from '#dist/src/content/index.js';
import { Telemetry } from '#dist/src/runtime/telemetry.js';
import { Outbox } from '#dist/src/broadcast/outbox.js';
import { Pruner, PRUNE_INTERVAL_MS } from '#dist/src/broadcast/pruner.js';
import { Runs } from '#dist/src/broadcast/run-registry.js';
import { RecipientLocks } from '#dist/src/session/recipient-locks.js';
import { encodeBroadcast, type BroadcastState } from '#dist/src/store/tables/broadcasts.js';
import { encodeOutbox } from '#dist/src/store/tables/outbox.js';
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
  const noop = (): void => undefined;
  const warn = (_: object, message: string): number => warnings.push(message);
  pruner = new Pruner({
    outbox: new Outbox(store, clock),
    locks: new RecipientLocks(),
    keepFinishedMs: KEEP_MS,
    clock,
    telemetry: new Telemetry({ debug: noop, info: noop, warn, error: noop }),
    runs,
    index: { add: ({ id }) => void kept.push(id), pruned: ({ id }) => void pruned.push(id) },
  });
});
afterEach(() => pruner.stop());

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
