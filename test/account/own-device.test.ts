import { IdentityKeyPair } from '@signalapp/libsignal-client';
import {
  MemoryStore,
  SealcastError,
  type Account,
  type AccountOptions,
  type BroadcasterEvents,
  type Refusal,
} from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encryptDeviceName } from '#dist/src/link/device-name.js';
import { credentialsChange, loadCredentials } from '#dist/src/store/tables/credentials.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { OwnDeviceService } from '../fakes/own-device-service.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { openAccountWithClock } from '../harness/open-with-clock.js';
import { refusedField } from '../harness/refusals.js';

const PRIMARY = { spqr: true, usernameChangeSyncMessage: true, attachmentBackfill: false };
const LINKED = { spqr: true, usernameChangeSyncMessage: true, attachmentBackfill: true };
const CREDENTIALS = { password: 'secret', capabilities: {}, createdAtMs: 1 };

let service: OwnDeviceService;
let store: MemoryStore;
let clock: ManualClock;
let account: Account | undefined;
beforeEach(() => {
  service = new OwnDeviceService();
  store = new MemoryStore();
  clock = new ManualClock(Date.now());
});
afterEach(() => account?.close());

async function open(
  options: Partial<AccountOptions> = {},
  transport: AccountOptions['transport'] = service,
): Promise<Account> {
  account = await openAccountWithClock(
    {
      store,
      transport,
      trustRoots: [service.trustRoot],
      account: service.sender,
      threads: 1,
      maintainPreKeys: false,
      ...options,
    },
    clock,
  );
  return account;
}
const link = (): void => void Object.assign(service.sender, { deviceId: 2 });
const untilAsked = (count: number): Promise<void> =>
  untilTrue(() => service.asked('setCapabilities').length >= count);

describe('the capabilities of this device', () => {
  it('are told at every start: of a primary', async () => {
    await open();
    await untilAsked(1);
    await account?.close();
    await open();
    await untilAsked(2);
    expect(service.asked('setCapabilities')).toEqual([PRIMARY, PRIMARY]);
  });

  it('are told at every start: of a linked device, as the option says', async () => {
    link();
    await open();
    await untilAsked(1);
    await account?.close();
    const capabilities = { ...LINKED, optionalPhoneNumber: true };
    await open({ capabilities });
    await untilAsked(2);
    expect(service.asked('setCapabilities')).toEqual([LINKED, capabilities]);
  });

  it('are those of the linking, and the default', async () => {
    link();
    const capabilities = { attachmentBackfill: false };
    await store.commit([credentialsChange({ ...CREDENTIALS, capabilities })]);
    await open();
    await untilAsked(1);
    expect(service.asked('setCapabilities')).toEqual([{ ...LINKED, ...capabilities }]);
  });

  it.each<Refusal>([
    { status: 'unavailable', httpStatus: 503 },
    { status: 'rate-limited', retryAfterMs: 5_000 },
  ])('are told again after %j, later each time, and not for ever', async (refusal) => {
    service.refusals.set(
      'setCapabilities',
      Array.from({ length: 50 }, () => refusal),
    );
    const problems: unknown[] = [];
    (await open()).on('capabilityProblem', (problem) => problems.push(problem));
    await untilAsked(1);
    await manyTurns();
    expect(service.asked('setCapabilities')).toHaveLength(1);
    for (let attempt = 2; attempt <= 20; attempt += 1) {
      clock.pass(5 * 3_600_000);
      await untilAsked(attempt);
    }
    clock.pass(24 * 3_600_000);
    await manyTurns();
    expect(service.asked('setCapabilities')).toHaveLength(20);
    expect(problems).toEqual([]);
  });

  it.each<Refusal>([
    { status: 'rejected', httpStatus: 409 },
    { status: 'rejected', httpStatus: 422 },
    { status: 'unauthorized' },
  ])('that the service refuses with %j are an event, and the account goes on', async (refusal) => {
    service.refusals.set('setCapabilities', [refusal]);
    const problems: unknown[] = [];
    const warnings: unknown[] = [];
    const log = (facts: object): void => void warnings.push(facts);
    const logger = { debug: () => undefined, info: () => undefined, warn: log, error: log };
    (await open({ logger })).on('capabilityProblem', (problem) => problems.push(problem));
    await untilTrue(() => problems.length > 0);
    expect(problems).toEqual([
      { error: expect.objectContaining({ code: 'ERR_SERVICE_REJECTED' }) as SealcastError },
    ]);
    expect(warnings).toEqual([{ code: 'ERR_SERVICE_REJECTED' }]);
    clock.pass(24 * 3_600_000);
    await manyTurns();
    expect(service.asked('setCapabilities')).toHaveLength(1);
    await account?.devices();
  });

  it('are not told by a transport that cannot', async () => {
    Object.assign(service, { setCapabilities: undefined });
    await open();
    await manyTurns();
    expect(service.ownRequests).toEqual([]);
  });

  it('are checked before anything is opened', async () => {
    await expect(open({ capabilities: { profiles_v2: true } })).rejects.toMatchObject(
      refusedField('capabilities.profiles_v2'),
    );
  });
});

