import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { MemoryStore, type Logger, type StoreEntry } from 'sealcast';
import { OverlayStore } from '#dist/src/broadcast/dry-run.js';
import { TABLES, type Change } from '#dist/src/store/store.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import {
  acis,
  collect,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

const lines: { readonly facts: object }[] = [];
const line = (facts: object): number => lines.push({ facts });
const logger: Logger = { debug: line, info: line, warn: line, error: line };
let scene: Scene;
let subscribers: Subscriber[];
beforeEach(async () => {
  lines.splice(0);
  scene = await openScene({ logger });
  subscribers = await subscribeKnown(scene, 6);
  await scene.broadcaster
    .broadcast({ body: 'before' }, acis(subscribers.slice(0, 3)), { id: 'before' })
    .summary();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function contents(): Promise<StoreEntry[][]> {
  const tables = await Promise.all(TABLES.map((table) => scene.store.list(table, { limit: 1000 })));
  return tables.map((entries) => [...entries]);
}
const SAME = { id: 'a', timestamp: 1_700_000_000_000 };

describe('a dry run', () => {
  it('leaves the whole store as it is', async () => {
    const before = await contents();
    await scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers), { ...SAME, dryRun: true })
      .summary();
    expect(await contents()).toEqual(before);
    expect(await scene.broadcaster.resume()).toEqual([]);
  });

  it('leaves id and timestamp to the real one, and to another broadcast', async () => {
    const { broadcaster } = scene;
    const dry = { ...SAME, dryRun: true };
    expect(
      await broadcaster.broadcast({ body: 'x' }, acis(subscribers), dry).summary(),
    ).toMatchObject({ sealed: 6 });
    // Another id with the same timestamp.
    const other = { ...SAME, id: 'b' };
    expect(
      await broadcaster.broadcast({ body: 'y' }, acis(subscribers), other).summary(),
    ).toMatchObject({ sealed: 6 });
    // The same id with another text.
    const real = { id: 'a' };
    expect(
      await broadcaster.broadcast({ body: 'z' }, acis(subscribers), real).summary(),
    ).toMatchObject({ sealed: 6 });
    for (const subscriber of subscribers)
      expect(scene.service.textsOf(subscriber).slice(-2)).toEqual(['y', 'z']);
  });

  it('holds up no real one that begins, runs and ends meanwhile, nor another dry one', async () => {
    const { broadcaster } = scene;
    const dry = broadcaster.broadcast({ body: 'x' }, acis(subscribers), { ...SAME, dryRun: true });
    dry.pause();
    const other = broadcaster.broadcast({ body: 'x' }, acis(subscribers), {
      ...SAME,
      dryRun: true,
    });
    const real = broadcaster.broadcast({ body: 'x' }, acis(subscribers), SAME);
    expect(await real.summary()).toMatchObject({ sealed: 6 });
    expect(await other.summary()).toMatchObject({ recipients: 6 });
    dry.resume();
    expect(await dry.summary()).toMatchObject({ recipients: 6 });
    for (const subscriber of subscribers)
      expect(scene.service.textsOf(subscriber).at(-1)).toBe('x');
    expect(await broadcaster.resume()).toEqual([]);
  });

  it('is refused for a timestamp that the real one would be refused for', () => {
    const [record] = lines;
    expect(record).toBeDefined();
    const options = { timestamp: 5, dryRun: true };
    const { broadcaster } = scene;
    const real = broadcaster.broadcast({ body: 'x' }, [], { id: 'real', timestamp: 5 });
    return real.summary().then(() => {
      expect(() => broadcaster.broadcast({ body: 'x' }, [], { id: 'dry', ...options })).toThrow(
        expect.objectContaining({ field: 'timestamp' }) as Error,
      );
    });
  });

  it('emits nothing, and marks each metric and each line', async () => {
    const { broadcaster } = scene;
    const published: object[] = [];
    const names = ['broadcast:start', 'broadcast:end', 'delivery', 'stage', 'refusal'].map(
      (name) => `sealcast:${name}`,
    );
    const note = (facts: unknown): number => published.push(facts as object);
    for (const name of names) subscribe(name, note);
    lines.splice(0);
    for (const event of ['challenge', 'identityChange', 'certificateProblem'] as const) {
      broadcaster.on(event, () => failTest('event'));
    }
    await collect(
      broadcaster.broadcast({ body: 'x' }, acis(subscribers), { ...SAME, dryRun: true }),
    );
    for (const name of names) unsubscribe(name, note);
    expect(published.length).toBeGreaterThan(6);
    for (const facts of published) expect(facts).toMatchObject({ dryRun: true });
    expect(lines.length).toBeGreaterThan(1);
    for (const { facts } of lines) expect(facts).toMatchObject({ dryRun: true });
    // And no other.
    lines.splice(0);
    await broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary();
    for (const { facts } of lines) expect(facts).not.toHaveProperty('dryRun');
  });

  it('ends with the broadcaster', async () => {
    const { broadcaster } = scene;
    const run = broadcaster.broadcast({ body: 'x' }, acis(subscribers), { dryRun: true });
    run.pause();
    await untilTrue(() => run.progress.ingested);
    const summary = run.summary();
    summary.catch(() => undefined);
    await broadcaster.close();
    await expect(summary).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });
});

it('two broadcasts that are given one timestamp at once are not both sent', async () => {
  const { broadcaster, service } = scene;
  const sends = ['c', 'd'].map((id) =>
    broadcaster.broadcast({ body: id }, acis(subscribers), { ...SAME, id }).summary(),
  );
  const [one, other] = await Promise.allSettled(sends);
  expect(one).toMatchObject({ status: 'fulfilled', value: { sealed: 6 } });
  expect(other).toMatchObject({
    status: 'rejected',
    reason: { code: 'ERR_INVALID_ARGUMENT', field: 'timestamp' },
  });
  expect(service.arrivals.filter(({ message }) => message.body === 'd')).toEqual([]);
});

describe('the memory of a dry run', () => {
  it('has of a recipient whose part has ended no session, no contact, and a row that it shares', async () => {
    const overlay = new OverlayStore(new MemoryStore());
    const recipients = Array.from({ length: 10_000 }, (_, i) => `recipient-${i}`);
    const big = new Uint8Array(4096);
    for (const recipient of recipients) {
      const changes: Change[] = [
        { table: 'session', key: `${recipient}.1`, value: big },
        { table: 'session', key: `${recipient}.2`, value: big },
        { table: 'contact', key: recipient, value: big.subarray(0, 100) },
        { table: 'outbox', key: `a/${recipient}`, value: big },
      ];
      await overlay.commit(changes);
      await overlay.commit([
        { table: 'outbox', key: `a/${recipient}`, value: Uint8Array.of(8, 2) },
      ]);
      overlay.forget(recipient);
    }
    expect(overlay.size).toBe(recipients.length);
    const rows = await overlay.getMany('outbox', ['a/recipient-0', 'a/recipient-9999']);
    expect(rows).toEqual([Uint8Array.of(8, 2), Uint8Array.of(8, 2)]);
    // What it gives out is the caller's own.
    rows[0]?.fill(0);
    expect(await overlay.getMany('outbox', ['a/recipient-9999'])).toEqual([Uint8Array.of(8, 2)]);
    expect(await overlay.getMany('session', ['recipient-5.1'])).toEqual([undefined]);
  });
});
