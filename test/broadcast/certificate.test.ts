import { randomUUID } from 'node:crypto';
import { IdentityKeyPair } from '@signalapp/libsignal-client';
import { SealcastError, type BroadcasterEvents, type SealcastErrorCode } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import {
  acis,
  deliveryTo,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import { StandInService, type CertificateFacts } from '../fakes/stand-in-service.js';
import { FastClock } from '../fakes/fast-clock.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let clock: FastClock;
let scene: Scene;
beforeEach(async () => {
  // A thousand times as fast: what is tested is what follows, not how long it takes.
  clock = new FastClock(1000);
  scene = await openScene({}, serviceOn(clock), clock);
});
afterEach(() => scene[Symbol.asyncDispose]());

/** A service that has the same time. */
function serviceOn(clock: FastClock): StandInService {
  const service = new StandInService();
  service.now = () => clock.now();
  return service;
}

/** When the certificates expire that arrived, in the order of their arrival. */
const expirations = ({ arrivals }: StandInService): (number | undefined)[] =>
  arrivals.map(({ certificate }) => certificate?.expiration());

describe('the sender certificate', () => {
  it('is fetched once for all who want it at the same time', async () => {
    const subscribers = await subscribeKnown(scene, 30);
    const runs = ['one', 'two'].map((body) =>
      scene.broadcaster.broadcast({ body }, acis(subscribers)).summary(),
    );
    await Promise.all(runs);
    expect(scene.service.countOf('fetchSenderCertificate')).toBe(1);
    expect(scene.service.arrivals).toHaveLength(60);
  });

  it('is not asked for again before the service’s Retry-After', async () => {
    const subscribers = await subscribeKnown(scene, 1);
    scene.service.intercepts.set('fetchSenderCertificate', (_destination, count) => {
      return count === 1 ? { status: 'rate-limited', retryAfterMs: 90_000 } : undefined;
    });
    clock.sleeps.splice(0);
    const summary = await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary();
    expect(summary).toMatchObject({ sealed: 1 });
    expect(clock.sleeps.some((ms) => ms >= 90_000 && ms <= 101_250)).toBe(true);
    expect(scene.service.countOf('fetchSenderCertificate')).toBe(2);
  });

  it('is asked for again within minutes, whatever Retry-After an outage of the service names', async () => {
    const subscribers = await subscribeKnown(scene, 1);
    scene.service.intercepts.set('fetchSenderCertificate', (_destination, count) => {
      return count === 1 ? { status: 'unavailable', retryAfterMs: 10 ** 12 } : undefined;
    });
    clock.sleeps.splice(0);
    const summary = await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary();
    expect(summary).toMatchObject({ sealed: 1 });
    expect(clock.sleeps.some((ms) => ms >= 300_000)).toBe(true);
    expect(Math.max(...clock.sleeps)).toBeLessThanOrEqual(337_500);
  });

  it('that the service refuses again and again stops the broadcast, which can be resumed', async () => {
    const subscribers = await subscribeKnown(scene, 1);
    scene.service.intercepts.set('fetchSenderCertificate', () => ({
      status: 'rejected',
      httpStatus: 403,
    }));
    const stopped = scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers), { id: 'refused' })
      .summary();
    await expect(stopped).rejects.toMatchObject({ code: 'ERR_SERVICE_REJECTED' });
    scene.service.intercepts.delete('fetchSenderCertificate');
    expect(await scene.broadcaster.resume()).toMatchObject([
      { id: 'refused', status: 'finished', summary: { sealed: 1 } },
    ]);
  });

  it('is in the store, so that the next Broadcaster fetches none', async () => {
    const subscribers = await subscribeKnown(scene, 1);
    await scene.broadcaster.broadcast({ body: 'one' }, acis(subscribers)).summary();
    await scene.broadcaster.close();
    scene = await openScene({ store: scene.store }, scene.service, clock);
    expect(
      await scene.broadcaster.broadcast({ body: 'two' }, acis(subscribers)).summary(),
    ).toMatchObject({
      sealed: 1,
    });
    expect(scene.service.countOf('fetchSenderCertificate')).toBe(1);
  });

  it('of a store that now trusts other roots is fetched again', async () => {
    const subscribers = await subscribeKnown(scene, 1);
    await scene.broadcaster.broadcast({ body: 'one' }, acis(subscribers)).summary();
    await scene.store.commit([
      { table: 'certificate', key: 'without-phone-number', value: new Uint8Array(100).fill(1) },
    ]);
    await scene.broadcaster.close();
    scene = await openScene({ store: scene.store }, scene.service, clock);
    expect(
      await scene.broadcaster.broadcast({ body: 'two' }, acis(subscribers)).summary(),
    ).toMatchObject({
      sealed: 1,
    });
    expect(scene.service.countOf('fetchSenderCertificate')).toBe(2);
  });

  it('is fetched again a day ahead of its end, while the old one is in use', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    if (subscriber === undefined) return failTest('subscriber');
    const startMs = Date.now();
    await deliveryTo(scene, subscriber);
    const [first] = expirations(scene.service);
    let letGo!: () => void;
    const held = new Promise<undefined>((resolve) => (letGo = () => resolve(undefined)));
    scene.service.intercepts.set('fetchSenderCertificate', () => held);
    clock.set(startMs + 6 * DAY_MS + HOUR_MS);
    await deliveryTo(scene, subscriber);
    await deliveryTo(scene, subscriber);
    expect(expirations(scene.service)).toEqual([first, first, first]);
    expect(scene.service.countOf('fetchSenderCertificate')).toBe(2);
    letGo();
    await untilTrue(async () => {
      await deliveryTo(scene, subscriber);
      return expirations(scene.service).at(-1) !== first;
    });
    expect(scene.service.countOf('fetchSenderCertificate')).toBe(2);
  });

  it('is not used in its last hour, nor after a failed refresh until then thrown away', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    if (subscriber === undefined) return failTest('subscriber');
    const startMs = Date.now();
    await deliveryTo(scene, subscriber);
    const [first] = expirations(scene.service);
    scene.service.intercepts.set('fetchSenderCertificate', () => ({ status: 'unavailable' }));
    clock.set((first ?? 0) - HOUR_MS - 60_000);
    await deliveryTo(scene, subscriber);
    expect(expirations(scene.service)).toEqual([first, first]);
    scene.service.intercepts.clear();
    clock.set((first ?? 0) - HOUR_MS);
    await deliveryTo(scene, subscriber);
    expect(expirations(scene.service).at(-1)).toBeGreaterThan(startMs + 7 * DAY_MS + HOUR_MS);
  });

  it('that ends in the middle of a broadcast is replaced for the recipients that follow', async () => {
    await scene.broadcaster.close();
    scene = await openScene({ concurrency: 1, store: scene.store }, scene.service, clock);
    const subscribers = await subscribeKnown(scene, 6);
    const startMs = Date.now();
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers));
    let delivered = 0;
    scene.service.intercepts.set('sendSealed', (_, count) => {
      if (count === 3) clock.set(startMs + 7 * DAY_MS - HOUR_MS / 2);
      return undefined;
    });
    for await (const { status } of run) {
      expect(status).toBe('sealed');
      delivered += 1;
    }
    expect(delivered).toBe(6);
    const ends = expirations(scene.service);
    expect(ends.slice(0, 3)).toEqual(Array(3).fill(ends[0]));
    expect(ends.slice(3)).toEqual(Array(3).fill(ends[3]));
    expect(ends[3]).toBeGreaterThan(ends[0] ?? Infinity);
  });

  it('may expire at 2^53 ms', async () => {
    scene.service.certificateFacts = { expiresAtMs: 2 ** 53 };
    const subscribers = await subscribeKnown(scene, 2);
    expect(
      await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary(),
    ).toMatchObject({ sealed: 2 });
    expect(
      await scene.broadcaster.broadcast({ body: 'y' }, acis(subscribers)).summary(),
    ).toMatchObject({ sealed: 2 });
    expect(scene.service.countOf('fetchSenderCertificate')).toBe(1);
  });
});