describe('an answered challenge', () => {
  const TOKEN = 'a token';

  async function untilChallenged(): Promise<{ readonly summary: Promise<unknown> }> {
    const { broadcaster } = await open();
    const challenges: BroadcasterEvents['challenge'][0][] = [];
    broadcaster.on('challenge', (challenge) => challenges.push(challenge));
    const subscriber = await service.subscribe();
    await broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
    service.intercepts.set('sendSealed', () => ({
      status: 'challenge',
      token: TOKEN,
      options: ['captcha'],
    }));
    const run = broadcaster.broadcast({ body: 'x' }, [subscriber.aci]);
    await untilTrue(() => challenges.length > 0);
    service.intercepts.clear();
    return { summary: run.summary() };
  }

  it('resumes the broadcast that waits for it', async () => {
    const { summary } = await untilChallenged();
    await account?.answerChallenge({ token: 'token', captcha: ' "signalcaptcha://solved.it" \n' });
    expect(service.asked('answerChallenge')).toEqual([{ token: 'token', captcha: 'solved.it' }]);
    expect(await summary).toMatchObject({ sealed: 1 });
  });

  it.each<[Refusal, string]>([
    [{ status: 'challenge', token: '', options: [] }, 'ERR_CAPTCHA'],
    [{ status: 'rate-limited', retryAfterMs: 9_000 }, 'ERR_RATE_LIMITED'],
    [{ status: 'unavailable' }, 'ERR_SERVICE_UNAVAILABLE'],
    [{ status: 'rejected', httpStatus: 422 }, 'ERR_SERVICE_REJECTED'],
  ])('that the service refuses with %j leaves the broadcast waiting', async (refusal, code) => {
    const { summary } = await untilChallenged();
    service.refusals.set('answerChallenge', [refusal]);
    const sends = service.countOf('sendSealed');
    const error = await account
      ?.answerChallenge({ token: 'token', captcha: 'solved' })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain('solved');
    await manyTurns();
    expect(service.countOf('sendSealed')).toBe(sends);
    await account?.answerChallenge({ token: 'token', captcha: 'solved' });
    expect(await summary).toMatchObject({ sealed: 1 });
  });

  it.each([
    ['no answer', undefined, 'answer'],
    ['no token', { captcha: 'x' }, 'answer.token'],
    ['an empty captcha', { token: 't', captcha: 'signalcaptcha://' }, 'answer.captcha'],
    ['a captcha of several words', { token: 't', captcha: 'a b' }, 'answer.captcha'],
    ['an unknown name', { token: 't', captcha: 'x', captchas: 'x' }, 'answer.captchas'],
  ])('is refused before any request: %s', async (_what, answer, field) => {
    await open();
    await expect(account?.answerChallenge(answer as never)).rejects.toMatchObject(
      refusedField(field),
    );
    expect(service.asked('answerChallenge')).toEqual([]);
  });
});

