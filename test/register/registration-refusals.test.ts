import { inspect } from 'node:util';
import { SvrKey } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import { resumeRegistrationWith, startRegistrationWith } from '#dist/src/register/registration.js';
import { loadAccount, loadOwnRecords } from '#dist/src/store/tables/account.js';
import { loadCredentials, loadPendingRegistration } from '#dist/src/store/tables/credentials.js';
import { describe, expect, test } from 'vitest';
import type { FakeRegistrationService } from '../fakes/fake-registration-service.js';
import {
  answerOf,
  libsignalError,
  LOST,
  lostConnection,
  type RawAnswer,
} from '../fakes/fake-registration-service.js';
import { ManualClock } from '../fakes/manual-clock.js';
import {
  NUMBER,
  newScene,
  start,
  resume,
  awaitingCode,
  passUntil,
  errorOf,
  storedAccount,
} from './registration-scene.js';

describe('an answer that was lost', () => {
  test('is asked for again with the same keys and password', async () => {
    const scene = newScene();
    const { net } = scene;
    const registration = await awaitingCode(scene);
    net.failures.register.push(LOST, lostConnection());
    const { aci } = await registration.submitCode(net.code);
    expect(net.calls.filter((call) => call === 'register')).toHaveLength(3);
    const passwords = net.registrations.map(({ password }) => password);
    expect(new Set(passwords).size).toBe(1);
    expect((await storedAccount(scene.store)).aci).toBe(aci);
  });

  test.each(['is there', 'is over'])(
    'is found by the next process when the session %s',
    async (session) => {
      const scene = newScene();
      const { net, store } = scene;
      const registration = await awaitingCode(scene);
      net.failures.register.push(LOST, LOST, LOST, LOST);
      const error = await errorOf(registration.submitCode(net.code));
      expect(error).toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE', retryable: true });
      expect(error.message).toContain('resumeRegistration');
      expect(await loadPendingRegistration(store)).toMatchObject({ isRequested: true });
      if (session === 'is over') net.sessions.clear();
      const { account } = await resume(scene);
      const known = net.accounts.get(NUMBER);
      expect(account).toMatchObject({ aci: known?.aci, pni: `PNI:${known?.pni}` });
      expect((await loadCredentials(store))?.password).toBe(known?.password);
      expect(Buffer.from((await storedAccount(store)).identityPublicKey)).toEqual(
        Buffer.from(known?.identityKey ?? '', 'base64'),
      );
      expect(await loadPendingRegistration(store)).toBeUndefined();
    },
  );

  test('of a request that never came leads back to a new session with the same keys', async () => {
    const scene = newScene();
    const { net, store } = scene;
    const registration = await awaitingCode(scene);
    net.failures.register.push(...Array.from({ length: 4 }, lostConnection));
    await errorOf(registration.submitCode(net.code));
    net.sessions.clear();
    expect(await errorOf(resume(scene))).toMatchObject({ code: 'ERR_REGISTRATION_SESSION' });
    const pending = await loadPendingRegistration(store);
    expect(pending).toMatchObject({ isRequested: false });
    const again = await awaitingCode(scene);
    await again.submitCode(net.code);
    expect(net.accounts.get(NUMBER)?.password).toBe(pending?.credentials.password);
  });

  test('stays unknown through a rate limit', async () => {
    const scene = newScene();
    const { net, store } = scene;
    const registration = await awaitingCode(scene);
    net.failures.register.push(LOST, answerOf(429, {}, 30));
    const error = await errorOf(registration.submitCode(net.code));
    expect(error).toMatchObject({ code: 'ERR_RATE_LIMITED', retryAfterMs: 30_000 });
    expect(await loadPendingRegistration(store)).toMatchObject({ isRequested: true });
    expect((await resume(scene)).account).toMatchObject({ number: NUMBER });
  });

  test('is given up by a step that takes too long', async () => {
    const scene = newScene();
    const { net, store } = scene;
    const clock = new ManualClock();
    const registration = await startRegistrationWith(
      { net, store, number: NUMBER, confirmNumberNotInUse: true },
      { clock },
    );
    let answer = (): void => undefined;
    net.onRegister = () => new Promise((resolve) => (answer = resolve));
    let isOver = false;
    const failed = errorOf(registration.submitCode(net.code)).finally(() => (isOver = true));
    await passUntil(clock, () => isOver);
    expect(await failed).toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
    answer();
    net.onRegister = () => Promise.resolve();
    const resumed = await resumeRegistrationWith({ net, store }, { clock });
    expect(resumed.account).toMatchObject({ number: NUMBER });
  });

  test('of the store that could not take the account is made good by the next process', async () => {
    const scene = newScene();
    const { net } = scene;
    const registration = await awaitingCode(scene);
    const inner = scene.store;
    const commit = inner.commit.bind(inner);
    let isFull = false;
    inner.commit = (changes) =>
      isFull ? Promise.reject(new Error('no space left')) : commit(changes);
    net.onRegister = () => {
      isFull = true;
      return Promise.resolve();
    };
    const error = await errorOf(registration.submitCode(net.code));
    expect(error).toMatchObject({ code: 'ERR_STORE_FAILED' });
    expect(error.message).toContain('make room');
    isFull = false;
    net.onRegister = () => Promise.resolve();
    expect((await resume(scene)).account?.aci).toBe(net.accounts.get(NUMBER)?.aci);
  });
});

