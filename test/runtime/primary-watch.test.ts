import { randomUUID } from 'node:crypto';
import {
  Broadcaster,
  MemoryStore,
  type Account,
  type AccountOptions,
  type Refusal,
  type SealcastError,
} from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesOfUuid } from '#dist/src/content/service-ids.js';
import { loadContacts, type ContactRecord } from '#dist/src/store/tables/contacts.js';
import { credentialsChange } from '#dist/src/store/tables/credentials.js';
import { loadOwnSync, ownSyncChange } from '#dist/src/store/tables/own-sync.js';
import { decodeOutbox } from '#dist/src/store/tables/outbox.js';
import { AccountRuntime } from '#dist/src/runtime/account-runtime.js';
import { checkSharedOptions } from '#dist/src/runtime/options.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { PrimaryDeviceService } from '../fakes/primary-device.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { putContact } from '../harness/account-scene.js';
import { untilTrue } from '../harness/await-condition.js';
import { openAccountWithClock } from '../harness/open-with-clock.js';

const DAY_MS = 24 * 3_600_000;

let service: PrimaryDeviceService;
let store: MemoryStore;
let clock: ManualClock;
let account: Account;
let subscriber: Subscriber;
let lost: SealcastError[];
beforeEach(async () => {
  service = await PrimaryDeviceService.make();
  store = new MemoryStore();
  clock = new ManualClock(Date.now());
  subscriber = await service.subscribe();
  lost = [];
});
afterEach(() => account.close());

async function open(options: Partial<AccountOptions> = {}): Promise<void> {
  account = await openAccountWithClock(
    {
      store,
      transport: service,
      trustRoots: [service.trustRoot],
      account: service.sender,
      threads: 1,
      maintainPreKeys: false,
      ...options,
    },
    clock,
  );
  account.on('profileKeyLost', ({ error }) => lost.push(error));
  await account.broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
}
const giveKeys = (accountEntropyPool = service.pool): Promise<void> =>
  store.commit([
    credentialsChange({ password: 'x', accountEntropyPool, capabilities: {}, createdAtMs: 1 }),
  ]);

let broadcasts = 0;
/** The profile key that a broadcast of this moment carries. */
async function sentKey(): Promise<Uint8Array | undefined> {
  const id = `b-${(broadcasts += 1)}`;
  const run = account.broadcaster.broadcast({ body: id }, [subscriber.aci], {
    id,
    transcripts: 'none',
  });
  expect(await run.summary()).toMatchObject({ sealed: 1 });
  return lastArrival().message.profileKey;
}
function lastArrival(): PrimaryDeviceService['arrivals'][number] {
  const [arrival] = service.arrivals.slice(-1);
  if (arrival === undefined) throw new Error('nothing arrived');
  return arrival;
}
/** Until a look that begins now has ended. */
async function look(by: () => void): Promise<void> {
  const before = service.accountCountOf('fetchProfile');
  by();
  await untilTrue(() => service.accountCountOf('fetchProfile') > before);
}
const contact = async (serviceId: string): Promise<ContactRecord | undefined> =>
  (await loadContacts(store, [serviceId]))[0];

