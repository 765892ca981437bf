import {
  MemoryStore,
  openAccount,
  type Account,
  type AccountOptions,
  type Delivery,
} from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contactIn } from '../harness/account-scene.js';
import { collect } from '../harness/broadcasters.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

let service: StandInAccountService;
let store: MemoryStore;
let account: Account;
let contact: Subscriber;

async function open(options: Partial<AccountOptions> = {}): Promise<void> {
  account = await openAccount({
    store,
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
    maintainPreKeys: false,
    ...options,
  });
}
async function reopen(options: Partial<AccountOptions>): Promise<void> {
  await account.close();
  await open(options);
}

beforeEach(async () => {
  service = new StandInAccountService();
  store = new MemoryStore();
  contact = await service.subscribe();
  await open();
  await account.broadcaster.setProfileKey(contact.aci, contact.profileKey);
  await send('welcome');
  service.requests.length = 0;
});
afterEach(() => account.close());

async function send(body = 'a text'): Promise<Delivery | undefined> {
  return (await collect(account.broadcaster.broadcast({ body }, [contact.aci]))).get(contact.aci);
}
const mode = async (): Promise<string> => (await contactIn({ store }, contact.aci)).accessMode;
const names = (): string[] => service.requests.map(({ name }) => name);

describe('a sealed message that is denied', () => {
  it('is sent sealed again where the profile has the verifier of our key: one 401 proves nothing', async () => {
    service.intercepts.set('sendSealed', (_aci, count) =>
      count === 1 ? { status: 'unauthorized' } : undefined,
    );
    expect(await send()).toMatchObject({ status: 'sealed' });
    expect(await mode()).toBe('enabled');
    expect(service.accountCountOf('fetchProfile')).toBe(1);
  });

  it('is sent with zeros where the profile says that anybody may send sealed', async () => {
    service.intercepts.set('sendSealed', (_aci, count) =>
      count === 1 ? { status: 'unauthorized' } : undefined,
    );
    contact.access = 'unrestricted';
    expect(await send()).toMatchObject({ status: 'sealed' });
    expect(service.requests.map(({ accessKey }) => accessKey).at(-1)).toEqual(new Uint8Array(16));
    expect(await mode()).toBe('unrestricted');
  });

  it('fails, and the contact is disabled, where the profile has another verifier', async () => {
    contact.profileKey = new Uint8Array(32).fill(3);
    expect(await send()).toMatchObject({ status: 'failed', error: { code: 'ERR_ACCESS_DENIED' } });
    expect(await mode()).toBe('disabled');
    expect(names()).toEqual(['sendSealed', 'accountExists']);
  });

  it('is unregistered without a look at a profile where there is no such account', async () => {
    contact.registered = false;
    expect(await send()).toMatchObject({ status: 'unregistered' });
    expect(service.accountCountOf('fetchProfile')).toBe(0);
  });

  it('ends, and writes no verdict, where the service denies what its own profile allows', async () => {
    service.intercepts.set('sendSealed', () => ({ status: 'unauthorized' }));
    expect(await send()).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_SERVICE_REJECTED' },
    });
    expect(service.countOf('sendSealed')).toBeLessThanOrEqual(5);
    expect(await mode()).toBe('enabled');
  });

  it('is believed for a day where no profile can be had', async () => {
    service.answer('fetchProfile', { status: 'rate-limited', retryAfterMs: 1_000 });
    contact.access = 'none';
    expect(await send()).toMatchObject({ status: 'failed', error: { code: 'ERR_ACCESS_DENIED' } });
    expect(await mode()).toBe('disabled');
  });

  it('goes out unsealed only where that is allowed', async () => {
    await reopen({ unsealedFallback: 'when-denied' });
    contact.access = 'none';
    expect(await send()).toMatchObject({ status: 'unsealed' });
    expect(names()).toEqual(['sendSealed', 'accountExists', 'sendUnsealed']);
  });

  it('asks for no profile of a contact that was blocked meanwhile', async () => {
    contact.access = 'none';
    service.intercepts.set('accountExists', async (aci) => {
      await account.broadcaster.setBlocked(aci, true);
      return undefined;
    });
    expect(await send()).toMatchObject({ error: { code: 'ERR_RECIPIENT_BLOCKED' } });
    expect(service.accountCountOf('fetchProfile')).toBe(0);
  });
});