describe('a registration lock', () => {
  const lock = (): RawAnswer =>
    answerOf(423, {
      timeRemaining: 86_400_000,
      svr2Credentials: { username: 'user', password: 'the password of the recovery service' },
    });

  test('says how long it holds, and keeps the verified session for a call with the PIN', async () => {
    const scene = newScene();
    const { net, store } = scene;
    const registration = await awaitingCode(scene);
    net.failures.register.push(lock());
    const error = await errorOf(registration.submitCode(net.code));
    expect(error).toMatchObject({ code: 'ERR_REGISTRATION_LOCK', lockedForMs: 86_400_000 });
    expect(error.message).toContain('PIN');
    expect(inspect(error)).not.toContain('the password of the recovery service');
    expect(await loadPendingRegistration(store)).toMatchObject({ isRequested: false });

    net.failures.register.push(lock());
    const resumed = await resume(scene);
    const { aci } = await resumed.submitCode(net.code, { pin: ' ٤٣٢١ ' });
    expect(net.pins).toEqual(['4321']);
    expect(net.calls.filter((call) => call === 'verify')).toHaveLength(1);
    expect((await storedAccount(store)).aci).toBe(aci);
    const credentials = await loadCredentials(store);
    expect(Buffer.from(credentials?.masterKey ?? [])).toEqual(Buffer.from(net.masterKey));
    expect(credentials?.accountEntropyPool).toBeUndefined();
    const token = Buffer.from(new SvrKey(net.masterKey).deriveRegistrationLock()).toString('hex');
    const { attributes } = await loadOwnRecords(store);
    expect(attributes?.registrationLock).toBe(token);
  });

  test('opens to no wrong PIN, and counts the attempts that are left', async () => {
    const scene = newScene();
    const { net, store } = scene;
    const registration = await awaitingCode(scene);
    net.failures.register.push(lock(), lock());
    net.failures.restore.push(
      libsignalError('SvrRestoreFailed', { triesRemaining: 3 }),
      libsignalError('SvrDataMissing'),
    );
    const wrong = await errorOf(registration.submitCode(net.code, { pin: '9876-wrong' }));
    expect(wrong).toMatchObject({ code: 'ERR_REGISTRATION_PIN', triesRemaining: 3 });
    expect(inspect(wrong)).not.toContain('9876');
    const gone = await errorOf(registration.submitCode(net.code, { pin: '1234' }));
    expect(gone).toMatchObject({ code: 'ERR_REGISTRATION_LOCK' });
    expect(await loadAccount(store)).toBeUndefined();
    expect(await loadPendingRegistration(store)).toMatchObject({ isRequested: false });
  });

  test('that the restored key does not open is asked for no second PIN', async () => {
    const scene = newScene();
    const registration = await awaitingCode(scene);
    scene.net.failures.register.push(lock(), lock());
    const error = await errorOf(registration.submitCode(scene.net.code, { pin: '1234' }));
    expect(error).toMatchObject({ code: 'ERR_REGISTRATION_LOCK' });
    expect(scene.net.calls.filter((call) => call === 'restore')).toHaveLength(1);
  });

  test('whose PIN was right survives a lost answer', async () => {
    const scene = newScene();
    const { net, store } = scene;
    const registration = await awaitingCode(scene);
    net.failures.register.push(lock(), LOST, LOST, LOST);
    await errorOf(registration.submitCode(net.code, { pin: '1234' }));
    await resume(scene);
    expect((await loadOwnRecords(store)).attributes?.registrationLock).toMatch(/^[\da-f]{64}$/);
  });
});

