import { inspect } from 'node:util';
import { LibSignalErrorBase, PublicKey } from '@signalapp/libsignal-client';
import {
  linkDevice,
  MemoryStore,
  SealcastError,
  type DeviceLink,
  type LinkEvent,
  type LinkNet,
  type Store,
} from 'sealcast';
import { decryptDeviceName } from '#dist/src/link/device-name.js';
import { linkDeviceWith, type LinkOptions } from '#dist/src/link/link-device.js';
import { decodeAccount, loadAccount, loadPreKeyState } from '#dist/src/store/tables/account.js';
import { contactChange, loadContacts, NEW_CONTACT } from '#dist/src/store/tables/contacts.js';
import { loadCredentials, loadPendingLink } from '#dist/src/store/tables/credentials.js';
import { loadRows, rowChange } from '#dist/src/store/tables/outbox.js';
import { loadPreKeys, preKeyChange } from '#dist/src/store/tables/prekeys.js';
import { sessionChange } from '#dist/src/store/tables/sessions.js';
import { describe, expect, test } from 'vitest';
import { FakeLinkService, type LinkRequest, type RawAnswer } from '../fakes/fake-link-service.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { FakePhone, type MessageParts } from '../harness/fake-phone.js';

const NET = {} as LinkNet;

interface Scene {
  readonly service: FakeLinkService;
  readonly clock: ManualClock;
  readonly store: Store;
  readonly phone: FakePhone;
  readonly events: LinkEvent[];
  readonly urls: string[];
  readonly link: DeviceLink;
  /** The link's error; undefined once it has an account. */
  readonly failed: Promise<SealcastError | undefined>;
}

interface SceneOptions extends Partial<LinkOptions> {
  readonly service?: FakeLinkService;
  readonly clock?: ManualClock;
  readonly phone?: FakePhone;
}

/** A link under way, whose events are gathered. */
function begin({
  service = new FakeLinkService(),
  clock = new ManualClock(),
  phone = new FakePhone(),
  store = new MemoryStore(),
  ...options
}: SceneOptions = {}): Scene {
  const link = linkDeviceWith(
    { net: NET, store, deviceName: 'the desk', backoff: { random: () => 0.5 }, ...options },
    { clock, source: service },
  );
  const events: LinkEvent[] = [];
  const urls: string[] = [];
  const gather = async (): Promise<undefined> => {
    for await (const event of link) {
      events.push(event);
      if (event.type === 'url') urls.push(event.url);
    }
  };
  const failed = gather().catch((error: unknown) => error as SealcastError);
  return { service, clock, store, phone, events, urls, link, failed };
}

async function untilUrls({ urls }: Scene, count: number): Promise<string> {
  await untilTrue(() => urls.length >= count);
  return urls[count - 1] ?? '';
}

/** The phone reads the newest code. */
async function scanned(scene: Scene, parts: MessageParts = {}): Promise<void> {
  const url = await untilUrls(scene, 1);
  scene.service.newest.deliver(scene.phone.scan(url, parts));
}

/** Moves the clock in small steps until the condition holds: every wait comes to its end. */
async function passUntil(clock: ManualClock, condition: () => boolean): Promise<void> {
  while (!condition()) {
    clock.pass(1_000);
    await manyTurns(20);
  }
}

async function ended(scene: Scene): Promise<SealcastError | undefined> {
  let isOver = false;
  void scene.failed.then(() => (isOver = true));
  await passUntil(scene.clock, () => isOver);
  return scene.failed;
}

const isClean = ({ service }: Scene): void => {
  expect(service.open).toEqual([]);
  expect(service.openConnections).toBe(0);
};