describe('a contact that became unrestricted', () => {
  it('is found out by its profile, and sent to with zeros', async () => {
    contact.access = 'none';
    await send();
    expect(await mode()).toBe('disabled');
    contact.access = 'unrestricted';
    await account.fetchProfile(contact.aci, { force: true });
    expect(await send()).toMatchObject({ status: 'sealed' });
  });
});

describe('a new identity key, where changes fail,', () => {
  const waiting = async (): Promise<
    { readonly serviceId: string; readonly identityKey: Uint8Array }[]
  > => {
    const list = [];
    for await (const pending of account.pendingIdentities()) list.push(pending);
    return list;
  };
  const newKey = (): Uint8Array => contact.identity.publicKey.serialize();

  beforeEach(async () => {
    await reopen({ onIdentityChange: 'fail' });
    expect(await waiting()).toEqual([]);
    await service.reregister(contact);
    expect(await send()).toMatchObject({ error: { code: 'ERR_IDENTITY_CHANGED' } });
  });

  it('waits, also over a restart, until it is accepted; then the next broadcast begins new sessions', async () => {
    await reopen({ onIdentityChange: 'fail' });
    const [pending] = await waiting();
    expect(pending).toEqual({ serviceId: contact.aci, identityKey: Uint8Array.from(newKey()) });
    await account.acceptIdentity(contact.aci, newKey());
    expect(await waiting()).toEqual([]);
    expect(await send('to the new phone')).toMatchObject({ status: 'sealed' });
    expect(service.textsOf(contact)).toContain('to the new phone');
    // The same key again is accepted already; nothing else waits.
    await account.acceptIdentity(contact.aci, newKey());
    await expect(account.acceptIdentity(contact.aci)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
  });

  it('is not accepted where another one came after the one that was looked at', async () => {
    const seen = newKey();
    await service.reregister(contact);
    await send();
    await expect(account.acceptIdentity(contact.aci, seen)).rejects.toMatchObject({
      code: 'ERR_IDENTITY_CHANGED',
    });
    expect(await send()).toMatchObject({ error: { code: 'ERR_IDENTITY_CHANGED' } });
    await account.acceptIdentity(contact.aci);
    expect(await send()).toMatchObject({ status: 'sealed' });
  });

  it('is found by a profile, too', async () => {
    await account.acceptIdentity(contact.aci);
    await send();
    await service.reregister(contact);
    await account.fetchProfile(contact.aci, { force: true });
    expect((await waiting()).map(({ identityKey }) => identityKey)).toEqual([
      Uint8Array.from(newKey()),
    ]);
    expect(await send()).toMatchObject({ error: { code: 'ERR_IDENTITY_CHANGED' } });
  });

  it('no longer waits once the service shows the known one again', async () => {
    const reregistered = { identity: contact.identity, devices: new Map(contact.devices) };
    const known = await contactIn({ store }, contact.aci);
    expect(known.pendingIdentityKey).toBeDefined();
    await account.acceptIdentity(contact.aci);
    await send();
    await service.reregister(contact);
    await send();
    expect(await waiting()).toHaveLength(1);
    Object.assign(contact, reregistered);
    expect(await send('back again')).toMatchObject({ status: 'sealed' });
    expect(await waiting()).toEqual([]);
  });

  it('of no contact is an argument error', async () => {
    await expect(account.acceptIdentity('nobody')).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
    await expect(account.acceptIdentity(contact.aci, new Uint8Array(3))).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
  });
});
