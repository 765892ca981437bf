import { inspect } from 'node:util';
import { linkDevice, MemoryStore, type LinkNet } from 'sealcast';
import { decryptDeviceName } from '#dist/src/link/device-name.js';
import { linkDeviceWith } from '#dist/src/link/link-device.js';
import { decodeAccount, loadAccount, loadPreKeyState } from '#dist/src/store/tables/account.js';
import { loadCredentials, loadPendingLink } from '#dist/src/store/tables/credentials.js';
import { loadPreKeys } from '#dist/src/store/tables/prekeys.js';
import { describe, expect, test } from 'vitest';
import { FakeLinkService, type LinkRequest } from '../fakes/fake-link-service.js';
import { manyTurns } from '../harness/await-condition.js';
import { FakePhone } from '../harness/fake-phone.js';
import { NET, begin, untilUrls, scanned, passUntil, isClean } from './link-scene.js';

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
