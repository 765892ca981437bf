import { MemoryStore, type Change, type Receiver, type Store } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { bodiesOf, openReceiverScene, take, text, untilDelivered } from '../harness/receivers.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { WatchedStore, type StoreWatch } from '../fakes/watched-store.js';

let service: MailboxService;
let inner: MemoryStore;
let senders: Subscriber[];
const opened: Receiver[] = [];

beforeEach(async () => {
  service = new MailboxService();
  inner = new MemoryStore();
  await service.publishPreKeys(inner);
  senders = await Promise.all(Array.from({ length: 4 }, () => service.subscribe()));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((receiver) => receiver.close()));
});

async function open(store: Store = inner): Promise<Receiver> {
  const { receiver } = await openReceiverScene({ store }, service);
  opened.push(receiver);
  return receiver;
}

const watched = (watch: StoreWatch): Store => new WatchedStore(inner, watch);
const inboxRows = async (): Promise<number> =>
  (await inner.list('inbox', { prefix: '', limit: 10_000 })).length;
const hasMessages = (changes: readonly Change[]): boolean =>
  changes.some(({ table, value }) => table === 'inbox' && value !== null);

/** So many messages of each sender, interleaved. */
async function sendRounds(rounds: number, from = 0): Promise<void> {
  for (let round = from; round < from + rounds; round++) {
    for (const sender of senders) await service.send(sender, text(`text ${round}`));
  }
}
const bodiesUpTo = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `text ${i}`);

/** The next messages: of each sender these texts, in order. */
async function expectRounds(receiver: Receiver, rounds: number): Promise<void> {
  const messages = await take(receiver, rounds * senders.length);
  for (const { aci } of senders) {
    expect(bodiesOf(messages.filter(({ sender }) => sender === aci))).toEqual(bodiesUpTo(rounds));
  }
}

describe('a message', () => {
  it('is neither acknowledged nor given out before it is on the disk', async () => {
    let hold: (() => void) | undefined;
    const before = (changes: readonly Change[]): Promise<void> | undefined =>
      hasMessages(changes) && hold === undefined
        ? new Promise((resolve) => (hold = resolve))
        : undefined;
    const receiver = await open(watched({ before }));
    const taking = take(receiver, 1);
    let isGiven = false;
    void taking.then(() => (isGiven = true));
    await service.send(senders[0]!, text('held'));
    await untilTrue(() => hold !== undefined);
    await manyTurns();
    expect([isGiven, service.acknowledged, receiver.stats().messages]).toEqual([false, [], 0]);
    hold?.();
    expect(bodiesOf(await taking)).toEqual(['held']);
    await untilDelivered({ service });
  });

  it('that is acknowledged is in the inbox until the next one is asked for', async () => {
    const receiver = await open();
    await sendRounds(1);
    await untilDelivered({ service });
    expect(await inboxRows()).toBe(senders.length);
    await expectRounds(receiver, 1);
    await receiver.close();
    expect(await inboxRows()).toBe(0);
  });

  it('not dealt with when the loop is left is given again, by this receiver or by the next one', async () => {
    let receiver = await open();
    await sendRounds(2);
    await untilDelivered({ service });
    const first: (string | undefined)[] = [];
    for await (const { sender, content } of receiver) {
      first.push(`${sender} ${content.dataMessage?.body}`);
      if (first.length === 3) break;
    }
    for await (const { sender, content } of receiver) {
      expect(`${sender} ${content.dataMessage?.body}`).toBe(first[2]);
      break;
    }
    await receiver.close();
    receiver = await open();
    const [again] = await take(receiver, 1);
    expect(`${again?.sender} ${again?.content.dataMessage?.body}`).toBe(first[2]);
    await take(receiver, 2 * senders.length - 3);
    expect(receiver.stats()).toMatchObject({ ready: 0 });
  });

  it('that comes again because its acknowledgement was lost is given out once', async () => {
    const receiver = await open(
      watched({ after: (changes) => (hasMessages(changes) ? service.reconnect() : undefined) }),
    );
    await sendRounds(3);
    await expectRounds(receiver, 3);
    await untilDelivered({ service });
    expect(receiver.stats().messages).toBe(3 * senders.length);
    expect(receiver.stats().duplicates).toBeGreaterThan(0);
  });
});

