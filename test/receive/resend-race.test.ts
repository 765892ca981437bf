import { Broadcaster, MemoryStore, type Change } from 'sealcast';
import { decodeBroadcast, loadBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { WatchedStore } from '../fakes/watched-store.js';
import { openReceiverScene, take, text, type ReceiverScene } from '../harness/receivers.js';

const ID = 'news';

let service: MailboxService;
let inner: MemoryStore;
let scene: ReceiverScene;
let broadcaster: Broadcaster;
let subscribers: Subscriber[];
/** States of the broadcast's record, in the order in which their commits begin. */
let states: string[];
/** Set while the commit of a retry request is held. */
let release: (() => void) | undefined;
let holds = false;

/** A retry request's commit: a row and the record, with a session or not, and never `ingesting`. */
const isRequeue = (changes: readonly Change[]): boolean =>
  changes.some(({ table }) => table === 'outbox') &&
  changes.some(({ table }) => table === 'broadcast');

beforeEach(async () => {
  service = new MailboxService();
  inner = new MemoryStore();
  states = [];
  holds = false;
  release = undefined;
  await service.publishPreKeys(inner);
  const before = async (changes: readonly Change[]): Promise<void> => {
    if (holds && isRequeue(changes)) await new Promise<void>((resolve) => (release = resolve));
    for (const { table, value } of changes)
      if (table === 'broadcast' && value !== null) states.push(decodeBroadcast(value).state);
  };
  const store = new WatchedStore(inner, { before });
  scene = await openReceiverScene({ store }, service);
  broadcaster = await Broadcaster.open({
    store,
    transport: service,
    trustRoots: [service.trustRoot],
  });
  subscribers = await Promise.all([service.subscribe(), service.subscribe()]);
  await Promise.all(
    subscribers.map(({ aci, profileKey }) => broadcaster.setProfileKey(aci, profileKey)),
  );
});
afterEach(async () => {
  release?.();
  await broadcaster.close();
  await scene[Symbol.asyncDispose]();
});

it('a broadcast that gets more recipients while a retry request is committed keeps them all', async () => {
  const [first, second] = subscribers;
  if (first === undefined || second === undefined) throw new Error('two subscribers');
  const { timestamp } = await broadcaster
    .broadcast({ body: ID }, [first.aci], { id: ID })
    .summary();
  await service.send(first, text('thanks'));
  await take(scene.receiver, 1);
  holds = true;
  const { plaintext } = service.retryRequestFor(first, timestamp);
  await service.post(first, plaintext);
  await untilTrue(() => release !== undefined);
  states = [];
  const run = broadcaster.broadcast({ body: ID }, [first.aci, second.aci], { id: ID });
  await manyTurns();
  // The record is not taken over while a commit that was made of its old state is under way.
  expect(states).toEqual([]);
  holds = false;
  release?.();
  const summary = await run.summary();
  expect(summary.sealed).toBe(2);
  await untilTrue(async () => (await loadBroadcast(inner, ID))?.state === 'finished');
  expect(states.slice(0, 2)).toEqual(['sending', 'ingesting']);
});