describe('a link', () => {
  test('gives a code, then the account, with its secrets in the store', async () => {
    const scene = begin();
    const { phone, store, events, service, clock } = scene;
    const beganMs = clock.now();
    await scanned(scene);
    const account = await scene.link.account;
    expect(account).toEqual({
      aci: phone.aci,
      pni: `PNI:${phone.pni}`,
      number: phone.number,
      deviceId: 2,
    });
    expect(await scene.failed).toBeUndefined();
    expect(events.map(({ type }) => type)).toEqual(['url', 'scanned', 'linked']);
    expect(events[0]).toMatchObject({ expiresAtMs: beganMs + 90_000 });
    expect(events[2]).toEqual({ type: 'linked', ...account });

    const own = decodeAccount((await loadAccount(store)) ?? new Uint8Array(0));
    expect(own).toMatchObject({ aci: phone.aci, deviceId: 2 });
    expect(Buffer.from(own.identityPrivateKey)).toEqual(Buffer.from(phone.identityKey.serialize()));
    expect(Buffer.from(own.profileKey ?? [])).toEqual(phone.profileKey);
    const credentials = await loadCredentials(store);
    expect(credentials).toMatchObject({
      deviceName: 'the desk',
      number: phone.number,
      accountEntropyPool: phone.accountEntropyPool,
      readReceipts: true,
      capabilities: { spqr: true, usernameChangeSyncMessage: true, attachmentBackfill: true },
      createdAtMs: beganMs,
    });
    expect(Buffer.from(credentials?.mediaRootBackupKey ?? [])).toEqual(phone.mediaRootBackupKey);
    expect(service.devices.get(`${phone.aci}.2`)).toBe(credentials?.password);
    expect(await loadPendingLink(store)).toBeUndefined();
    isClean(scene);
  });

  test('asks the service with valid prekeys of both identities and an encrypted name', async () => {
    const scene = begin();
    const { phone, store, service } = scene;
    await scanned(scene);
    await scene.link.account;
    const [request] = service.links as [LinkRequest];
    expect(request).toMatchObject({ verb: 'PUT', path: '/v1/devices/link', user: phone.aci });
    expect(request.password).toMatch(/^[\w-]{32}$/);
    const { body } = request;
    const { name, registrationId, pniRegistrationId = 0, ...attributes } = body.accountAttributes;
    expect(attributes).toEqual({
      fetchesMessages: true,
      capabilities: { spqr: true, usernameChangeSyncMessage: true, attachmentBackfill: true },
    });
    for (const id of [registrationId, pniRegistrationId]) {
      expect(id).toBeGreaterThan(0);
      expect(id).toBeLessThan(0x4000);
    }
    expect(body.verificationCode).toBe('a code');
    const identityKey = phone.identityKey.serialize();
    expect(decryptDeviceName(Buffer.from(name, 'base64'), identityKey)).toBe('the desk');
    const preKeys = [
      ['aciSignedPreKey', phone.identityKey, 33],
      ['aciPqLastResortPreKey', phone.identityKey, 1569],
      ['pniSignedPreKey', phone.pniIdentityKey, 33],
      ['pniPqLastResortPreKey', phone.pniIdentityKey, 1569],
    ] as const;
    for (const [field, key, length] of preKeys) {
      const preKey = body[field] as { keyId: number; publicKey: string; signature: string };
      const publicKey = Uint8Array.from(Buffer.from(preKey.publicKey, 'base64'));
      const signature = Uint8Array.from(Buffer.from(preKey.signature, 'base64'));
      expect(publicKey).toHaveLength(length);
      expect(key.getPublicKey().verify(publicKey, signature)).toBe(true);
      expect(preKey.keyId).toBeGreaterThan(0);
      expect(preKey.keyId).toBeLessThan(2 ** 24);
    }
    // The private halves are under the same ids in the store, each identity's in its own rows.
    for (const identity of ['aci', 'pni'] as const) {
      const { keyId } = body[`${identity}SignedPreKey`] as { keyId: number };
      const [record] = await loadPreKeys(store, 'signedPreKey', [keyId], identity);
      expect(record).toBeDefined();
      const state = await loadPreKeyState(store, identity);
      expect(state?.signedPreKeys).toMatchObject([{ firstId: keyId, count: 1, replacedMs: 0 }]);
      expect(state?.signedPreKeys[0]?.uploadedMs).toBeGreaterThan(0);
      expect(state?.lastResortKyberPreKeys).toHaveLength(1);
      expect(state?.preKeys).toEqual([]);
    }
  });

  test('of an account without a number sends no part of a PNI', async () => {
    const scene = begin();
    await scanned(scene, { 3: undefined, 11: undefined, 12: undefined, 18: undefined });
    expect(await scene.link.account).toEqual({ aci: scene.phone.aci, deviceId: 2 });
    const [{ body }] = scene.service.links as [LinkRequest];
    expect(Object.keys(body).filter((name) => name.startsWith('pni'))).toEqual([]);
    expect(body.accountAttributes).not.toHaveProperty('pniRegistrationId');
    expect(body.accountAttributes.capabilities).toMatchObject({ optionalPhoneNumber: true });
    expect((await loadCredentials(scene.store))?.pniIdentity).toBeUndefined();
    expect(await loadPreKeyState(scene.store, 'pni')).toBeUndefined();
  });

  test('has everything on the disk before it asks the service', async () => {
    const service = new FakeLinkService();
    const store = new MemoryStore();
    const seen: unknown[] = [];
    service.answers.push(async (request) => {
      const pending = await loadPendingLink(store);
      seen.push(pending?.credentials.password === request.password, pending?.aci);
      return service.accept(request);
    });
    const scene = begin({ service, store });
    await scanned(scene);
    await scene.link.account;
    expect(seen).toEqual([true, scene.phone.aci]);
  });

  test('acknowledges the address and the message with 200', async () => {
    const scene = begin();
    await scanned(scene);
    await scene.link.account;
    expect(scene.service.newest.acks).toEqual([200, 200]);
  });

  test('takes capabilities of the caller, but never profiles_v2', async () => {
    const scene = begin({ capabilities: { spqr: true, storage: true } });
    await scanned(scene);
    await scene.link.account;
    expect(scene.service.links[0]?.body.accountAttributes.capabilities).toEqual({
      spqr: true,
      storage: true,
    });
    expect(() => begin({ capabilities: { spqr: true, profiles_v2: true } })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'capabilities.profiles_v2' }),
    );
  });

  test.each<[string, object, string]>([
    ['an unknown option', { devicename: 'x' }, 'devicename'],
    ['no name', { deviceName: ' ' }, 'deviceName'],
    ['a name of 51 characters', { deviceName: 'x'.repeat(51) }, 'deviceName'],
    [
      'a name whose encryption the service would not take',
      { deviceName: '🦊'.repeat(42) },
      'deviceName',
    ],
    ['no time', { timeoutMs: 0 }, 'timeoutMs'],
    ['a signal that is none', { signal: {} }, 'signal'],
    ['a backoff with an unknown name', { backoff: { base: 1 } }, 'backoff.base'],
  ])('refuses %s', (_name, options, field) => {
    expect(() => begin(options)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field }),
    );
  });

  test('refuses a net that is none', () => {
    const options = { net: {} as LinkNet, store: new MemoryStore(), deviceName: 'x' };
    expect(() => linkDevice(options)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'net' }),
    );
  });

  test('that nothing iterates, and whose account nothing awaits, fails without harm', async () => {
    const link = linkDeviceWith(
      { net: NET, store: new MemoryStore(), deviceName: 'x', signal: AbortSignal.abort() },
      { source: new FakeLinkService() },
    );
    await manyTurns();
    await expect(link.account).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });

  test('gives an iteration that begins late the newest code alone', async () => {
    const scene = begin();
    await untilUrls(scene, 1);
    await passUntil(scene.clock, () => scene.urls.length === 3);
    const iterator = scene.link[Symbol.asyncIterator]();
    expect(await iterator.next()).toMatchObject({ value: { type: 'url', url: scene.urls[2] } });
    await scanned(scene, {}).catch(() => undefined);
  });
});

