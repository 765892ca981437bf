import { getEventListeners } from 'node:events';
import { randomBytes, randomUUID } from 'node:crypto';
import { encodeMessage } from '#dist/src/content/index.js';
import { PlaintextVariants } from '#dist/src/broadcast/plaintext-variants.js';
import { NEW_CONTACT } from '#dist/src/store/tables/contacts.js';
import type { AccountRecord } from '#dist/src/store/tables/account.js';
import type { BroadcastRecord } from '#dist/src/store/tables/broadcasts.js';
import { afterEach, describe, expect, it } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import { acis, collect, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';

let scene: Scene | undefined;
afterEach(async () => {
  await scene?.[Symbol.asyncDispose]();
  scene = undefined;
});

describe('plaintexts of a broadcast', () => {
  const record: BroadcastRecord = {
    state: 'sending',
    content: encodeMessage({ body: 'x'.repeat(2048) }, 1),
    timestamp: 1,
    urgent: true,
    createdAtMs: 1,
    finishedAtMs: 0,
    invalidRecipients: 0,
  };

  it('of thousands of expire timers are kept for a few, and each contact gets its own', () => {
    let account = { profileKey: randomBytes(32) } as unknown as AccountRecord;
    const contents = new PlaintextVariants(record, () => account);
    const plaintextOf = (expireTimer: number): Buffer =>
      Buffer.from(contents.plaintextFor({ ...NEW_CONTACT, expireTimer, expireTimerVersion: 1 }));
    const first = plaintextOf(1);
    for (let timer = 2; timer < 4000; timer++) plaintextOf(timer);
    expect(contents.size).toBe(64);
    expect(plaintextOf(1)).toEqual(first);
    expect(plaintextOf(2)).not.toEqual(first);
    // Those with the same timer share the array.
    expect(contents.plaintextFor(NEW_CONTACT)).toBe(contents.plaintextFor({ ...NEW_CONTACT }));
    const before = plaintextOf(7);
    account = { profileKey: randomBytes(32) } as unknown as AccountRecord;
    expect(plaintextOf(7)).not.toEqual(before);
  });
});

it('recipients with many timers each get their own', async () => {
  scene = await openScene();
  const subscribers = await subscribeKnown(scene, 100);
  const { broadcaster, service } = scene;
  await Promise.all(subscribers.map(({ aci }, i) => broadcaster.setExpireTimer(aci, i + 1, 2)));
  expect(await broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary()).toMatchObject({
    sealed: 100,
  });
  const timers = subscribers.map(({ aci }) => {
    const message = service.arrivals.find(({ recipient }) => recipient === aci)?.message;
    return [message?.expireTimer, message?.expireTimerVersion];
  });
  expect(timers).toEqual(subscribers.map((_, i) => [i + 1, 2]));
});

it('a run without a reader is read later from the store, each recipient once', async () => {
  scene = await openScene();
  const subscribers = await subscribeKnown(scene, 40);
  const { broadcaster } = scene;
  const [blocked, ...others] = acis(subscribers);
  await broadcaster.setBlocked(blocked ?? '', true);
  // As many deliveries as a run keeps for a reader. Entries that are no service ids are not stored.
  const invalid = Array.from({ length: 65_536 }, (_, i) => `invalid ${i}`);
  const given = [...invalid, ...acis(subscribers)];
  const run = broadcaster.broadcast({ body: 'x' }, given, { id: 'a' });
  await untilTrue(() => run.progress.ingested && run.progress.pending === 0);
  const order: string[] = [];
  const deliveries = await collect(
    (async function* () {
      for await (const delivery of run) {
        order.push(delivery.recipient);
        yield delivery;
      }
    })(),
  );
  expect(order).toHaveLength(given.length);
  expect(deliveries.size).toBe(given.length);
  // The order of the store, and not the one in which they were sent to.
  expect(order).toEqual([...invalid, ...acis(subscribers).sort()]);
  for (const aci of others)
    expect(deliveries.get(aci)).toEqual({ recipient: aci, status: 'sealed' });
  expect(deliveries.get(blocked ?? '')).toMatchObject({
    status: 'failed',
    error: { code: 'ERR_RECIPIENT_BLOCKED' },
  });
  const isRefused = (recipient: string, index: number): boolean => {
    const error = deliveries.get(recipient)?.error;
    return error?.code === 'ERR_RECIPIENT_INVALID' && error.index === index;
  };
  expect(invalid.every(isRefused)).toBe(true);
  expect(await run.summary()).toMatchObject({ recipients: 65_576, sealed: 39, failed: 65_537 });
});

it('a signal that all broadcasts share has one listener while they run, and none after', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on('warning', onWarning);
  scene = await openScene();
  const { broadcaster } = scene;
  const subscribers = await subscribeKnown(scene, 3);
  const { signal } = new AbortController();
  async function* slowly(): AsyncGenerator<string> {
    for (const aci of acis(subscribers)) {
      await new Promise(setImmediate);
      yield aci;
    }
  }
  const runs = Array.from({ length: 30 }, (_, i) =>
    broadcaster.broadcast({ body: `${i}` }, i % 2 === 0 ? slowly() : acis(subscribers), {
      id: randomUUID(),
      signal,
      dryRun: i % 3 === 0,
    }),
  );
  expect(getEventListeners(signal, 'abort').length).toBe(1);
  await Promise.all(runs.map((run) => run.summary()));
  for (let i = 0; i < 15; i++) await broadcaster.resume({ signal });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  await new Promise(setImmediate);
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
});
