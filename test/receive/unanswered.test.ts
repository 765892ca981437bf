import { MemoryStore, type Broadcaster, type ReceiverOptions } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FIRST_LOOK_MS, LOOK_INTERVAL_MS } from '#dist/src/receive/unanswered-pruner.js';
import { broadcastChange } from '#dist/src/store/tables/broadcasts.js';
import { Inbox } from '#dist/src/store/tables/inbox.js';
import { rowChange } from '#dist/src/store/tables/outbox.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { SleeplessClock } from '../fakes/manual-clock.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { labelsOf, WatchedStore } from '../fakes/watched-store.js';
import { contactIn, putContact } from '../harness/account-scene.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { openBroadcaster } from '../harness/open-with-clock.js';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let clock: SleeplessClock;
let service: MailboxService;
let scene: ReceiverScene;
let startMs: number;
beforeEach(() => {
  clock = new SleeplessClock(Date.now());
  service = new MailboxService();
  service.now = () => clock.now();
  startMs = Date.now();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function open(
  maxUnansweredContacts: number,
  options: Partial<ReceiverOptions> = {},
): Promise<void> {
  scene = await openReceiverScene({ ...options, maxUnansweredContacts }, service, clock);
}

/** A new account that writes to ours, and whose message is dealt with, its row removed. */
async function stranger(hour: number): Promise<Subscriber> {
  const subscriber = await service.subscribe();
  await write(subscriber, hour);
  await take(scene.receiver, 1);
  const { store } = scene;
  await untilTrue(async () => {
    for await (const sender of new Inbox(store).senders())
      if (sender === subscriber.aci) return false;
    return true;
  });
  return subscriber;
}
const write = (subscriber: Subscriber, hour: number): Promise<number> =>
  service.send(
    subscriber,
    { dataMessage: { body: 'hello', profileKey: subscriber.profileKey } },
    { serverTimestamp: startMs + hour * HOUR_MS },
  );

const keysOf = async (table: 'contact' | 'session' | 'senderKey'): Promise<string[]> =>
  (await scene.store.list(table, { limit: 10_000 })).map(({ key }) => key);
const contacts = async (): Promise<string[]> => (await keysOf('contact')).sort();
const acisOf = (subscribers: readonly Subscriber[]): string[] =>
  subscribers.map(({ aci }) => aci).sort();

/** Lets a look begin, and waits until these contacts alone are left. */
async function look(kept: readonly Subscriber[], afterMs = FIRST_LOOK_MS): Promise<void> {
  clock.pass(afterMs);
  await untilTrue(async () => (await contacts()).length <= kept.length);
  await manyTurns(20);
  expect(await contacts()).toEqual(acisOf(kept));
}

const withBroadcaster = async (
  work: (broadcaster: Broadcaster) => Promise<unknown>,
): Promise<void> => {
  const { store } = scene;
  await using broadcaster = await openBroadcaster(
    { store, transport: service, trustRoots: [service.trustRoot] },
    clock,
  );
  await work(broadcaster);
};

describe('contacts that were never answered', () => {
  it('are dropped above the number that is kept, the oldest first, with all that is theirs', async () => {
    await open(2);
    const third = await stranger(3);
    const first = await stranger(0);
    const second = await stranger(2);
    await stranger(1);
    await scene.store.commit([
      { table: 'session', key: `pni/${first.aci}.1`, value: Uint8Array.of(1) },
      { table: 'session', key: `${first.aci}.7`, value: Uint8Array.of(1) },
      { table: 'senderKey', key: `${first.aci}.1.group`, value: Uint8Array.of(1) },
      { table: 'senderKey', key: `${second.aci}.1.group`, value: Uint8Array.of(1) },
    ]);
    await look([second, third]);
    expect((await keysOf('session')).sort()).toEqual(
      acisOf([second, third]).map((aci) => `${aci}.1`),
    );
    expect(await keysOf('senderKey')).toEqual([`${second.aci}.1.group`]);
  });

  it('are all kept up to that number', async () => {
    await open(3);
    const strangers = [await stranger(0), await stranger(1), await stranger(2)];
    for (let count = 0; count < 5; count++) {
      clock.pass(LOOK_INTERVAL_MS);
      await manyTurns(20);
    }
    expect(await contacts()).toEqual(acisOf(strangers));
  });

  it('stay a bounded number through a month in which strangers write every day', async () => {
    await open(6);
    const all: Subscriber[] = [];
    const sizes = new Set<string>();
    for (let day = 0; day < 30; day++) {
      for (let i = 0; i < 2; i++) all.push(await stranger(day * 24 + i));
      clock.pass(DAY_MS);
      const expected = Math.min(all.length, 6);
      await untilTrue(async () => (await contacts()).length <= expected);
      if (day < 10) continue;
      const rows = [await keysOf('contact'), await keysOf('session'), await keysOf('senderKey')];
      sizes.add(rows.map(({ length }) => length).join());
    }
    expect([...sizes]).toEqual(['6,6,0']);
    expect(await contacts()).toEqual(acisOf(all.slice(-6)));
  });

  it('are looked for every six hours, by whatever date the machine has', async () => {
    await open(1);
    const first = await stranger(0);
    await look([first]);
    const second = await stranger(1);
    clock.jump(-400 * DAY_MS);
    clock.pass(LOOK_INTERVAL_MS - 1);
    await manyTurns();
    expect(await contacts()).toHaveLength(2);
    await look([second], 1);
  });

  it('are 10,000 unless the option says otherwise, which takes whole numbers alone', async () => {
    scene = await openReceiverScene({}, service, clock);
    for (let i = 0; i < 10_001; i++) {
      const name = String(i).padStart(5, '0');
      await putContact(scene, name, { unanswered: true, lastSeenMs: (i + 1) * HOUR_MS });
    }
    clock.pass(FIRST_LOOK_MS);
    await untilTrue(async () => (await scene.store.getMany('contact', ['00000']))[0] === undefined);
    await manyTurns();
    expect(await scene.store.getMany('contact', ['00001'])).not.toEqual([undefined]);
    for (const maxUnansweredContacts of [-1, 1.5, '5', Infinity]) {
      await expect(
        openReceiverScene({ maxUnansweredContacts: maxUnansweredContacts as number }),
      ).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
    }
  });
});

describe('a contact that was dropped and writes again', () => {
  it('is a new one, over a session of its own', async () => {
    await open(1);
    const first = await stranger(0);
    const second = await stranger(1);
    await look([second]);
    await service.loseSessions(first);
    await write(first, 2);
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['hello']);
    expect(await contactIn(scene, first.aci)).toMatchObject({
      unanswered: true,
      lastSeenMs: startMs + 2 * HOUR_MS,
      devices: [{ deviceId: 1 }],
    });
    await look([first], LOOK_INTERVAL_MS);
  });

  it('is asked for a message that comes in the old session, and not answered thereby', async () => {
    await open(1, { unsealedFallback: 'when-denied' });
    const first = await stranger(0);
    const second = await stranger(1);
    await look([second]);
    await write(first, 2);
    await untilTrue(() => service.retryRequests.length === 1);
    await service.loseSessions(first);
    await write(first, 3);
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['hello']);
    await look([first], LOOK_INTERVAL_MS);
  });
});