describe('a refusal', () => {
  type Kind = keyof FakeRegistrationService['failures'];
  const cases: readonly [
    string,
    Kind,
    RawAnswer | Error,
    {
      readonly code: string;
      readonly hint?: string;
      readonly reason?: string;
      readonly retryAfterMs?: number;
    },
  ][] = [
    [
      'of too many sessions',
      'create',
      answerOf(429, {}, 17),
      { code: 'ERR_RATE_LIMITED', retryAfterMs: 17_000 },
    ],
    ['of the number', 'create', answerOf(400), { code: 'ERR_SERVICE_REJECTED' }],
    [
      'of the service that is down',
      'create',
      lostConnection(),
      { code: 'ERR_SERVICE_UNAVAILABLE' },
    ],
    [
      'of this version',
      'create',
      answerOf(499),
      { code: 'ERR_TRANSPORT_REFUSED', reason: 'expired' },
    ],
    ['of the captcha', 'captcha', answerOf(403), { code: 'ERR_CAPTCHA' }],
    ['of a malformed captcha', 'captcha', answerOf(400), { code: 'ERR_CAPTCHA' }],
    ['of captchas without a time', 'captcha', answerOf(429), { code: 'ERR_RATE_LIMITED' }],
    ['of a code before the captcha', 'request', answerOf(409), { code: 'ERR_REGISTRATION_STEP' }],
    ['of the way of the code', 'request', answerOf(418), { code: 'ERR_REGISTRATION_DELIVERY' }],
    [
      'of the provider',
      'request',
      answerOf(440, { reason: 'providerRejected', permanentFailure: true }),
      { code: 'ERR_REGISTRATION_DELIVERY', hint: 'providerRejected' },
    ],
    ['of a session that is over', 'verify', answerOf(404), { code: 'ERR_REGISTRATION_SESSION' }],
    [
      'of a code that was not requested',
      'verify',
      answerOf(409),
      { code: 'ERR_REGISTRATION_STEP' },
    ],
    [
      'of too many codes',
      'verify',
      answerOf(429, {}, 60),
      { code: 'ERR_RATE_LIMITED', retryAfterMs: 60_000 },
    ],
    ['of an unverified session', 'register', answerOf(401), { code: 'ERR_REGISTRATION_SESSION' }],
    [
      'for a device transfer (409)',
      'register',
      answerOf(409),
      { code: 'ERR_SERVICE_REJECTED', hint: '409' },
    ],
    [
      'for a one-time password (441)',
      'register',
      answerOf(441),
      { code: 'ERR_SERVICE_REJECTED', hint: '441' },
    ],
    [
      'of the request (422)',
      'register',
      answerOf(422),
      { code: 'ERR_SERVICE_REJECTED', hint: '422' },
    ],
  ];

  test.each(cases)(
    '%s has its own error',
    async (_name, kind, failure, { hint = '', ...expected }) => {
      const scene = newScene();
      const { net, store } = scene;
      net.failures[kind].push(failure);
      const run = async (): Promise<void> => {
        const registration = await awaitingCode(scene);
        await registration.submitCode(net.code);
      };
      const error = await errorOf(run());
      expect(error).toMatchObject(expected);
      expect(error.message).toContain(hint);
      expect(await loadAccount(store)).toBeUndefined();
      if (kind === 'register')
        expect(await loadPendingRegistration(store)).toMatchObject({ isRequested: false });
    },
  );

  test('of a wrong code leaves the session for the right one', async () => {
    const scene = newScene();
    const registration = await awaitingCode(scene);
    const error = await errorOf(registration.submitCode('654321'));
    expect(error).toMatchObject({ code: 'ERR_REGISTRATION_CODE' });
    expect(inspect(error)).not.toContain('654321');
    await registration.submitCode(scene.net.code);
  });

  test('of a rate limit in a session that takes nothing more asks for a new session', async () => {
    const scene = newScene();
    const registration = await start(scene);
    for (const session of scene.net.sessions.values()) session.requestedInformation = [];
    scene.net.failures.request.push((session) => answerOf(429, session));
    expect(await errorOf(registration.requestCode('sms'))).toMatchObject({
      code: 'ERR_REGISTRATION_SESSION',
    });
    expect(registration.account).toBeUndefined();
  });

  test('of a code whose session is verified already is none', async () => {
    const scene = newScene();
    const registration = await awaitingCode(scene);
    for (const session of scene.net.sessions.values()) session.verified = true;
    scene.net.failures.verify.push((session) => answerOf(409, session));
    expect(await registration.submitCode(scene.net.code)).toMatchObject({ number: NUMBER });
  });
});