describe('the profile key that the phone has replaced', () => {
  it.each([true, false])('is taken when the account opens (record keys: %s)', async (hasIkm) => {
    service.hasRecordIkm = hasIkm;
    await giveKeys();
    const profileKey = service.replaceProfileKey();
    await open();
    expect(await sentKey()).toEqual(profileKey);
    expect(lost).toEqual([]);
  });

  it('is taken once a day, and the old one never comes back', async () => {
    await giveKeys();
    await open();
    const { profileKey: former } = service.sender;
    expect(await sentKey()).toEqual(former);
    const profileKey = service.replaceProfileKey();
    await look(() => clock.pass(1.2 * DAY_MS));
    await untilTrue(async () => Buffer.compare((await sentKey()) ?? former, profileKey) === 0);
    await account.close();
    // The caller still gives the key of before.
    await open();
    expect(await sentKey()).toEqual(profileKey);
  });

  it('leaves messages without a key where the storage service cannot be read', async () => {
    await giveKeys();
    const profileKey = service.replaceProfileKey();
    service.storageRefusal = { status: 'unavailable', httpStatus: 503 };
    await open();
    expect(await sentKey()).toBeUndefined();
    await untilTrue(() => lost.length === 1);
    expect(lost).toMatchObject([{ code: 'ERR_SERVICE_UNAVAILABLE' }]);
    service.storageRefusal = undefined;
    await look(() => clock.pass(60_000));
    await untilTrue(async () => Buffer.compare((await sentKey()) ?? Buffer.of(), profileKey) === 0);
    expect(lost).toHaveLength(1);
  });

  it.each<[string, () => Promise<void>]>([
    ['has no keys for its records', () => Promise.resolve()],
    ['has records of other keys', () => giveKeys('0'.repeat(64))],
  ])('leaves messages without a key where this device %s', async (_what, give) => {
    await give();
    service.replaceProfileKey();
    await open();
    expect(await sentKey()).toBeUndefined();
    await untilTrue(() => lost.length === 1);
    expect(lost).toMatchObject([{ code: 'ERR_SERVICE_REJECTED' }]);
    await account.close();
    await open();
    expect(await sentKey()).toBeUndefined();
  });

  it('leaves messages without a key until the record has the one of the profile', async () => {
    await giveKeys();
    await open();
    const profileKey = service.replaceProfileKey('profile');
    await look(() => clock.pass(1.2 * DAY_MS));
    await untilTrue(() => lost.length === 1);
    expect(await sentKey()).toBeUndefined();
    service.storedProfileKey = profileKey;
    await look(() => clock.pass(60_000));
    await untilTrue(async () => Buffer.compare((await sentKey()) ?? Buffer.of(), profileKey) === 0);
  });

  it('stays where a caller gives it while the storage service is read', async () => {
    await giveKeys();
    await open();
    const profileKey = service.replaceProfileKey('profile');
    const fetch = service.fetchStorageManifest.bind(service);
    let answer: (() => void) | undefined;
    service.fetchStorageManifest = async (request) => {
      await new Promise<void>((resolve) => (answer = resolve));
      return fetch(request);
    };
    clock.pass(1.2 * DAY_MS);
    await untilTrue(() => answer !== undefined);
    const second = await Broadcaster.open({
      store,
      transport: service,
      trustRoots: [service.trustRoot],
      account: { ...service.sender, profileKey },
    });
    service.fetchStorageManifest = fetch;
    const looks = service.accountCountOf('fetchProfile');
    answer?.();
    await untilTrue(() => {
      clock.pass(10_000);
      return service.accountCountOf('fetchProfile') > looks;
    });
    expect(await sentKey()).toEqual(profileKey);
    expect(lost).toEqual([]);
    await second.close();
  });

  it('is not taken before the profile has it', async () => {
    await giveKeys();
    const { profileKey: former } = service.sender;
    const profileKey = service.replaceProfileKey('record');
    await open();
    expect(await sentKey()).toEqual(former);
    service.phone.profileKey = Uint8Array.from(profileKey);
    await look(() => clock.pass(60_000));
    await untilTrue(async () => Buffer.compare((await sentKey()) ?? former, profileKey) === 0);
    expect(lost).toEqual([]);
  });

  it('stays where the service does not answer, and where the storage service is not needed', async () => {
    service.answer('fetchProfile', { status: 'unavailable' });
    service.storageRefusal = { status: 'unavailable' };
    await open();
    expect(await sentKey()).toEqual(service.sender.profileKey);
    service.answer('fetchProfile', undefined);
    await look(() => clock.pass(60_000));
    expect(await sentKey()).toEqual(service.sender.profileKey);
    expect(lost).toEqual([]);
  });

  it('is none of a primary device’s', async () => {
    Object.assign(service.sender, { deviceId: 1 });
    service.replaceProfileKey();
    await open();
    expect(service.accountCountOf('fetchProfile')).toBe(0);
    expect(service.storageRequests).toEqual([]);
  });
});

/** As a Receiver does when the phone says that this device has to fetch something again. */
async function hearOfChange(): Promise<void> {
  const shared = { store, transport: service, trustRoots: [service.trustRoot] };
  const runtime = await AccountRuntime.open(checkSharedOptions(shared));
  runtime.profileKey.doubt();
  runtime.fetchRequests.emit('local-profile');
  await runtime.release();
}