describe('codes', () => {
  test('come every 45 s, each with an address and a key of its own; two stay open', async () => {
    const scene = begin();
    await untilUrls(scene, 1);
    for (const count of [2, 3, 4]) {
      scene.clock.pass(44_999);
      await manyTurns();
      expect(scene.urls).toHaveLength(count - 1);
      scene.clock.pass(1);
      await untilUrls(scene, count);
      await manyTurns();
      expect(scene.service.open).toHaveLength(2);
    }
    const { urls, service } = scene;
    expect(service.open.map(({ address }) => address)).toEqual(['address-2==', 'address-3==']);
    const keys = urls.map((url) => new URL(url).searchParams.get('pub_key'));
    expect(new Set(keys).size).toBe(4);
    for (const key of keys)
      PublicKey.deserialize(Uint8Array.from(Buffer.from(key ?? '', 'base64')));
  });

  test('of 45 s ago can still be scanned', async () => {
    const scene = begin();
    const first = await untilUrls(scene, 1);
    scene.clock.pass(45_000);
    await untilUrls(scene, 2);
    scene.service.provisionings[0]?.deliver(scene.phone.scan(first));
    expect(await scene.link.account).toMatchObject({ aci: scene.phone.aci });
    isClean(scene);
  });

  test('end after ten minutes with ERR_LINK_EXPIRED, and no connection is left', async () => {
    const scene = begin();
    const beganMs = scene.clock.now();
    const error = await ended(scene);
    expect(error).toMatchObject({ code: 'ERR_LINK_EXPIRED', retryable: true });
    expect(Math.floor((scene.clock.now() - beganMs) / 10_000)).toBe(60);
    expect(scene.service.provisionings.length).toBe(14);
    isClean(scene);
    expect(await loadPendingLink(scene.store)).toBeUndefined();
  });

  test('end after the caller’s own time', async () => {
    const scene = begin({ timeoutMs: 60_000 });
    const beganMs = scene.clock.now();
    expect(await ended(scene)).toMatchObject({ code: 'ERR_LINK_EXPIRED' });
    expect(Math.floor((scene.clock.now() - beganMs) / 10_000)).toBe(6);
  });

  test('are closed by the service after 90 s, and new ones go on', async () => {
    const scene = begin();
    await untilUrls(scene, 1);
    await passUntil(scene.clock, () => scene.urls.length === 2);
    scene.service.provisionings[0]?.close();
    await passUntil(scene.clock, () => scene.urls.length === 3);
    expect(scene.service.open).toHaveLength(2);
    scene.service.newest.deliver(scene.phone.scan(scene.urls[2] ?? ''));
    expect(await scene.link.account).toMatchObject({ deviceId: 2 });
  });

  test('whose connection is lost are made again after a backoff', async () => {
    const scene = begin();
    await untilUrls(scene, 1);
    scene.service.newest.close();
    await manyTurns();
    expect(scene.service.provisionings).toHaveLength(1);
    scene.clock.pass(1_000);
    await untilUrls(scene, 2);
    expect(scene.service.open).toHaveLength(1);
  });

  test('that the network does not let through are tried again, ever later', async () => {
    const service = new FakeLinkService();
    service.provisioningErrors.push(...Array.from({ length: 3 }, () => new Error('no network')));
    const scene = begin({ service });
    await manyTurns();
    expect(service.provisioningErrors).toHaveLength(2);
    await passUntil(scene.clock, () => scene.urls.length === 1);
    expect(service.provisioningErrors).toEqual([]);
  });

  test('whose connection gets no name are given up after 30 s', async () => {
    const service = new FakeLinkService();
    service.namesAtOnce = false;
    const scene = begin({ service });
    await untilTrue(() => service.provisionings.length === 1);
    service.namesAtOnce = true;
    await manyTurns();
    scene.clock.pass(30_000);
    await untilTrue(() => service.open.length === 0);
    await passUntil(scene.clock, () => scene.urls.length === 1);
    expect(service.open).toHaveLength(1);
  });

  test('end at once where the service takes no client of this version', async () => {
    const service = new FakeLinkService();
    service.provisioningErrors.push(new LibSignalErrorBase('too old', 'AppExpired', 'connect'));
    const scene = begin({ service });
    expect(await scene.failed).toMatchObject({ code: 'ERR_TRANSPORT_REFUSED' });
  });

  test('end with ERR_ABORTED when the signal fires', async () => {
    const controller = new AbortController();
    const scene = begin({ signal: controller.signal });
    await untilUrls(scene, 1);
    controller.abort(new Error('enough'));
    expect(await scene.failed).toMatchObject({ code: 'ERR_ABORTED' });
    isClean(scene);
  });
});

