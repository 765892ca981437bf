import { MemoryStore, openStore, type Change, type Store } from 'sealcast';
import { afterEach, describe, expect, it } from 'vitest';
import {
  FIRST_LOOK_MS,
  LOOK_INTERVAL_MS,
  MIN_BEGUN,
  UnansweredPruner,
} from '#dist/src/receive/unanswered-pruner.js';
import { Records } from '#dist/src/runtime/records.js';
import { Telemetry } from '#dist/src/runtime/telemetry.js';
import { RecipientLocks } from '#dist/src/session/recipient-locks.js';
import { contactChange, NEW_CONTACT } from '#dist/src/store/tables/contacts.js';
import { broadcastChange } from '#dist/src/store/tables/broadcasts.js';
import { Inbox } from '#dist/src/store/tables/inbox.js';
import { rowChange } from '#dist/src/store/tables/outbox.js';
import { senderKeyChange, sessionChangeAt } from '#dist/src/store/tables/sessions.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { WatchedStore, type StoreWatch } from '../fakes/watched-store.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { temporaryDirectory } from '../harness/store-files.js';

const HOUR_MS = 3_600_000;

const removals: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const remove of removals.splice(0).reverse()) await remove();
});

interface Setting {
  readonly clock: ManualClock;
  readonly locks: RecipientLocks;
  readonly pruner: UnansweredPruner;
  /** Lines of the log, of warnings. */
  readonly warnings: unknown[];
}

function start(store: Store, maxContacts: number): Setting {
  const clock = new ManualClock();
  const locks = new RecipientLocks();
  const warnings: unknown[] = [];
  const quiet = (): void => undefined;
  const warn = (facts: unknown): void => void warnings.push(facts);
  const telemetry = new Telemetry({ debug: quiet, info: quiet, warn, error: quiet });
  const runtime = { options: { store, telemetry }, clock, locks, account: { aci: 'own' } };
  const pruner = new UnansweredPruner({
    runtime: runtime as never,
    records: new Records(store, clock),
    inbox: new Inbox(store),
    maxContacts,
  });
  pruner.start();
  removals.push(() => pruner.stop());
  return { clock, locks, pruner, warnings };
}

const nameOf = (index: number): string => `contact-${String(index).padStart(5, '0')}`;
/** Contacts that were never answered, the oldest first, with a session and a sender key each. */
const contactsOf = (count: number): Change[] =>
  Array.from({ length: count }, (_, i) => [
    contactChange(nameOf(i), { ...NEW_CONTACT, unanswered: true, lastSeenMs: (i + 1) * HOUR_MS }),
    sessionChangeAt(`${nameOf(i)}.1`, Uint8Array.of(1)),
    sessionChangeAt(`${nameOf(i)}.1`, Uint8Array.of(1), 'pni'),
    senderKeyChange(`${nameOf(i)}.1.group`, Uint8Array.of(1)),
  ]).flat();
const namesFrom = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => nameOf(from + i));

async function keysOf(store: Store, table: 'contact' | 'session' | 'senderKey'): Promise<string[]> {
  return (await store.list(table, { limit: 100_000 })).map(({ key }) => key).sort();
}
const contactsIn = (store: Store): Promise<string[]> => keysOf(store, 'contact');

/** Resolves once the look that begins now has its first locks to wait for. */
async function lookBehind(
  { clock, locks }: Setting,
  serviceIds: readonly string[],
  change: () => Promise<unknown>,
): Promise<void> {
  const release = await locks.acquire(serviceIds);
  clock.pass(FIRST_LOOK_MS);
  await manyTurns();
  await change();
  release();
  await untilTrue(() => clock.pending === 1);
}

