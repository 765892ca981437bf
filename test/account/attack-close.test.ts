import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  MemoryStore,
  openAccount,
  type Account,
  type Change,
  type DoneOutcome,
  type Store,
} from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { contactIn, storedProfileKey } from '../harness/account-scene.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { WatchedStore } from '../fakes/watched-store.js';

let service: StandInAccountService;
let inner: MemoryStore;
let contact: Subscriber;
const opened: Account[] = [];

beforeEach(async () => {
  service = new StandInAccountService();
  inner = new MemoryStore();
  contact = await service.subscribe();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((account) => account.close()));
});

async function open(store: Store = inner): Promise<Account> {
  const account = await openAccount({
    store,
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
    maintainPreKeys: false,
  });
  opened.push(account);
  return account;
}

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'ok',
    (error: unknown) => (error as { code: unknown }).code,
  );
const rows = async (): Promise<string> => {
  const tables = ['account', 'contact', 'session'] as const;
  const all = await Promise.all(
    tables.map((table) => inner.list(table, { prefix: '', limit: 100 })),
  );
  return JSON.stringify(
    all.flat().map(({ key, value }) => [key, Buffer.from(value).toString('hex')]),
  );
};

/** An answer that comes when the test has it come, whether or not anybody waits for it. */
class LateAnswer<Answer> {
  #answer: ((answer: Answer) => void) | undefined;
  readonly asked = (): Promise<Answer> => new Promise((resolve) => (this.#answer = resolve));
  get isAwaited(): boolean {
    return this.#answer !== undefined;
  }
  come(answer: Answer): void {
    this.#answer?.(answer);
  }
}

describe('closing an account', () => {
  it('ends the wait for a sender certificate that never comes, and asks for no other', async () => {
    const account = await open();
    service.fetchSenderCertificate = () => Promise.resolve({ status: 'unavailable' });
    const waiting = codeOf(account.unidentifiedAccess(contact.aci));
    await manyTurns();
    await account.close();
    expect(await neverHangs(waiting, 'the call')).toBe('ERR_ABORTED');
  });

  it('ends a call for a profile that is never answered', async () => {
    const account = await open();
    service.answer('fetchProfile', undefined);
    service.accountIntercepts.set('fetchProfile', () => new Promise(() => undefined));
    const waiting = codeOf(account.fetchProfile(contact.aci));
    await untilTrue(() => service.accountCountOf('fetchProfile') === 1);
    await account.close();
    expect(await neverHangs(waiting, 'the call')).toBe('ERR_ABORTED');
  });

  it('leaves the store alone from then on, whatever is answered late', async () => {
    const account = await open();
    await account.setAttributes({ pniRegistrationId: 1, discoverableByPhoneNumber: false });
    await account.setProfile({ given: 'Announcements' });
    const late = new LateAnswer<DoneOutcome>();
    service.setAccountAttributes = late.asked;
    const rotating = codeOf(account.rotateProfileKey());
    await untilTrue(() => late.isAwaited);
    await account.close();
    const before = await rows();
    late.come({ status: 'ok' });
    expect(await rotating).toBe('ERR_CLOSED');
    expect(await rows()).toBe(before);
    // Whoever is opened next finishes it.
    service.setAccountAttributes = () => Promise.resolve({ status: 'ok' });
    const next = await open();
    await next.rotateProfileKey();
    const { self } = await next.unidentifiedAccess(contact.aci);
    expect(self).not.toBeNull();
    expect(await storedProfileKey({ store: inner })).not.toEqual(service.sender.profileKey);
  });

  it('waits for pending writes, and so does an account that is opened meanwhile', async () => {
    let isHeld = false;
    let letGo: (() => void) | undefined;
    const before = (changes: readonly Change[]): Promise<void> | undefined =>
      isHeld && changes.some(({ table }) => table === 'contact')
        ? new Promise((resolve) => (letGo = resolve))
        : undefined;
    const store = new WatchedStore(inner, { before });
    const account = await open(store);
    isHeld = true;
    const blocking = account.block(contact.aci);
    await untilTrue(() => letGo !== undefined);
    isHeld = false;
    const order: string[] = [];
    const closing = account.close().then(() => order.push('closed'));
    // The Broadcaster's part of it, and the Receiver's, are let go first.
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    const opening = open(store).then(() => order.push('opened'));
    await manyTurns();
    expect(order).toEqual([]);
    letGo?.();
    await Promise.all([blocking, closing, opening]);
    expect((await contactIn({ store: inner }, contact.aci)).blocked).toBe(true);
  });
});