describe('a store that fails', () => {
  it.each([1, 2, 3])(
    'at commit %i ends the loop, and the next receiver gets all, once, in order',
    async (failing) => {
      let commits = 0;
      const before = (changes: readonly Change[]): void => {
        if (hasMessages(changes) && ++commits === failing) throw new Error('the disk is full');
      };
      // Enough for several batches of the same senders to be in work at the same time.
      await sendRounds(110);
      const receiver = await open(watched({ before }));
      const given: string[] = [];
      const loop = async (): Promise<void> => {
        for await (const { sender, content } of receiver)
          given.push(`${sender} ${content.dataMessage?.body}`);
      };
      await expect(loop()).rejects.toThrow('the disk is full');
      await receiver.close();
      expect(service.acknowledged.length + service.queueLength).toBe(110 * senders.length);
      const next = await open();
      const rest = await take(next, 110 * senders.length - given.length);
      const all = [
        ...given,
        ...rest.map(({ sender, content }) => `${sender} ${content.dataMessage?.body}`),
      ];
      for (const { aci } of senders) {
        const own = all.filter((name) => name.startsWith(aci));
        expect(own).toEqual(bodiesUpTo(110).map((body) => `${aci} ${body}`));
      }
      await untilDelivered({ service });
    },
  );
});

describe('a receiver that discards', () => {
  it('says when it stops, for no loop would be told', async () => {
    await sendRounds(1);
    const before = (changes: readonly Change[]): void => {
      if (changes.some(({ table }) => table === 'session')) throw new Error('the disk is full');
    };
    const receiver = await open(watched({ before }));
    const errors: unknown[] = [];
    receiver.on('stopped', ({ error }) => errors.push(error));
    receiver.discard();
    await untilTrue(() => errors.length > 0);
    expect(errors).toMatchObject([{ message: 'the disk is full' }]);
    expect(service.acknowledged).toEqual([]);
  });
});

describe('a receiver that is closed', () => {
  it('while it works gives everything the next time, first what is in the inbox, in order', async () => {
    await sendRounds(100);
    const receiver = await open();
    await untilTrue(() => receiver.stats().messages > 0);
    await receiver.close();
    await receiver.close();
    expect((await receiver[Symbol.asyncIterator]().next()).done).toBe(true);
    await sendRounds(20, 100);
    await expectRounds(await open(), 120);
    await untilDelivered({ service });
  });

  it('takes no row of the next one with it', async () => {
    const receiver = await open();
    await service.send(senders[0]!, text('first'));
    const loop = receiver[Symbol.asyncIterator]();
    expect((await loop.next()).done).toBe(false);
    await untilDelivered({ service });
    await receiver.close();
    // The app is through with it only now, and the next receiver has a message in the row of this
    // number.
    const [row] = await inner.list('inbox', { prefix: '', limit: 1 });
    await inner.commit([{ table: 'inbox', key: row!.key, value: null }]);
    const next = await open();
    await service.send(senders[0]!, text('second'));
    await untilDelivered({ service });
    expect((await inner.list('inbox', { prefix: '', limit: 1 }))[0]?.key).toBe(row?.key);
    await loop.next();
    await manyTurns();
    expect(await inboxRows()).toBe(1);
    expect(bodiesOf(await take(next, 1))).toEqual(['second']);
  });

  it('ends the loop that waits for a message', async () => {
    const receiver = await open();
    const waiting = receiver[Symbol.asyncIterator]().next();
    await manyTurns();
    await receiver.close();
    expect((await waiting).done).toBe(true);
  });
});

it('only one iterates at a time, and one who left lets the next one in', async () => {
  const receiver = await open();
  await sendRounds(1);
  await untilDelivered({ service });
  const first = receiver[Symbol.asyncIterator]();
  await first.next();
  await expect(receiver[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
  });
  expect(() => receiver.discard()).toThrow();
  await first.return();
  await expectRounds(receiver, 1);
});
