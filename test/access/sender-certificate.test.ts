import { getEventListeners } from 'node:events';
import { MemoryStore, type CertificateOutcome } from 'sealcast';
import { SenderCertificateCache } from '#dist/src/access/sender-certificate.js';
import { CertificateDelayed } from '#dist/src/access/certificate-failures.js';
import { certificateSource } from '#dist/src/runtime/certificate-source.js';
import { ServiceClock } from '#dist/src/util/service-clock.js';
import { describe, expect, it } from 'vitest';
import { failTest } from '../harness/broadcasters.js';
import { SleeplessClock } from '../fakes/manual-clock.js';
import { StandInService } from '../fakes/stand-in-service.js';

/** A cache in front of a service; its waits are noted and take no time. */
function openCache(answers?: readonly CertificateOutcome[] | (() => CertificateOutcome)) {
  const service = new StandInService();
  const { sender, trustRoot } = service;
  let fetches = 0;
  if (answers !== undefined) {
    service.fetchSenderCertificate = () => {
      const answer = typeof answers === 'function' ? answers() : answers[fetches];
      fetches += 1;
      return Promise.resolve(answer ?? failTest('more answers'));
    };
  }
  const problems: number[] = [];
  const clock = new SleeplessClock(Date.now());
  const cache = new SenderCertificateCache({
    source: certificateSource({
      store: new MemoryStore(),
      transport: service,
      ownAci: sender.aci,
      includePhoneNumber: false,
    }),
    trustRoots: [trustRoot.serialize()],
    own: {
      aci: sender.aci,
      deviceId: 1,
      identityKey: sender.identityKeyPair.publicKey.serialize(),
    },
    clock,
    problems: { emit: ({ attempt }) => void problems.push(attempt) },
  });
  return { service, cache, waits: clock.sleeps, problems, fetches: () => fetches };
}

const DAY_MS = 86_400_000;
const MALFORMED: CertificateOutcome = { status: 'ok', certificate: new Uint8Array(9).fill(255) };
const minutes = (waits: readonly number[]): number =>
  waits.reduce((total, ms) => total + ms, 0) / 60_000;

describe('a wait for a sender certificate ends', () => {
  it.each<[string, CertificateOutcome, string, number]>([
    ['refused', { status: 'rejected', httpStatus: 403 }, 'ERR_SERVICE_REJECTED', 7],
    ['malformed', MALFORMED, 'ERR_INVALID_CERTIFICATE', 7],
    [
      'unavailable while other requests are answered',
      { status: 'unavailable' },
      'ERR_SERVICE_UNAVAILABLE',
      30,
    ],
    [
      '5xx to everything',
      { status: 'unavailable', httpStatus: 502 },
      'ERR_SERVICE_UNAVAILABLE',
      30,
    ],
    [
      'a short Retry-After of an outage',
      { status: 'unavailable', retryAfterMs: 0 },
      'ERR_SERVICE_UNAVAILABLE',
      30,
    ],
    ['rate limited', { status: 'rate-limited', retryAfterMs: 0 }, 'ERR_RATE_LIMITED', 30],
  ])(
    '%s: after growing waits, with the code of the last failure',
    async (_, answer, code, attempts) => {
      const { cache, waits, problems, fetches } = openCache(() => answer);
      await expect(cache.get()).rejects.toMatchObject({ code, cause: { code } });
      expect(fetches()).toBe(attempts);
      expect(problems).toEqual(Array.from({ length: attempts }, (_attempt, i) => i + 1));
      expect(waits).toHaveLength(attempts - 1);
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(1_000);
      expect(minutes(waits)).toBeGreaterThan(attempts === 7 ? 1 : 20);
      expect(minutes(waits)).toBeLessThan(40);
    },
  );

  it.each<[string, CertificateOutcome]>([
    ['Retry-After of 5 minutes', { status: 'unavailable', retryAfterMs: 300_000 }],
    ['rate limit of an hour', { status: 'rate-limited', retryAfterMs: 3_600_000 }],
    ['rate limit of a year', { status: 'rate-limited', retryAfterMs: 365 * 86_400_000 }],
  ])('after an hour or little more, each time after a %s', async (_, answer) => {
    const { cache, waits } = openCache(() => answer);
    const { retryAfterMs } = answer as { retryAfterMs: number };
    const cause = { code: expect.stringMatching(/^ERR_/) as string, retryAfterMs };
    await expect(cache.get()).rejects.toMatchObject({ retryable: true, retryAfterMs, cause });
    expect(minutes(waits)).toBeGreaterThanOrEqual(60);
    expect(minutes(waits)).toBeLessThan(75);
  });

  it('for all callers that wait, and a later caller waits through as many failures again', async () => {
    const { cache, fetches } = openCache(() => MALFORMED);
    const waiting = await Promise.allSettled(Array.from({ length: 20 }, () => cache.get()));
    expect(waiting.every(({ status }) => status === 'rejected')).toBe(true);
    expect(fetches()).toBe(7);
    await expect(cache.get()).rejects.toMatchObject({ code: 'ERR_INVALID_CERTIFICATE' });
    expect(fetches()).toBe(14);
  });
});