describe('the devices of the account', () => {
  it('are listed, with the names that the identity key decrypts', async () => {
    link();
    const { publicKey } = service.sender.identityKeyPair;
    service.devices = [
      { deviceId: 1, lastSeenMs: 5 },
      {
        deviceId: 2,
        lastSeenMs: 7,
        registrationId: 9,
        encryptedName: encryptDeviceName('harbour office', publicKey.serialize()),
      },
      {
        deviceId: 3,
        lastSeenMs: 8,
        encryptedName: encryptDeviceName(
          'a stranger’s',
          IdentityKeyPair.generate().publicKey.serialize(),
        ),
      },
    ];
    expect(await (await open()).devices()).toEqual([
      { deviceId: 1, isPrimary: true, isThisDevice: false, lastSeenMs: 5 },
      {
        deviceId: 2,
        isPrimary: false,
        isThisDevice: true,
        lastSeenMs: 7,
        name: 'harbour office',
      },
      { deviceId: 3, isPrimary: false, isThisDevice: false, lastSeenMs: 8 },
    ]);
  });

  it('lose this one, which keeps its contacts and drops its credentials', async () => {
    link();
    await store.commit([credentialsChange(CREDENTIALS)]);
    const { broadcaster } = await open();
    const subscriber = await service.subscribe();
    await broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
    await account?.unlink();
    expect(service.asked('removeDevice')).toEqual([2]);
    expect(await loadCredentials(store)).toBeUndefined();
    expect((await store.getMany('contact', [subscriber.aci]))[0]).toBeDefined();
  });

  it('keep the credentials of one that the service does not remove', async () => {
    link();
    await store.commit([credentialsChange(CREDENTIALS)]);
    service.refusals.set('removeDevice', [{ status: 'unavailable' }]);
    await open();
    await expect(account?.unlink()).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
    expect(await loadCredentials(store)).toMatchObject({ password: 'secret' });
  });

  it('lose another one by the primary alone', async () => {
    await open();
    await account?.unlink(3);
    await expect(account?.unlink()).rejects.toMatchObject(refusedField('deviceId'));
    await expect(account?.unlink(128)).rejects.toMatchObject(refusedField('deviceId'));
    expect(service.asked('removeDevice')).toEqual([3]);
    await account?.close();
    link();
    store = new MemoryStore();
    await open();
    await expect(account?.unlink(3)).rejects.toMatchObject({ code: 'ERR_NOT_PRIMARY' });
    await expect(account?.unlink(1)).rejects.toMatchObject(refusedField('deviceId'));
    expect(service.asked('removeDevice')).toEqual([3]);
  });
});

describe('a notice of the service about this device', () => {
  it('is the event alert, once a day', async () => {
    const alerts: unknown[] = [];
    (await open()).on('alert', ({ alert }) => alerts.push(alert));
    await manyTurns();
    service.listener?.onAlerts?.(['idle-primary-device']);
    service.listener?.onAlerts?.(['idle-primary-device', 'another']);
    expect(alerts).toEqual(['idle-primary-device', 'another']);
    clock.pass(24 * 3_600_000);
    service.listener?.onAlerts?.(['idle-primary-device']);
    expect(alerts).toEqual(['idle-primary-device', 'another', 'idle-primary-device']);
  });

  it.each([
    ['delinked', new SealcastError('ERR_TRANSPORT_REFUSED', 'no', { reason: 'delinked' })],
    ['refused', new SealcastError('ERR_TRANSPORT_REFUSED', 'no')],
    ['transport-closed', new SealcastError('ERR_CLOSED', 'closed')],
  ] as const)('is the event stopped with the reason %s', async (reason, error) => {
    const stops: unknown[] = [];
    (await open()).on('stopped', (stop) => stops.push(stop));
    account?.receiver.discard();
    service.listener?.onConnectionEnded?.(error);
    await untilTrue(() => stops.length > 0);
    expect(stops).toEqual([{ error, reason }]);
  });
});
