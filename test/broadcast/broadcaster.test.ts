import { afterEach, describe, expect, it } from 'vitest';
import { acis, collect, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';

let scene: Scene | undefined;
afterEach(async () => {
  await scene?.[Symbol.asyncDispose]();
  scene = undefined;
});

describe('a broadcast', () => {
  it('reaches every subscriber sealed, who decrypts it with libsignal', async () => {
    scene = await openScene();
    const subscribers = await subscribeKnown(scene, 20);
    const run = scene.broadcaster.broadcast({ body: 'the bridge is closed' }, acis(subscribers));
    const deliveries = await collect(run);
    expect([...deliveries.values()].map(({ status }) => status)).toEqual(Array(20).fill('sealed'));
    expect(new Set(deliveries.keys())).toEqual(new Set(acis(subscribers)));
    for (const subscriber of subscribers)
      expect(scene.service.textsOf(subscriber)).toEqual(['the bridge is closed']);
    const summary = await run.summary();
    expect(summary).toMatchObject({
      recipients: 20,
      sealed: 20,
      unsealed: 0,
      unregistered: 0,
      failed: 0,
    });
    expect(new Set(scene.service.arrivals.map(({ timestamp }) => timestamp))).toEqual(
      new Set([summary.timestamp]),
    );
  });

  it('fetches prekeys once, and goes on with the sessions the next time', async () => {
    scene = await openScene();
    const subscribers = await subscribeKnown(scene, 5);
    await scene.broadcaster.broadcast({ body: 'one' }, acis(subscribers)).summary();
    await scene.broadcaster.broadcast({ body: 'two' }, acis(subscribers)).summary();
    expect(scene.service.countOf('fetchPreKeys')).toBe(5);
    expect(scene.service.countOf('fetchSenderCertificate')).toBe(1);
    for (const subscriber of subscribers)
      expect(scene.service.textsOf(subscriber)).toEqual(['one', 'two']);
  });

  it('sends to all devices of a recipient, each with a ciphertext of its own', async () => {
    scene = await openScene();
    const [one] = await subscribeKnown(scene, 1);
    if (one === undefined) throw new Error('nobody');
    await scene.service.addDevice(one, 2);
    await scene.service.addDevice(one, 5);
    const summary = await scene.broadcaster.broadcast({ body: 'hi' }, [one.aci]).summary();
    expect(summary.sealed).toBe(1);
    for (const deviceId of [1, 2, 5]) expect(scene.service.textsOf(one, deviceId)).toEqual(['hi']);
  });
});
