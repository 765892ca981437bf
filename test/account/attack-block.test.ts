import { MemoryStore, openAccount, type Account, type Delivery } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import { contactIn } from '../harness/account-scene.js';
import { collect } from '../harness/broadcasters.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';
import type { RequestName, Subscriber } from '../fakes/stand-in-service.js';

/** Longer than a block takes. */
const RETRY_AFTER_MS = 1_500;

let service: StandInAccountService;
let account: Account;
let contact: Subscriber;

beforeEach(async () => {
  service = new StandInAccountService();
  contact = await service.subscribe();
  account = await openAccount({
    store: new MemoryStore(),
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
    maintainPreKeys: false,
  });
  await account.setAttributes({ pniRegistrationId: 1, discoverableByPhoneNumber: false });
  await account.setProfile({ given: 'Announcements' });
  await account.broadcaster.setProfileKey(contact.aci, contact.profileKey);
});
afterEach(() => account.close());

const broadcast = (body: string): Promise<Map<string, Delivery>> =>
  collect(account.broadcaster.broadcast({ body }, [contact.aci]));

/**
 * The service has us wait with the first request of this name; meanwhile the contact is blocked.
 */
async function blockDuring(name: RequestName): Promise<Delivery | undefined> {
  service.intercepts.set(name, (_destination, count) =>
    count === 1 ? { status: 'rate-limited', retryAfterMs: RETRY_AFTER_MS } : undefined,
  );
  service.requests.length = 0;
  const delivered = broadcast('while he is blocked');
  await untilTrue(() => service.countOf(name) === 1);
  await account.block(contact.aci);
  return (await delivered).get(contact.aci);
}

describe('a contact who is blocked while a broadcast waits to', () => {
  it('begin a session with that contact gets no session, and no profile key', async () => {
    const delivery = await blockDuring('fetchPreKeys');
    expect(delivery).toMatchObject({ status: 'failed', error: { code: 'ERR_RECIPIENT_BLOCKED' } });
    expect(service.arrivals).toEqual([]);
    expect(service.countOf('fetchPreKeys')).toBe(1);
  });

  it('send to the contact again is not told the new profile key by a device that the contact adds', async () => {
    await broadcast('welcome');
    expect(service.arrivals).toHaveLength(1);
    // The service will say that it is missing.
    await service.addDevice(contact, 2);
    const delivery = await blockDuring('sendSealed');
    expect(delivery).toMatchObject({ status: 'failed', error: { code: 'ERR_RECIPIENT_BLOCKED' } });
    // Not even what was encrypted before.
    expect(service.countOf('sendSealed')).toBe(1);
    const carried = service.arrivals.map(({ message }) =>
      Uint8Array.from(message.profileKey ?? []),
    );
    expect(carried).toEqual([service.sender.profileKey]);
    expect(service.countOf('fetchPreKeys')).toBe(0);
  });
});

describe('Broadcaster.setBlocked of an open account', () => {
  const keys = (): number => service.accountCountOf('setProfile');

  it('replaces the profile key as block() does, and unblocks as unblock() does', async () => {
    await broadcast('welcome');
    const before = keys();
    await account.broadcaster.setBlocked(contact.aci, true);
    expect(keys()).toBe(before + 1);
    expect((await broadcast('blocked')).get(contact.aci)).toMatchObject({
      error: { code: 'ERR_RECIPIENT_BLOCKED' },
    });
    await account.broadcaster.setBlocked(contact.aci, false);
    expect((await broadcast('unblocked')).get(contact.aci)).toMatchObject({ status: 'sealed' });
  });

  it('costs no profile key where the contact was never written to', async () => {
    const before = keys();
    await account.broadcaster.setBlocked(contact.aci, true);
    expect(keys()).toBe(before);
    expect((await broadcast('blocked')).get(contact.aci)).toMatchObject({
      error: { code: 'ERR_RECIPIENT_BLOCKED' },
    });
  });

  it('rejects as block() does where the new profile key cannot be uploaded, and has blocked', async () => {
    await broadcast('welcome');
    const store = new MemoryStore();
    const bare = await openAccount({
      store,
      transport: service,
      trustRoots: [service.trustRoot],
      account: service.sender,
      threads: 1,
      maintainPreKeys: false,
    });
    await bare.setAttributes({ pniRegistrationId: 1, discoverableByPhoneNumber: false });
    await bare.broadcaster.setProfileKey(contact.aci, contact.profileKey);
    await bare.broadcaster.broadcast({ body: 'welcome' }, [contact.aci]).summary();
    // The first profile of all is under way, and known; the service will refuse it.
    let refuse!: () => void;
    const refused = new Promise<void>((resolve) => (refuse = resolve));
    service.accountIntercepts.set('setProfile', async () => {
      await refused;
      return { status: 'rejected', httpStatus: 422 };
    });
    const before = service.accountCountOf('setProfile');
    const setting = bare.setProfile({ given: 'Announcements' });
    setting.catch(() => undefined);
    await untilTrue(() => service.accountCountOf('setProfile') > before);
    const blocking = bare.broadcaster.setBlocked(contact.aci, true);
    blocking.catch(() => undefined);
    await untilTrue(async () => (await contactIn({ store }, contact.aci)).blocked);
    refuse();
    await expect(setting).rejects.toMatchObject({ code: 'ERR_SERVICE_REJECTED' });
    await expect(blocking).rejects.toThrow(/^the contact is blocked, but /);
    expect(await contactIn({ store }, contact.aci)).toMatchObject({
      blocked: true,
      lacksProfileKey: true,
    });
    await bare.close();
  });

  it('blocks without another profile key where the account has no profile', async () => {
    const store = new MemoryStore();
    const bare = await openAccount({
      store,
      transport: service,
      trustRoots: [service.trustRoot],
      account: service.sender,
      threads: 1,
      maintainPreKeys: false,
    });
    await bare.broadcaster.setProfileKey(contact.aci, contact.profileKey);
    await bare.broadcaster.broadcast({ body: 'welcome' }, [contact.aci]).summary();
    await bare.broadcaster.setBlocked(contact.aci, true);
    expect(await contactIn({ store }, contact.aci)).toMatchObject({
      blocked: true,
      lacksProfileKey: false,
    });
    await bare.close();
  });
});
