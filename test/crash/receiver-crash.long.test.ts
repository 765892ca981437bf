import { join } from 'node:path';
import { openStore } from 'sealcast';
import { afterEach, beforeEach, expect, onTestFailed, test } from 'vitest';
import { MailboxService } from '../fakes/mailbox-service.js';
import { ReceiverChildren } from '../harness/receiver-child.js';
import { text } from '../harness/receivers.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { temporaryDirectory } from '../harness/store-files.js';
import type { ReceiverMoment } from './receiver-process.js';

let directory: ReturnType<typeof temporaryDirectory>;
let service: MailboxService;
let children: ReceiverChildren;
let senders: Subscriber[];

beforeEach(() => {
  directory = temporaryDirectory();
  service = new MailboxService();
  // Small batches, and many of them.
  service.window = 16;
  children = new ReceiverChildren(service, directory.path);
});
afterEach(() => {
  ReceiverChildren.killAll();
  directory.remove();
});

/**
 * Subscribers that have begun sessions with the account: its prekeys are in the store before the
 * first process has it.
 */
async function subscribe(count: number): Promise<void> {
  const store = await openStore({ path: join(directory.path, 'store') });
  await service.publishPreKeys(store);
  senders = await Promise.all(Array.from({ length: count }, () => service.subscribe()));
  for (const sender of senders) await service.beginSession(sender);
  await store.close();
}

async function sendRound(round: number): Promise<void> {
  for (const sender of senders)
    await service.send(sender, text(`text ${round}`), { sealed: round % 2 === 0 });
}

/**
 * What is wrong with what was given out, in words: nothing was lost, every sender's messages came
 * in order, none came in twice in one process, and what was once gone from the store never came
 * again.
 */
function faults(rounds: number): string[] {
  const found: string[] = [];
  const gone = new Set<string>();
  const firsts = new Map<string, string[]>();
  let inThisProcess = new Set<string>();
  for (const { what, name } of children.ledger) {
    if (what === 'killed') inThisProcess = new Set();
    else if (what === 'gone') gone.add(name);
    else {
      if (gone.has(name)) found.push(`${name} came again after it was gone`);
      if (inThisProcess.has(name)) found.push(`${name} came twice in one process`);
      inThisProcess.add(name);
      const [sender = '', ...words] = name.split(' ');
      const body = words.join(' ');
      const own = firsts.get(sender) ?? [];
      if (!own.includes(body)) firsts.set(sender, [...own, body]);
    }
  }
  const expected = Array.from({ length: rounds }, (_, round) => `text ${round}`).join();
  for (const { aci } of senders) {
    const got = (firsts.get(aci) ?? []).join();
    if (got !== expected) found.push(`${aci}: ${got}`);
  }
  return found;
}

/** Those that were given out more than once. */
const repeated = (): string[] => children.given.filter((name, i, all) => all.indexOf(name) !== i);

test.each<[ReceiverMoment, number, number | 'some']>([
  // Not kept: the service has it. Kept, and not acknowledged: it comes again, is known, and comes
  // out of the store.
  ['before kept', 1, 0],
  ['before kept', 2, 'some'],
  ['after kept', 1, 0],
  ['after kept', 2, 'some'],
  ['after ack', 1, 'some'],
  // In hand: it comes again. So may those before it whose end was not on the disk yet.
  ['handled', 1, 1],
])('killed %s (%i), a receiver loses nothing, and repeats %s', async (moment, count, repeats) => {
  await subscribe(6);
  for (let round = 0; round < 4; round++) await sendRound(round);
  await children.dies({ moment, count });
  await children.finish(24);
  expect(faults(4)).toEqual([]);
  if (repeats !== 'some') expect(repeated()).toHaveLength(repeats);
});

test('killed at ten moments, it gives out 300 messages of 60 senders in order, none lost, none again that was gone', async () => {
  const seed = process.env['SEALCAST_CRASH_SEED'] ?? '1';
  onTestFailed(() => console.error(`SEALCAST_CRASH_SEED=${seed}`));
  const random = seededBytes(`receiver ${seed}`);
  const moments: [ReceiverMoment, number][] = [
    ['before kept', 2],
    ['after kept', 2],
    ['after ack', 20],
    ['handled', 25],
    ['before gone', 3],
    ['after gone', 3],
  ];
  await subscribe(60);
  const rounds = 5;
  for (let kill = 0; kill < 10; kill++) {
    if (kill < rounds) await sendRound(kill);
    const [moment, most] = moments[(kill + seededInteger(random, 2)) % moments.length] ?? [
      'handled',
      1,
    ];
    await children.dies({ moment, count: 1 + seededInteger(random, kill < rounds ? most : 1) });
  }
  await children.finish(60 * rounds);
  expect(faults(rounds)).toEqual([]);
  // What comes again was given out in the turns before a kill.
  expect(repeated().length).toBeLessThan(100);
  expect(service.acknowledged).toHaveLength(60 * rounds);
});