describe('a contact stays', () => {
  /**
   * Four strangers write, and one is kept: the oldest of them stays for what `protect` does, and
   * the newest as the newest.
   */
  async function expectStays(
    protect: (oldest: Subscriber) => Promise<unknown>,
    options: Partial<ReceiverOptions> = {},
  ): Promise<void> {
    await open(1, options);
    const oldest = await stranger(0);
    await stranger(1);
    await stranger(2);
    const newest = await stranger(3);
    await protect(oldest);
    await look([oldest, newest]);
    clock.pass(LOOK_INTERVAL_MS);
    await manyTurns();
    expect(await contacts()).toEqual(acisOf([oldest, newest]));
    expect(await keysOf('session')).toContain(`${oldest.aci}.1`);
  }
  const change = async (
    { aci }: Subscriber,
    fields: Parameters<typeof putContact>[2],
  ): Promise<void> => putContact(scene, aci, { ...(await contactIn(scene, aci)), ...fields });

  it('that a broadcast went to', () =>
    expectStays(({ aci }) =>
      withBroadcaster((broadcaster) => broadcaster.broadcast({ body: 'hi' }, [aci]).summary()),
    ));

  it('that a broadcast failed for', () =>
    expectStays((oldest) =>
      withBroadcaster(async (broadcaster) => {
        oldest.access = 'none';
        await broadcaster.broadcast({ body: 'hi' }, [oldest.aci]).summary();
      }),
    ));

  it('that a caller set the profile key of', () =>
    expectStays(({ aci, profileKey }) =>
      withBroadcaster((broadcaster) => broadcaster.setProfileKey(aci, profileKey)),
    ));

  it('that a caller set the timer of', () =>
    expectStays(({ aci }) =>
      withBroadcaster((broadcaster) => broadcaster.setExpireTimer(aci, 0, 0)),
    ));

  it('that a caller blocked, also when they are unblocked', () =>
    expectStays(({ aci }) =>
      withBroadcaster(async (broadcaster) => {
        await broadcaster.setBlocked(aci, true);
        await broadcaster.setBlocked(aci, false);
      }),
    ));

  it('whose record says that they are blocked', () =>
    expectStays((oldest) => change(oldest, { blocked: true })));

  it('whose profile key the phone told', () =>
    expectStays((oldest) => change(oldest, { profileKeySynced: true })));

  it('whose new identity key waits to be accepted', () =>
    expectStays(
      async (oldest) => {
        await service.reregister(oldest);
        await write(oldest, 0);
        await take(scene.receiver, 1);
        const { unanswered, pendingIdentityKey } = await contactIn(scene, oldest.aci);
        expect([unanswered, pendingIdentityKey?.length]).toEqual([true, 33]);
      },
      { onIdentityChange: 'fail' },
    ));

  it('whose identity key a caller accepted', () =>
    expectStays(
      async (oldest) => {
        await service.reregister(oldest);
        await write(oldest, 0);
        await take(scene.receiver, 1);
        await withBroadcaster((broadcaster) => broadcaster.acceptIdentity(oldest.aci));
      },
      { onIdentityChange: 'fail' },
    ));

  it('that waits for a broadcast', () =>
    expectStays(({ aci }) =>
      scene.store.commit([
        broadcastChange('later', {
          state: 'sending',
          content: Uint8Array.of(1),
          timestamp: 1,
          urgent: true,
          createdAtMs: 1,
          finishedAtMs: 0,
          invalidRecipients: 0,
        }),
        rowChange('later', aci, { state: 'queued' }),
      ]),
    ));

  it('whose message is not dealt with', () =>
    expectStays(async (oldest) => {
      await write(oldest, 0);
      await untilDelivered(scene);
    }));

  it('that is about to be asked for a message', () =>
    expectStays(({ aci }) =>
      scene.store.commit([
        new Inbox(scene.store).retryChange(900, 0, {
          sender: aci,
          senderDevice: 1,
          timestamp: 1,
          message: Uint8Array.of(1),
        }),
      ]),
    ));

  it('whose record an earlier version wrote', () =>
    expectStays(async ({ aci }) => {
      const { unanswered, ...earlier } = await contactIn(scene, aci);
      expect(unanswered).toBe(true);
      await putContact(scene, aci, earlier);
      await write(scene.service.subscribers.get(aci)!, 0);
      await take(scene.receiver, 1);
    }));
});

