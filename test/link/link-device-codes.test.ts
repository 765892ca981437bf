import { LibSignalErrorBase, PublicKey } from '@signalapp/libsignal-client';
import { loadPendingLink } from '#dist/src/store/tables/credentials.js';
import { describe, expect, test } from 'vitest';
import { FakeLinkService } from '../fakes/fake-link-service.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { begin, untilUrls, passUntil, ended, isClean } from './link-scene.js';

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