describe('a phone’s message', () => {
  test('that came twice, or for both codes, links one device', async () => {
    const scene = begin();
    const first = await untilUrls(scene, 1);
    scene.clock.pass(45_000);
    const second = await untilUrls(scene, 2);
    const { phone, service } = scene;
    const [older, newer] = service.provisionings;
    older?.deliver(phone.scan(first));
    older?.deliver(phone.scan(first));
    newer?.deliver(new FakePhone().scan(second));
    expect(await scene.link.account).toMatchObject({ aci: phone.aci });
    await manyTurns();
    expect(service.links).toHaveLength(1);
    isClean(scene);
  });

  test('that is forged ends the link with ERR_LINK_MESSAGE, and nothing is in the store', async () => {
    const scene = begin();
    const url = await untilUrls(scene, 1);
    const envelope = scene.phone.scan(url);
    envelope[envelope.length - 1] = envelope.at(-1) ^ 1;
    scene.service.newest.deliver(envelope);
    expect(await scene.failed).toMatchObject({ code: 'ERR_LINK_MESSAGE' });
    expect(scene.service.links).toEqual([]);
    expect(await scene.store.list('account', { limit: 10 })).toEqual([]);
    isClean(scene);
  });

  test('of another account than the store’s is refused before the service is asked', async () => {
    const first = begin();
    await scanned(first);
    await first.link.account;
    const scene = begin({ store: first.store, service: first.service, phone: new FakePhone() });
    await scanned(scene);
    expect(await scene.failed).toMatchObject({ code: 'ERR_LINK_ACCOUNT', retryable: false });
    expect(scene.service.links).toHaveLength(1);
    const own = decodeAccount((await loadAccount(scene.store)) ?? new Uint8Array(0));
    expect(own.aci).toBe(first.phone.aci);
    expect(await loadPendingLink(scene.store)).toBeUndefined();
  });
});