describe('a contact is not answered', () => {
  it('by a request to send again, nor by their receipts', async () => {
    await open(5, { unsealedFallback: 'when-denied' });
    const sender = await stranger(0);
    await scene.store.commit([{ table: 'session', key: `${sender.aci}.1`, value: null }]);
    await write(sender, 1);
    await untilTrue(() => service.retryRequests.length === 1);
    await service.loseSessions(sender);
    await service.send(sender, { receiptMessage: { type: 0, timestamp: [1] } });
    await take(scene.receiver, 1);
    expect(await contactIn(scene, sender.aci)).toMatchObject({ unanswered: true });
  });
});

describe('a broadcast to a contact that was never answered', () => {
  it('has them answered on the disk before a ciphertext for them is', async () => {
    const seen: (boolean | undefined)[] = [];
    let aci = '';
    const inner = new MemoryStore();
    const store = new WatchedStore(inner, {
      before: async (changes) => {
        if (labelsOf(changes).has('encrypted rows'))
          seen.push((await contactIn({ store: inner }, aci)).unanswered);
      },
    });
    await service.publishPreKeys(store);
    await open(5, { store });
    const sender = await stranger(0);
    ({ aci } = sender);
    expect(await contactIn(scene, aci)).toMatchObject({ unanswered: true });
    await withBroadcaster((broadcaster) => broadcaster.broadcast({ body: 'hi' }, [aci]).summary());
    expect(seen).toEqual([undefined]);
    expect((await contactIn(scene, aci)).unanswered).toBeUndefined();
    expect(service.textsOf(sender)).toEqual(['hi']);
    expect(service.countOf('sendSealed', aci)).toBe(1);
    await service.send(sender, text('thanks'));
    await take(scene.receiver, 1);
    expect((await contactIn(scene, aci)).unanswered).toBeUndefined();
  });
});

describe('our own account', () => {
  it('is no contact that was never answered, though another device of it wrote first', async () => {
    await open(0);
    const phone = await service.ownDevice();
    const sent = { syncMessage: { sent: { timestamp: 1, message: { body: 'x' } } } };
    await service.send(phone, sent, { deviceId: 2 });
    await untilDelivered(scene);
    const other = await stranger(1);
    clock.pass(FIRST_LOOK_MS);
    await untilTrue(async () => !(await contacts()).includes(other.aci));
    expect(await contacts()).toEqual([service.sender.aci]);
  });
});
