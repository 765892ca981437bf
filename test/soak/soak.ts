// An account that lives for long in a short time: daily broadcasts, answers, receipts, messages
// that cannot be decrypted, requests to send again, connections that are lost. The clock is moved
// by hand; store, workers and libsignal are real.
import { getEventListeners } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, Receiver, type Store, type TableName } from 'sealcast';
import { Telemetry } from '#dist/src/runtime/telemetry.js';
import { checkSharedOptions } from '#dist/src/runtime/options.js';
import { BroadcastService } from '#dist/src/broadcast/service.js';
import { checkBroadcast, checkLimits } from '#dist/src/broadcast/options.js';
import { PRUNE_INTERVAL_MS } from '#dist/src/broadcast/pruner.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { MailboxService, ratchetType } from '../fakes/mailbox-service.js';
import { ManualClock } from '../fakes/manual-clock.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

const DAY_MS = 86_400_000;
/** Once in so many days a session breaks. */
const BREAK_DAYS = 10;
const PRUNES_PER_DAY = DAY_MS / PRUNE_INTERVAL_MS;
const TABLES: readonly TableName[] = [
  'contact',
  'session',
  'senderKey',
  'broadcast',
  'outbox',
  'inbox',
  'certificate',
];

export interface SoakOptions {
  /** Directory of the store. */
  readonly path: string;
  readonly days: number;
  readonly subscribers: number;
  /** Connections that are lost each day. */
  readonly reconnectsPerDay: number;
}

/** Sizes at the end of a day. */
export interface SoakSample {
  readonly day: number;
  /** Entries by table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly storeBytes: number;
  /** After a collection, where Node was started with --expose-gc. */
  readonly heapBytes: number;
  /** On the signal that every broadcast was given. */
  readonly abortListeners: number;
  /** Of the manual clock. */
  readonly timers: number;
  readonly messages: number;
  readonly resent: number;
}

async function countRows(store: Store, table: TableName): Promise<number> {
  let count = 0;
  for (let after: string | undefined; ;) {
    const page = await store.list(table, { limit: 1000, ...(after !== undefined && { after }) });
    count += page.length;
    if (page.length < 1000) return count;
    after = page.at(-1)?.key;
  }
}

function heapBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

const WAIT_STEP_MS = 1_000;

/** Yields the sizes at the end of each day. `Date.now` is the manual clock's while it runs. */
export async function* soak(options: SoakOptions): AsyncGenerator<SoakSample, void, void> {
  const realNow = Date.now;
  const clock = new ManualClock();
  Date.now = () => clock.now();
  const controller = new AbortController();
  const service = new MailboxService();
  const store = await openStore({ path: options.path });
  await service.publishPreKeys(store);
  const { sender } = service;
  const shared = {
    store,
    transport: service,
    trustRoots: [service.trustRoot],
    account: sender,
    threads: 1,
  };
  const core = await BroadcastService.open({
    ...checkSharedOptions(shared),
    telemetry: new Telemetry(),
    policies: { unsealedFallback: 'never', onIdentityChange: 'accept' },
    limits: checkLimits({}),
    events: { emit: () => undefined },
    clock,
  });
  const receiver = await Receiver.open({ ...shared, maintainPreKeys: false });
  try {
    receiver.discard();
    const subscribers: Subscriber[] = [];
    for (let i = 0; i < options.subscribers; i++) subscribers.push(await service.subscribe());
    for (const subscriber of subscribers) {
      await service.beginSession(subscriber);
      await service.send(subscriber, {
        dataMessage: { body: 'HELLO', profileKey: subscriber.profileKey },
      });
    }
    await untilTrue(() => service.queueLength === 0);
    for (let day = 1; day <= options.days; day++) {
      yield await liveOneDay(day);
    }
  } finally {
    await receiver.close();
    await core.close(new Error('closed') as never);
    await store.close();
    Date.now = realNow;
  }

  /**
   * Time passes while anything but the pruner waits on the clock, as a request to send again does.
   */
  function passUntil(isDone: () => boolean): Promise<void> {
    return untilTrue(() => {
      if (clock.pending > 1) clock.pass(WAIT_STEP_MS);
      return isDone();
    });
  }

  /**
   * The account loses a session: it asks for the message that it cannot read, and the subscriber
   * begins anew.
   */
  async function breakSession(day: number): Promise<void> {
    const subscriber = [...service.subscribers.values()][day % options.subscribers];
    if (subscriber === undefined) return;
    await store.commit([{ table: 'session', key: `${subscriber.aci}.1`, value: null }]);
    await service.send(subscriber, { dataMessage: { body: 'can you read this?' } });
    await passUntil(() => service.retryRequests.length > 0);
    await service.beginSession(subscriber);
    await service.send(subscriber, { dataMessage: { body: 'and now?' } });
    await passUntil(() => service.queueLength === 0);
    service.retryRequests.splice(0);
  }

  async function liveOneDay(day: number): Promise<SoakSample> {
    const acis = [...service.subscribers.keys()].slice(0, options.subscribers);
    const message = checkBroadcast({ body: `news of day ${day}` }, acis, {
      id: `day-${day}`,
      signal: controller.signal,
    });
    await core.broadcast(message).summary();
    const arrivals = service.arrivals.splice(0);
    let resent = 0;
    for (const [i, subscriber] of [...service.subscribers.values()]
      .slice(0, options.subscribers)
      .entries()) {
      const arrival = arrivals.find(({ recipient }) => recipient === subscriber.aci);
      const timestamps = arrival === undefined ? [] : [arrival.timestamp];
      await service.send(subscriber, { receiptMessage: { type: 0, timestamp: timestamps } });
      if (i % 3 === 0) await service.send(subscriber, { dataMessage: { body: 'thanks' } });
      // One of them, each day another, cannot read the news and asks for it.
      if (arrival !== undefined && i === day % options.subscribers) {
        const facts = {
          ciphertext: Uint8Array.from(arrival.ciphertext),
          type: ratchetType(arrival.type),
        };
        await service.post(
          subscriber,
          service.retryRequestFor(subscriber, arrival.timestamp, facts).plaintext,
        );
        resent += 1;
      }
    }
    await passUntil(() => service.queueLength === 0);
    await passUntil(() => service.arrivals.length >= resent);
    if (day % BREAK_DAYS === 0) await breakSession(day);
    for (let i = 0; i < options.reconnectsPerDay; i++) {
      service.reconnect();
      await manyTurns(2);
    }
    for (let look = 0; look < PRUNES_PER_DAY; look++) {
      clock.pass(PRUNE_INTERVAL_MS);
      // Armed again: the look is over.
      await passUntil(() => clock.pending === 1);
    }
    // What the fake service remembers is not the account's.
    for (const log of [service.arrivals, service.requests, service.acknowledged]) log.splice(0);
    const rows: Record<string, number> = {};
    for (const table of TABLES) rows[table] = await countRows(store, table);
    return {
      day,
      rows,
      storeBytes: readdirSync(options.path).reduce(
        (bytes, name) => bytes + statSync(join(options.path, name)).size,
        0,
      ),
      heapBytes: heapBytes(),
      abortListeners: getEventListeners(controller.signal, 'abort').length,
      timers: clock.pending,
      messages: receiver.stats().messages,
      resent,
    };
  }
}