describe('a wait for a sender certificate goes on', () => {
  it('while nothing is answered at all', async () => {
    const { service, cache, fetches } = openCache(() => ({ status: 'unavailable' }));
    service.intercepts.set('accountExists', () =>
      fetches() < 100 ? { status: 'unavailable' } : undefined,
    );
    await expect(cache.get()).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
    expect(fetches()).toBe(129);
  });
});

it('a wait whose signal has fired asks for no certificate', async () => {
  const { service, cache } = openCache();
  await expect(cache.get(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  expect(service.countOf('fetchSenderCertificate')).toBe(0);
});

it('100 waits for one sender certificate share one listener on their signal', async () => {
  const { service, cache } = openCache();
  let give!: () => void;
  const held = new Promise<undefined>((resolve) => (give = () => resolve(undefined)));
  service.intercepts.set('fetchSenderCertificate', () => held);
  const { signal } = new AbortController();
  const waiting = Array.from({ length: 100 }, () => cache.get(signal));
  while (service.countOf('fetchSenderCertificate') === 0)
    await new Promise((resolve) => setImmediate(resolve));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  give();
  await Promise.all(waiting);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

it('a kept certificate that the service’s time shows to have expired is replaced once the service may be asked again', async () => {
  const { trustRoot, sender, ...service } = certifier();
  const local = new SleeplessClock(Date.now() - 5 * DAY_MS);
  const clock = new ServiceClock(local, true);
  let fetches = 0;
  const cache = new SenderCertificateCache({
    source: {
      fetch: () => {
        fetches += 1;
        clock.take({ serverMs: Date.now(), startMs: 0, endMs: 0 });
        const facts = {
          code: 'ERR_RATE_LIMITED',
          retryAfterMs: 90_000,
          ceilingMs: DAY_MS,
          cause: undefined,
        } as const;
        if (fetches === 1) return Promise.reject(new CertificateDelayed('rate limited', facts));
        return Promise.resolve(service.certify(Date.now() + 7 * DAY_MS));
      },
      load: () => Promise.resolve(service.certify(Date.now() - DAY_MS)),
      save: () => Promise.resolve(),
    },
    trustRoots: [trustRoot],
    own: {
      aci: sender.aci,
      deviceId: 1,
      identityKey: sender.identityKeyPair.publicKey.serialize(),
    },
    problems: { emit: () => undefined },
    clock,
  });
  expect((await cache.get()).expiresAtMs).toBeGreaterThan(Date.now() + DAY_MS);
  expect(fetches).toBe(2);
  expect(local.sleeps).toHaveLength(1);
  expect(local.sleeps[0]).toBeGreaterThanOrEqual(90_000);
});

function certifier() {
  const service = new StandInService();
  const { sender } = service;
  const facts = { aci: sender.aci, deviceId: 1, key: sender.identityKeyPair.publicKey };
  return {
    sender,
    trustRoot: service.trustRoot.serialize(),
    certify: (expiresAtMs: number) => service.certify({ ...facts, expiresAtMs }).serialize(),
  };
}