describe('a profile key that the phone may have replaced', () => {
  it('goes out with no message, encrypted or not, while the answer is awaited', async () => {
    await giveKeys();
    await open();
    await sentKey();
    service.arrivals.length = 0;
    const { aci } = subscriber;
    const run = account.broadcaster.broadcast({ body: 'wait' }, [aci], { id: 'wait' });
    run.pause();
    await untilTrue(async () => {
      const rows = await store.list('outbox', { prefix: 'wait/', limit: 10 });
      return rows.some(({ value }) => decodeOutbox(value).state === 'encrypted');
    });
    let answer: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      service.accountIntercepts.set('fetchProfile', () => {
        resolve();
        return new Promise<undefined>((answered) => (answer = () => answered(undefined)));
      });
    });
    const profileKey = service.replaceProfileKey();
    await hearOfChange();
    clock.pass(0);
    await asked;
    run.resume();
    const late = account.broadcaster.broadcast({ body: 'late' }, [aci], { id: 'late' });
    await untilTrue(async () => {
      const rows = await store.list('outbox', { prefix: 'late/', limit: 10 });
      return rows.some(({ value }) => decodeOutbox(value).state === 'encrypted');
    });
    expect(service.arrivals).toEqual([]);
    service.accountIntercepts.clear();
    answer();
    expect(await run.summary()).toMatchObject({ sealed: 1 });
    expect(await late.summary()).toMatchObject({ sealed: 1 });
    const keys = service.arrivals.flatMap(({ message }) =>
      message.body === undefined ? [] : [message.profileKey],
    );
    expect(keys).toEqual([profileKey, profileKey]);
  });

  it.each<[string, Refusal]>([
    ['is unavailable', { status: 'unavailable' }],
    ['limits its rate', { status: 'rate-limited', retryAfterMs: 30_000 }],
  ])('goes out with no message while the service %s', async (_what, refusal) => {
    await giveKeys();
    await open();
    const { profileKey: former } = service.sender;
    expect(await sentKey()).toEqual(former);
    service.answer('fetchProfile', refusal);
    await hearOfChange();
    await look(() => clock.pass(0));
    expect(await sentKey()).toBeUndefined();
    service.answer('fetchProfile', undefined);
    await look(() => clock.pass(60_000));
    await untilTrue(async () => (await sentKey()) !== undefined);
    expect(await sentKey()).toEqual(former);
    expect(lost).toEqual([]);
  });

  it('is waited for ten seconds at most', async () => {
    await giveKeys();
    await open();
    const asked = new Promise<void>((resolve) => {
      service.accountIntercepts.set('fetchProfile', () => {
        resolve();
        return new Promise<undefined>(() => undefined);
      });
    });
    await hearOfChange();
    clock.pass(0);
    await asked;
    const key = sentKey();
    clock.pass(10_000);
    expect(await key).toBeUndefined();
  });

  it('stays in doubt in the store until a look has ended', async () => {
    await giveKeys();
    const inDoubt = { requested: true, manifestVersion: 0, isKeyDoubted: true };
    await store.commit([ownSyncChange(inDoubt)]);
    service.answer('fetchProfile', { status: 'unavailable' });
    await open();
    expect(await sentKey()).toBeUndefined();
    await account.close();
    await open();
    expect(await sentKey()).toBeUndefined();
    service.answer('fetchProfile', undefined);
    await look(() => clock.pass(60_000));
    await untilTrue(async () => !(await loadOwnSync(store)).isKeyDoubted);
    expect(await sentKey()).toEqual(service.sender.profileKey);
  });
});

describe('a Broadcaster without an Account', () => {
  it('takes the profile key that the phone has replaced when it opens', async () => {
    await giveKeys();
    await open();
    await account.close();
    const profileKey = service.replaceProfileKey();
    await using broadcaster = await Broadcaster.open({
      ...{ store, transport: service, trustRoots: [service.trustRoot], threads: 1 },
      account: service.sender,
    });
    const message = { body: 'alone' };
    const run = broadcaster.broadcast(message, [subscriber.aci], { transcripts: 'none' });
    expect(await run.summary()).toMatchObject({ sealed: 1 });
    expect(lastArrival().message.profileKey).toEqual(profileKey);
  });

  it('does not send a key that was lost, though its caller gives it', async () => {
    service.replaceProfileKey();
    await open();
    await account.close();
    service.answer('fetchProfile', { status: 'unavailable' });
    await open();
    expect(await sentKey()).toBeUndefined();
  });

  it('goes on with its key where its transport cannot fetch profiles', async () => {
    await open();
    await account.close();
    service.replaceProfileKey();
    const transport = new Proxy(service, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name === 'fetchProfile' || typeof value !== 'function') return undefined;
        return value.bind(target) as unknown;
      },
    });
    await using broadcaster = await Broadcaster.open({
      ...{ store, transport, trustRoots: [service.trustRoot], threads: 1 },
    });
    const message = { body: 'alone' };
    const run = broadcaster.broadcast(message, [subscriber.aci], { transcripts: 'none' });
    expect(await run.summary()).toMatchObject({ sealed: 1 });
    expect(lastArrival().message.profileKey).toEqual(service.sender.profileKey);
  });
});

