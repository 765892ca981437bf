import { MemoryStore, type BroadcastSummary } from 'sealcast';
import { AccountRuntime } from '#dist/src/runtime/account-runtime.js';
import { PreKeys } from '#dist/src/account/prekeys/manager.js';
import { Telemetry } from '#dist/src/runtime/telemetry.js';
import { BroadcastService } from '#dist/src/broadcast/service.js';
import { checkBroadcast, checkLimits } from '#dist/src/broadcast/options.js';
import { PRUNE_INTERVAL_MS } from '#dist/src/broadcast/pruner.js';
import { onProfileKey } from '#dist/src/access/access-mode.js';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { FastClock } from '../fakes/fast-clock.js';
import { openAccountWithClock } from '../harness/open-with-clock.js';
import { ManualClock, SleeplessClock } from '../fakes/manual-clock.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { tellTimes, trueNow, type Telling } from '../fakes/tell-times.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** What a broadcast takes here, and far less than any clock is off. */
const SOON_MS = MINUTE_MS / 2;

let service: StandInAccountService;
let store: MemoryStore;
let subscriber: Subscriber;
let core: BroadcastService | undefined;
let warnings: string[];
let events: [string, unknown][];
beforeEach(async () => {
  service = new StandInAccountService();
  store = new MemoryStore();
  subscriber = await service.subscribe();
  core = undefined;
  warnings = [];
  events = [];
});
afterEach(close);

async function close(): Promise<void> {
  await core?.close(new Error('closed') as never);
  core = undefined;
}

function hubOptions(clock: ManualClock): Parameters<typeof AccountRuntime.open>[0] {
  const { aci, deviceId, registrationId, identityKeyPair } = service.sender;
  const noop = (): void => undefined;
  const warn = (_: object, message: string): number => warnings.push(message);
  return {
    store,
    transport: service,
    trustRoots: [Uint8Array.from(service.trustRoot.serialize())],
    account: {
      aci,
      deviceId,
      registrationId,
      identityPublicKey: identityKeyPair.publicKey.serialize(),
      identityPrivateKey: identityKeyPair.privateKey.serialize(),
    },
    includePhoneNumber: false,
    sealerOptions: { threads: 1 },
    telemetry: new Telemetry({ debug: noop, info: noop, warn, error: noop }),
    clock,
  };
}

/** Opens a Broadcaster on a machine whose clock is ahead by that. */
async function open(aheadMs: number): Promise<SleeplessClock> {
  const clock = new SleeplessClock(trueNow() + aheadMs);
  core = await BroadcastService.open({
    ...hubOptions(clock),
    policies: { unsealedFallback: 'never', onIdentityChange: 'accept' },
    limits: checkLimits({}),
    events: { emit: (name, facts) => void events.push([name, facts]) },
  });
  core.tellClockSkews();
  await core.changeContact(subscriber.aci, (contact) =>
    onProfileKey(contact, subscriber.profileKey),
  );
  return clock;
}

const send = (id: string): Promise<BroadcastSummary> | undefined =>
  core?.broadcast(checkBroadcast({ body: id }, [subscriber.aci], { id })).summary();
const keptIds = async (): Promise<string[]> =>
  (await store.list('broadcast', { limit: 100 })).map(({ key }) => key).sort();
const expirations = (): (number | undefined)[] =>
  service.arrivals.map(({ certificate }) => certificate?.expiration());

/**
 * Leaves a certificate in the store that has expired; a clock that is days behind takes it for a
 * good one.
 */
async function storeExpiredCertificate(): Promise<void> {
  service.certificateFacts = { expiresAtMs: trueNow() - DAY_MS };
  await open(-5 * DAY_MS);
  await send('expired');
  await close();
  service.certificateFacts = {};
  service.arrivals.splice(0);
  service.requests.splice(0);
}

describe('a clock that is days behind', () => {
  it('uses no certificate of the store that has expired by the service’s time', async () => {
    await storeExpiredCertificate();
    tellTimes(service);
    await open(-5 * DAY_MS);
    expect(await send('b')).toMatchObject({ sealed: 1 });
    expect(expirations()[0]).toBeGreaterThan(trueNow() + DAY_MS);
    expect(service.countOf('fetchSenderCertificate')).toBe(1);
  });

  it('refreshes a certificate before it expires by the service’s time', async () => {
    tellTimes(service);
    const clock = await open(-5 * DAY_MS);
    service.certificateFacts = { expiresAtMs: trueNow() + 3 * HOUR_MS };
    await send('a');
    service.certificateFacts = {};
    clock.pass(2 * HOUR_MS + 1);
    await send('b');
    expect(expirations()[1]).toBeGreaterThan(trueNow() + DAY_MS);
  });

  it('gives messages the service’s time, from the first one on', async () => {
    tellTimes(service);
    await open(-5 * DAY_MS);
    await send('a');
    const [arrival] = service.arrivals;
    expect(Math.abs((arrival?.timestamp ?? 0) - trueNow())).toBeLessThan(SOON_MS);
  });
});