describe('a sender certificate that does not hold', () => {
  type Problem = BroadcasterEvents['certificateProblem'][0];

  /** Sends while the service gives what is wrong, and has it give good ones once that was told. */
  async function sendThrough(
    spoil: (service: StandInService) => void,
    mend: (service: StandInService) => void,
  ): Promise<Problem[]> {
    const problems: Problem[] = [];
    const subscribers = await subscribeKnown(scene, 10);
    spoil(scene.service);
    scene.broadcaster.on('certificateProblem', (problem) => {
      problems.push(problem);
      expect(scene.service.countOf('sendSealed')).toBe(0);
      mend(scene.service);
    });
    const summary = await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary();
    expect(summary).toMatchObject({ sealed: 10 });
    expect(scene.service.countOf('sendUnsealed')).toBe(0);
    return problems;
  }

  const wrong: readonly [string, Partial<CertificateFacts>, SealcastErrorCode][] = [
    ['of another trust root', { foreign: true }, 'ERR_INVALID_CERTIFICATE'],
    ['of another account', { aci: randomUUID() }, 'ERR_INVALID_CERTIFICATE'],
    ['of another device', { deviceId: 2 }, 'ERR_INVALID_CERTIFICATE'],
    [
      'of another identity key',
      { key: IdentityKeyPair.generate().publicKey },
      'ERR_INVALID_CERTIFICATE',
    ],
    ['that has expired', { expiresAtMs: 1 }, 'ERR_CLOCK_SKEW'],
    ['that expires within the hour', { expiresAtMs: Date.now() + HOUR_MS / 2 }, 'ERR_CLOCK_SKEW'],
  ];
  it.each(wrong)(
    '%s is told once, and sends wait until there is one that holds',
    async (_, facts, code) => {
      const problems = await sendThrough(
        (service) => (service.certificateFacts = facts),
        (service) => (service.certificateFacts = {}),
      );
      expect(problems).toMatchObject([{ attempt: 1, error: { code } }]);
      expect(scene.service.countOf('fetchSenderCertificate')).toBe(2);
    },
  );

  it('malformed is told once for each request, and stops the broadcast after seven, which can be resumed', async () => {
    const { service } = scene;
    const subscribers = await subscribeKnown(scene, 10);
    const fetchSenderCertificate = service.fetchSenderCertificate.bind(service);
    service.fetchSenderCertificate = () =>
      Promise.resolve({ status: 'ok', certificate: new Uint8Array(9).fill(255) });
    const problems: Problem[] = [];
    scene.broadcaster.on('certificateProblem', (problem) => problems.push(problem));
    clock.sleeps.splice(0);
    const stopped = scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers), { id: 'malformed' })
      .summary();
    await expect(stopped).rejects.toMatchObject({
      code: 'ERR_INVALID_CERTIFICATE',
      cause: { code: 'ERR_INVALID_CERTIFICATE' },
    });
    expect(problems.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(Math.max(...clock.sleeps)).toBeGreaterThanOrEqual(60_000);
    expect(scene.service.countOf('sendSealed')).toBe(0);
    service.fetchSenderCertificate = fetchSenderCertificate;
    expect(await scene.broadcaster.resume()).toMatchObject([
      { id: 'malformed', status: 'finished', summary: { sealed: 10 } },
    ]);
  });

  it('that cannot be had for now is told once for each request, whose number is told', async () => {
    const problems = await sendThrough(
      ({ intercepts }) =>
        intercepts.set('fetchSenderCertificate', () => ({ status: 'unavailable' })),
      ({ intercepts }) => intercepts.clear(),
    );
    expect(problems).toMatchObject([{ attempt: 1, error: { code: 'ERR_SERVICE_UNAVAILABLE' } }]);
    expect(scene.service.countOf('fetchSenderCertificate')).toBe(2);
  });

  it('that the service refuses for good stops the broadcast with what the transport says', async () => {
    const refused = new SealcastError('ERR_TRANSPORT_REFUSED', 'the device was delinked');
    scene.service.fetchSenderCertificate = () => Promise.reject(refused);
    const subscribers = await subscribeKnown(scene, 3);
    const summary = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary();
    await expect(summary).rejects.toBe(refused);
  });

  it('that the service never gives holds up neither an abort nor close()', async () => {
    scene.service.fetchSenderCertificate = () => new Promise(() => undefined);
    const subscribers = await subscribeKnown(scene, 3);
    const controller = new AbortController();
    const options = { signal: controller.signal };
    const aborted = scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers), options)
      .summary();
    const closed = scene.broadcaster.broadcast({ body: 'y' }, acis(subscribers)).summary();
    await untilTrue(() => scene.service.countOf('fetchPreKeys') >= 3);
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    const closing = scene.broadcaster.close();
    await expect(closed).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await closing;
  });
});