describe('a refusal of the service', () => {
  const fails = async (
    answer: RawAnswer,
  ): Promise<Scene & { error: SealcastError | undefined }> => {
    const service = new FakeLinkService();
    service.answers.push(answer);
    const scene = begin({ service });
    await scanned(scene);
    const error = await scene.failed;
    expect(await scene.store.list('account', { limit: 10 })).toEqual([]);
    expect(service.links).toHaveLength(1);
    isClean(scene);
    return { ...scene, error };
  };

  test.each<[number, string, boolean]>([
    [403, 'ERR_LINK_CODE', true],
    [409, 'ERR_LINK_CAPABILITY', false],
    [411, 'ERR_LINK_DEVICES', false],
    [422, 'ERR_SERVICE_REJECTED', false],
    [429, 'ERR_RATE_LIMITED', true],
    [499, 'ERR_TRANSPORT_REFUSED', false],
    [400, 'ERR_SERVICE_REJECTED', false],
  ])('with %i is %s, and leaves nothing in the store', async (status, code, retryable) => {
    const { error } = await fails({ status });
    expect(error).toMatchObject({ code, retryable });
  });

  test('for too many devices says how many there are, and may be', async () => {
    const { error } = await fails({ status: 411, json: { current: 6, max: 6 } });
    expect(error).toMatchObject({ currentDevices: 6, maxDevices: 6 });
    expect(error?.message).toContain('6 devices');
  });

  test('for too many attempts says how long to wait', async () => {
    const { error } = await fails({ status: 429, headers: [['retry-after', '120']] });
    expect(error?.retryAfterMs).toBe(120_000);
  });
});