describe('the look for contacts that were never answered', () => {
  it.each([
    ['a MemoryStore', (): Promise<Store> => Promise.resolve(new MemoryStore())],
    ['LMDB', (): Promise<Store> => temporaryStore(undefined)],
    ['encrypted LMDB', (): Promise<Store> => temporaryStore(new Uint8Array(32).fill(7))],
  ])('removes their rows from %s, and none of contacts with a like name', async (_name, make) => {
    const store = await make();
    await store.commit([
      ...contactsOf(300),
      sessionChangeAt(`${nameOf(0)}0.1`, Uint8Array.of(1)),
      senderKeyChange(`${nameOf(0)}0.1.group`, Uint8Array.of(1)),
    ]);
    const { clock, warnings } = start(store, 10);
    clock.pass(FIRST_LOOK_MS);
    await untilTrue(() => clock.pending === 1);
    const kept = namesFrom(290, 300);
    expect(await contactsIn(store)).toEqual(kept);
    const addresses = [`${nameOf(0)}0`, ...kept].map((name) => `${name}.1`);
    const pni = kept.map((name) => `pni/${name}.1`);
    expect(await keysOf(store, 'session')).toEqual([...addresses, ...pni]);
    expect(await keysOf(store, 'senderKey')).toEqual(addresses.map((name) => `${name}.group`));
    expect(warnings).toEqual([{ contacts: 290, kept: 10 }]);
  });

  it('drops some at a time, each with all that is theirs in one commit', async () => {
    const sizes: number[] = [];
    const inner = new MemoryStore();
    await inner.commit(contactsOf(3_000));
    const { clock } = start(
      watched(inner, { after: (changes) => void sizes.push(changes.length) }),
      0,
    );
    clock.pass(FIRST_LOOK_MS);
    await untilTrue(() => clock.pending === 1);
    expect(await contactsIn(inner)).toEqual([]);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_024);
    expect(sizes.every((size) => size % 4 === 0)).toBe(true);
  });

  it('is finished by the next process, where a kill cuts it off', async () => {
    const inner = new MemoryStore();
    await inner.commit(contactsOf(1_000));
    let commits = 0;
    const dying = watched(inner, {
      before: () => {
        commits += 1;
        if (commits === 3) throw new Error('killed');
      },
    });
    const first = start(dying, 10);
    first.clock.pass(FIRST_LOOK_MS);
    await untilTrue(() => first.clock.pending === 1);
    const left = await contactsIn(inner);
    expect(left.length).toBeGreaterThan(10);
    expect(left.length).toBeLessThan(1_000);
    // No contact is there in part.
    expect(await keysOf(inner, 'senderKey')).toEqual(left.map((name) => `${name}.1.group`));
    expect((await keysOf(inner, 'session')).length).toBe(2 * left.length);
    const second = start(inner, 10);
    second.clock.pass(FIRST_LOOK_MS);
    await untilTrue(() => second.clock.pending === 1);
    expect(await contactsIn(inner)).toEqual(namesFrom(990, 1_000));
    expect(await keysOf(inner, 'session')).toHaveLength(20);
  });

  it('is tried again after six hours, where the store fails', async () => {
    const inner = new MemoryStore();
    await inner.commit(contactsOf(3));
    let isBroken = true;
    const store = watched(inner, {
      before: () => {
        if (isBroken) throw new Error('no disk');
      },
    });
    const { clock, warnings } = start(store, 1);
    clock.pass(FIRST_LOOK_MS);
    await untilTrue(() => warnings.length === 1);
    expect(warnings).toEqual([{ code: 'UNKNOWN' }]);
    isBroken = false;
    await untilTrue(() => clock.pending === 1);
    clock.pass(LOOK_INTERVAL_MS);
    await untilTrue(() => clock.pending === 1);
    expect(await contactsIn(inner)).toEqual([nameOf(2)]);
  });

  it('begins at once where as many contacts are new as are kept, and at least 1,024', async () => {
    const store = new MemoryStore();
    await store.commit(contactsOf(5));
    const { clock, pruner } = start(store, 1);
    pruner.noteBegun(MIN_BEGUN);
    await manyTurns();
    expect(await contactsIn(store)).toHaveLength(5);
    pruner.noteBegun(1);
    await untilTrue(async () => (await contactsIn(store)).length === 1);
    await untilTrue(() => clock.pending === 1);
    await store.commit(contactsOf(5));
    pruner.noteBegun(MIN_BEGUN);
    await manyTurns();
    expect(await contactsIn(store)).toHaveLength(5);
  });

  it('drops nothing further once it is stopped', async () => {
    const store = new MemoryStore();
    await store.commit(contactsOf(3));
    const { clock, locks, pruner } = start(store, 0);
    const release = await locks.acquire([nameOf(0)]);
    clock.pass(FIRST_LOOK_MS);
    await manyTurns();
    const stopped = pruner.stop();
    release();
    await stopped;
    expect(clock.pending).toBe(0);
    clock.pass(LOOK_INTERVAL_MS);
    pruner.noteBegun(2 * MIN_BEGUN);
    await manyTurns();
    expect((await contactsIn(store)).length).toBe(3);
  });
});

describe('a contact that is about to be dropped', () => {
  const oldest = nameOf(0);
  const answered = { ...NEW_CONTACT, lastSeenMs: HOUR_MS };

  it.each<[string, (store: Store) => Change[]]>([
    ['that a broadcast reaches', () => [contactChange(oldest, answered)]],
    [
      'that a caller blocks',
      () => [contactChange(oldest, { ...answered, unanswered: true, blocked: true })],
    ],
    [
      'that writes',
      () => [contactChange(oldest, { ...answered, unanswered: true, lastSeenMs: 9 * HOUR_MS })],
    ],
    [
      'that writes within the hour',
      (store) => [
        new Inbox(store).messageChange(7, 0, {
          sender: oldest,
          senderDevice: 1,
          sealed: true,
          timestamp: 1,
          serverTimestamp: 1,
          envelopeType: 'whisper',
          content: Uint8Array.of(1),
        }),
      ],
    ],
    [
      'that gets into a broadcast',
      () => [
        broadcastChange('now', {
          state: 'ingesting',
          content: Uint8Array.of(1),
          timestamp: 1,
          urgent: true,
          createdAtMs: 1,
          finishedAtMs: 0,
          invalidRecipients: 0,
        }),
        rowChange('now', oldest, { state: 'queued' }),
      ],
    ],
  ])('and %s while its lock is waited for, stays', async (_name, changes) => {
    const store = new MemoryStore();
    await store.commit(contactsOf(4));
    const setting = start(store, 1);
    await lookBehind(setting, [oldest], () => store.commit(changes(store)));
    expect(await contactsIn(store)).toEqual([oldest, nameOf(3)]);
    expect(await keysOf(store, 'session')).toContain(`${oldest}.1`);
  });
});

async function temporaryStore(encryptionKey: Uint8Array | undefined): Promise<Store> {
  const { path, remove } = temporaryDirectory();
  const store = await openStore({ path, ...(encryptionKey !== undefined && { encryptionKey }) });
  removals.push(async () => {
    await store.close();
    remove();
  });
  return store;
}

const watched = (inner: Store, watch: StoreWatch): Store => new WatchedStore(inner, watch);