describe('contacts of the phone', () => {
  it('are taken with their profile keys and blocks, and never over what a contact told', async () => {
    const [known, told, blocked] = [randomUUID(), randomUUID(), randomUUID()];
    const ofPhone = new Uint8Array(32).fill(1);
    const ofContact = new Uint8Array(32).fill(2);
    await giveKeys();
    await putContact({ store }, told, { profileKey: ofContact });
    service.contacts = [
      { aciBinary: bytesOfUuid(known), profileKey: ofPhone },
      { aci: told, profileKey: ofPhone },
      { aci: blocked, blocked: true },
      { profileKey: ofPhone },
    ];
    await open();
    expect(await contact(known)).toMatchObject({ profileKey: ofPhone, profileKeySynced: true });
    expect(await contact(told)).toMatchObject({ profileKey: ofContact });
    expect(await contact(blocked)).toMatchObject({ blocked: true, blockedByPrimary: true });
    await account.close();
    // The same version again is not read again.
    service.storageRequests.length = 0;
    await open();
    expect(service.storageRequests).toEqual(['manifest 1']);
  });

  it('are no longer unanswered, whether or not the list has news of them', async () => {
    const [listed, unlisted] = [randomUUID(), randomUUID()];
    const profileKey = new Uint8Array(32).fill(2);
    await giveKeys();
    for (const aci of [listed, unlisted])
      await putContact({ store }, aci, { profileKey, unanswered: true });
    service.contacts = [{ aci: listed, profileKey }];
    await open();
    await untilTrue(async () => (await contact(listed))?.unanswered === undefined);
    expect(await contact(listed)).toMatchObject({ profileKey });
    expect(await contact(unlisted)).toMatchObject({ unanswered: true });
  });

  it('are taken when they change, over a key of the phone alone', async () => {
    const [known, blocked] = [randomUUID(), randomUUID()];
    await giveKeys();
    service.contacts = [
      { aci: known, profileKey: new Uint8Array(32).fill(1) },
      { aci: blocked, blocked: true },
    ];
    await open();
    await account.close();
    service.contacts = [
      { aci: known, profileKey: new Uint8Array(32).fill(3) },
      { aci: blocked, blocked: false },
    ];
    service.replaceProfileKey();
    await open();
    expect(await contact(known)).toMatchObject({ profileKey: new Uint8Array(32).fill(3) });
    expect(await contact(blocked)).toMatchObject({ blocked: false });
  });
});

describe('the phone', () => {
  it('is asked once for what this device lacks', async () => {
    await open();
    const asked = service.syncMessages.map(({ bytes }) => bytes[bytes.length - 1]);
    expect(asked).toEqual([5, 3, 4, 1]);
    expect(service.syncMessages.map(({ sealed, deviceId }) => [sealed, deviceId])).toEqual(
      Array.from({ length: 4 }, () => [false, 1]),
    );
    expect(await loadOwnSync(store)).toMatchObject({ requested: true });
    await giveKeys();
    await account.close();
    await open();
    expect(service.syncMessages).toHaveLength(4);
  });

  it('is asked again where it could not be', async () => {
    await giveKeys();
    service.intercepts.set('sendUnsealed', () => ({ status: 'unavailable' }));
    await open();
    expect(service.syncMessages).toEqual([]);
    service.intercepts.clear();
    await look(() => clock.pass(60_000));
    await untilTrue(() => service.syncMessages.length === 3);
  });

  it('gets what its other devices get, as they come and go', async () => {
    await giveKeys();
    await service.addDevice(service.phone, 3);
    await open();
    expect(service.syncMessages.map(({ deviceId }) => deviceId)).toEqual([1, 3, 1, 3, 1, 3]);
  });
});