describe('an answer that is lost', () => {
  const lost = new Error('the connection was lost');

  test('after the service linked the device: the device is found by its password', async () => {
    const service = new FakeLinkService();
    service.devices.set('another device of the account', 'x');
    service.answers.push((request) => {
      service.accept(request);
      return Promise.reject(lost);
    });
    const scene = begin({ service });
    service.devices.set(`${scene.phone.aci}.2`, 'of another device');
    await scanned(scene);
    expect(await scene.link.account).toMatchObject({ deviceId: 3 });
    expect(service.links).toHaveLength(1);
    expect(service.attempts).toEqual([`${scene.phone.aci}.2`, `${scene.phone.aci}.3`]);
    isClean(scene);
  });

  test('before the service had it: the same request is sent again', async () => {
    const service = new FakeLinkService();
    service.answers.push(lost, { status: 503 });
    const scene = begin({ service });
    await scanned(scene);
    expect(await ended(scene)).toBeUndefined();
    expect(service.links).toHaveLength(3);
    expect(new Set(service.links.map(({ password }) => password)).size).toBe(1);
  });

  test('with a success of another form: the device is found', async () => {
    const service = new FakeLinkService();
    service.answers.push((request) => {
      service.accept(request);
      return Promise.resolve({ status: 200, json: {} });
    });
    const scene = begin({ service });
    await scanned(scene);
    expect(await scene.link.account).toMatchObject({ deviceId: 2 });
  });

  test('and a second request whose code is used: the device is found', async () => {
    const service = new FakeLinkService();
    const accept = (request: LinkRequest): Promise<RawAnswer> => {
      service.accept(request);
      return Promise.reject(lost);
    };
    service.answers.push(accept, { status: 403 });
    service.deviceErrors.push(lost, null);
    const scene = begin({ service });
    await scanned(scene);
    expect(await ended(scene)).toBeUndefined();
    expect(await scene.link.account).toMatchObject({ deviceId: 2 });
  });

  test('for good keeps the link, which the next call finishes without a code', async () => {
    const service = new FakeLinkService();
    service.answers.push((request) => {
      service.accept(request);
      return Promise.reject(lost);
    });
    service.answers.push(lost, lost, lost);
    service.deviceErrors.push(lost, lost, lost, lost);
    const scene = begin({ service });
    await scanned(scene);
    const error = await ended(scene);
    expect(error).toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE', retryable: true });
    expect(error?.message).toContain('"the desk", made 2026-');
    expect(await loadAccount(scene.store)).toBeUndefined();
    const again = begin({ service, store: scene.store });
    expect(await again.link.account).toMatchObject({ aci: scene.phone.aci, deviceId: 2 });
    expect(await again.failed).toBeUndefined();
    expect(again.events.map(({ type }) => type)).toEqual(['linked']);
    expect(await loadPendingLink(scene.store)).toBeUndefined();
  });

  test('of a link that the service never had: the next call begins with a code', async () => {
    const service = new FakeLinkService();
    service.answers.push(lost, lost, lost, lost);
    service.deviceErrors.push(lost, lost, lost, lost);
    const first = begin({ service });
    await scanned(first);
    expect(await ended(first)).toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
    const { store, phone } = first;
    const scene = begin({ service, store, phone });
    await scanned(scene);
    expect(await scene.link.account).toMatchObject({ deviceId: 2 });
    expect(service.devices.size).toBe(1);
  });
});