describe('a clock that is days ahead', () => {
  it('neither waits for another certificate nor asks for one again and again', async () => {
    tellTimes(service);
    const clock = await open(9 * DAY_MS);
    for (const id of ['a', 'b', 'c']) {
      expect(await send(id)).toMatchObject({ sealed: 1 });
      clock.pass(HOUR_MS);
    }
    expect(service.countOf('fetchSenderCertificate')).toBe(1);
    expect(events.map(([name]) => name)).toEqual(['clockSkew']);
    for (const { timestamp } of service.arrivals) {
      expect(Math.abs(timestamp - trueNow())).toBeLessThan(3 * HOUR_MS + SOON_MS);
    }
  });

  it('takes no young broadcast out of the outbox, at opening or later', async () => {
    tellTimes(service);
    await open(0);
    await send('young');
    await close();
    const clock = await open(14.5 * DAY_MS);
    expect(await keptIds()).toEqual(['young']);
    await send('new');
    for (let look = 0; look < 8; look++) {
      clock.pass(PRUNE_INTERVAL_MS);
      await manyTurns(10);
    }
    expect(await keptIds()).toEqual(['new', 'young']);
  });

  it('does not date prekeys in the future, which would be replaced once the clock is right', async () => {
    tellTimes(service);
    for (const aheadMs of [5 * DAY_MS, 0]) {
      const runtime = await AccountRuntime.open(hubOptions(new ManualClock(trueNow() + aheadMs)));
      await new PreKeys(runtime, service).maintain();
      await runtime.release();
    }
    expect(service.accountCountOf('countPreKeys')).toBe(2);
    expect(service.accountCountOf('uploadPreKeys')).toBe(1);
  });
});

describe('a clock that is right', () => {
  it('takes old broadcasts out of the outbox as soon as the service’s time is known', async () => {
    await open(-20 * DAY_MS);
    await send('old');
    await close();
    tellTimes(service);
    await open(0);
    expect(await keptIds()).toEqual(['old']);
    await send('new');
    await untilTrue(async () => (await keptIds()).join() === 'new');
  });

  it('is asked about once where the service never tells, and uses the certificate of the store', async () => {
    const telling = tellTimes(service);
    telling.roundTripMs = 6_000;
    await open(0);
    for (const id of ['a', 'b']) await send(id);
    await close();
    const clock = await open(0);
    for (const id of ['c', 'd', 'e']) {
      expect(await send(id)).toMatchObject({ sealed: 1 });
      clock.pass(HOUR_MS);
    }
    expect(service.countOf('fetchSenderCertificate')).toBe(2);
    expect(events).toEqual([]);
  });

  it('does not hold up sends with the certificate of the store while the service gives none', async () => {
    tellTimes(service);
    await open(0);
    await send('a');
    await close();
    service.intercepts.set('fetchSenderCertificate', () => ({ status: 'unavailable' }));
    const clock = await open(0);
    expect(await send('b')).toMatchObject({ sealed: 1 });
    expect(await send('c')).toMatchObject({ sealed: 1 });
    expect(service.countOf('fetchSenderCertificate')).toBe(2);
    service.intercepts.clear();
    clock.pass(MINUTE_MS);
    await send('d');
    await untilTrue(() => service.countOf('fetchSenderCertificate') === 3);
    expect(await send('e')).toMatchObject({ sealed: 1 });
    expect(service.countOf('fetchSenderCertificate')).toBe(3);
  });

  it('is waited for 10 s at most where the service does not answer, and then sends go on', async () => {
    tellTimes(service);
    await open(0);
    await send('a');
    await close();
    service.intercepts.set('fetchSenderCertificate', () => new Promise(() => undefined));
    const clock = await open(0);
    const run = core?.broadcast(checkBroadcast({ body: 'b' }, [subscriber.aci], { id: 'b' }));
    const sent = run?.summary();
    await untilTrue(() => service.countOf('fetchSenderCertificate') === 2);
    expect(run?.progress.waitingFor).toEqual(['certificate']);
    clock.pass(9_999);
    await manyTurns(20);
    expect(service.countOf('sendSealed')).toBe(1);
    clock.pass(1);
    expect(await sent).toMatchObject({ sealed: 1 });
    expect(service.countOf('fetchSenderCertificate')).toBe(2);
  });

  it('with a kept certificate that the service’s answer shows to have expired waits before it asks again', async () => {
    await storeExpiredCertificate();
    tellTimes(service);
    service.intercepts.set('fetchSenderCertificate', (_destination, count) =>
      count === 1 ? { status: 'rate-limited', retryAfterMs: 0 } : undefined,
    );
    const clock = await open(-5 * DAY_MS);
    expect(await send('b')).toMatchObject({ sealed: 1 });
    expect(clock.sleeps).toHaveLength(1);
    expect(clock.sleeps[0]).toBeGreaterThan(900);
    expect(service.countOf('fetchSenderCertificate')).toBe(2);
  });

  it('and is set back while it runs is measured again before the next message', async () => {
    tellTimes(service);
    const clock = await open(0);
    await send('a');
    clock.jump(-4 * DAY_MS);
    await send('b');
    expect(service.countOf('fetchSenderCertificate')).toBe(2);
    expect(Math.abs((service.arrivals[1]?.timestamp ?? 0) - trueNow())).toBeLessThan(SOON_MS);
    expect(events).toEqual([['clockSkew', { offsetMs: expect.closeTo(4 * DAY_MS, -5) as number }]]);
  });
});

