import type { SealcastError } from 'sealcast';
import { loadAccount } from '#dist/src/store/tables/account.js';
import { loadPendingLink } from '#dist/src/store/tables/credentials.js';
import { describe, expect, test } from 'vitest';
import { FakeLinkService, type LinkRequest, type RawAnswer } from '../fakes/fake-link-service.js';
import { type Scene, begin, scanned, ended, isClean } from './link-scene.js';

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