describe('a store', () => {
  /** A store whose commits of that number fail. */
  class FullStore extends MemoryStore {
    commits = 0;
    constructor(readonly failing: number) {
      super();
    }
    override commit(changes: Parameters<MemoryStore['commit']>[0]): Promise<void> {
      this.commits += 1;
      if (this.commits === this.failing)
        return Promise.reject(new SealcastError('ERR_STORE_FAILED', 'no space left'));
      return super.commit(changes);
    }
  }

  test('that is full before the request: the service is not asked', async () => {
    const scene = begin({ store: new FullStore(1) });
    await scanned(scene);
    expect(await scene.failed).toMatchObject({ code: 'ERR_STORE_FAILED' });
    expect(scene.service.links).toEqual([]);
    expect(await scene.store.list('account', { limit: 10 })).toEqual([]);
  });

  test('that is full after it: the error names the device, and the next call finishes', async () => {
    const store = new FullStore(2);
    const scene = begin({ store });
    await scanned(scene);
    const error = await scene.failed;
    expect(error).toMatchObject({ code: 'ERR_STORE_FAILED' });
    expect(error?.message).toContain('"the desk"');
    expect(await loadAccount(store)).toBeUndefined();
    const again = begin({ store, service: scene.service });
    expect(await again.link.account).toMatchObject({ deviceId: 2 });
    expect(again.urls).toEqual([]);
  });

  test('on which a link is under way takes no second one', async () => {
    const scene = begin();
    await untilUrls(scene, 1);
    const second = begin({ store: scene.store });
    expect(await second.failed).toMatchObject({ code: 'ERR_STORE_LOCKED' });
    await scanned(scene);
    await scene.link.account;
    const third = begin({ store: scene.store, phone: scene.phone, service: scene.service });
    await scanned(third);
    expect(await third.link.account).toMatchObject({ deviceId: 3 });
  });

  test('that another process took over: the service is not asked', async () => {
    const store = new MemoryStore();
    Object.assign(store, { mayAct: () => false });
    const scene = begin({ store });
    await scanned(scene);
    expect(await scene.failed).toMatchObject({ code: 'ERR_STORE_LOCKED' });
    expect(scene.service.links).toEqual([]);
  });

  test('of an earlier link loses prekeys and sessions, and keeps contacts', async () => {
    const first = begin();
    await scanned(first);
    await first.link.account;
    const { store, phone, service } = first;
    const before = decodeAccount((await loadAccount(store)) ?? new Uint8Array(0));
    const contact = {
      ...NEW_CONTACT,
      profileKey: new Uint8Array(32).fill(7),
      accessMode: 'enabled' as const,
      devices: [{ deviceId: 1, registrationId: 5 }],
    };
    const value = Uint8Array.of(1);
    const devices = [
      { deviceId: 1, registrationId: 5, type: 'whisper' as const, ciphertext: value },
    ];
    await store.commit([
      contactChange('a contact', contact),
      sessionChange('a contact', 1, value),
      preKeyChange('preKey', 77, value),
      preKeyChange('preKey', 78, value, 'pni'),
      rowChange('news', 'a contact', { state: 'encrypted', identityKey: value, devices }),
      rowChange('news', 'another', { state: 'done', status: 'sealed' }),
      { table: 'certificate', key: 'without-phone-number', value },
    ]);
    phone.profileKey.fill(9);
    const scene = begin({ store, phone, service });
    await scanned(scene);
    await scene.link.account;
    expect(await store.list('session', { limit: 9 })).toEqual([]);
    expect(await store.list('preKey', { limit: 9 })).toEqual([]);
    expect(await store.list('signedPreKey', { limit: 9 })).toHaveLength(2);
    expect(await store.list('certificate', { limit: 9 })).toEqual([]);
    const [kept] = await loadContacts(store, ['a contact']);
    expect(kept).toMatchObject({ accessMode: 'enabled', devices: [] });
    expect(Buffer.from(kept?.profileKey ?? [])).toEqual(Buffer.from(contact.profileKey));
    expect(await loadRows(store, 'news', ['a contact', 'another'])).toMatchObject([
      { state: 'queued' },
      { state: 'done' },
    ]);
    const after = decodeAccount((await loadAccount(store)) ?? new Uint8Array(0));
    expect(after.deviceId).toBe(3);
    expect(after.registrationId).not.toBe(before.registrationId);
    expect(Buffer.from(after.profileKey ?? [])).toEqual(phone.profileKey);
    expect(after.retiredProfileKeys).toHaveLength(1);
  });
});

test('no error of a link has a secret of the account in it', async () => {
  for (const status of [403, 409, 411, 422, 429, 499]) {
    const service = new FakeLinkService();
    service.answers.push({ status });
    const scene = begin({ service });
    await scanned(scene);
    const error = await scene.failed;
    const text = inspect(error);
    const [request] = service.links as [LinkRequest];
    expect(text).not.toContain(request.password);
    expect(text).not.toContain(scene.phone.accountEntropyPool);
    expect(text).not.toContain(scene.phone.aci);
  }
});