describe('a dry run', () => {
  it('asks the service for no time', async () => {
    tellTimes(service);
    await open(-5 * DAY_MS);
    await core
      ?.broadcast(checkBroadcast({ body: 'x' }, [subscriber.aci], { dryRun: true }))
      .summary();
    expect(service.requests).toEqual([]);
  });
});

describe('a clock skew', () => {
  let telling: Telling;
  let clock: ManualClock;
  const published: unknown[] = [];
  const note = (facts: unknown): number => published.push(facts);
  beforeEach(() => {
    telling = tellTimes(service);
    published.splice(0);
    subscribe('sealcast:clock-skew', note);
  });
  afterEach(() => unsubscribe('sealcast:clock-skew', note));
  /** So often that the median is of nothing else. */
  const tellOften = (): void => {
    for (let i = 0; i < 5; i++) telling.tell();
  };

  it('is told once, in an event, a log line and a metric', async () => {
    clock = await open(-3 * DAY_MS);
    await send('a');
    tellOften();
    const facts = { offsetMs: expect.closeTo(3 * DAY_MS, -5) as number };
    expect(events).toEqual([['clockSkew', facts]]);
    expect(published).toEqual([facts]);
    expect(warnings.filter((line) => line.includes('clock'))).toHaveLength(1);
  });

  it('is told above a minute, again after a change of a minute, and again after it was gone', async () => {
    clock = await open(-MINUTE_MS + 5_000);
    tellOften();
    expect(events).toHaveLength(0);
    // Too little to be the clock being set, five times.
    for (let i = 0; i < 2; i++) {
      clock.jump(-9_000);
      telling.tell();
    }
    tellOften();
    expect(events).toHaveLength(1);
    clock.jump(-40_000);
    tellOften();
    expect(events).toHaveLength(1);
    clock.jump(-40_000);
    tellOften();
    expect(events).toHaveLength(2);
    clock.jump(130_000);
    tellOften();
    clock.jump(-130_000);
    tellOften();
    expect(events).toHaveLength(3);
  });

  it('is not told of answers that took too long', async () => {
    clock = await open(-3 * DAY_MS);
    telling.roundTripMs = 5_001;
    tellOften();
    expect(events).toEqual([]);
    expect(published).toEqual([]);
  });

  it('is told by an Account’s Broadcaster and Receiver, each once, also when it was found before they had listeners', async () => {
    const certificateMs = trueNow() + 7 * DAY_MS;
    service.certificateFacts = { expiresAtMs: certificateMs };
    const behind = new FastClock();
    behind.set(Date.now() - 3 * DAY_MS);
    const { sender, trustRoot } = service;
    const options = {
      transport: service,
      trustRoots: [trustRoot],
      account: sender,
      threads: 1,
      store,
    };
    await using account = await openAccountWithClock(options, behind);
    await untilTrue(() => published.length > 0);
    const told: string[] = [];
    account.broadcaster.on('clockSkew', ({ offsetMs }) =>
      told.push(`broadcaster ${Math.round(offsetMs / DAY_MS)}`),
    );
    account.receiver.on('clockSkew', ({ offsetMs }) =>
      told.push(`receiver ${Math.round(offsetMs / DAY_MS)}`),
    );
    await untilTrue(() => told.length === 2);
    tellOften();
    await manyTurns(10);
    expect(told.sort()).toEqual(['broadcaster 3', 'receiver 3']);
  });
});
