import { inspect } from 'node:util';
import type { Registration } from 'sealcast';
import {
  MemoryStore,
  resumeRegistration,
  SealcastError,
  startRegistration,
  type RegistrationOptions,
  type Store,
} from 'sealcast';
import { PublicKey } from '@signalapp/libsignal-client';
import { SvrKey } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import { resumeRegistrationWith, startRegistrationWith } from '#dist/src/register/registration.js';
import {
  accountChange,
  decodeAccount,
  encodeAccount,
  loadAccount,
  loadOwnRecords,
  loadPreKeyState,
} from '#dist/src/store/tables/account.js';
import { contactChange, loadContacts, NEW_CONTACT } from '#dist/src/store/tables/contacts.js';
import {
  credentialsChange,
  loadCredentials,
  loadPendingRegistration,
} from '#dist/src/store/tables/credentials.js';
import { loadPreKeys, preKeyChange } from '#dist/src/store/tables/prekeys.js';
import { loadSessions, sessionChange, sessionKey } from '#dist/src/store/tables/sessions.js';
import { describe, expect, test } from 'vitest';
import {
  answerOf,
  FakeRegistrationService,
  libsignalError,
  LOST,
  lostConnection,
  type RawAnswer,
} from '../fakes/fake-registration-service.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { manyTurns } from '../harness/await-condition.js';

const NUMBER = '+15550100123';
const CAPTCHA = 'signal-captcha.a-key.registration.P1_secret';
const CONTACT = '33333333-3333-4333-8333-333333333333';

interface Scene {
  readonly net: FakeRegistrationService;
  readonly store: Store;
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(text, 'base64'));

const newScene = (): Scene => ({ net: new FakeRegistrationService(), store: new MemoryStore() });

const start = (
  { net, store }: Scene,
  options: Partial<RegistrationOptions> = {},
): Promise<Registration> =>
  startRegistration({
    net,
    store,
    number: NUMBER,
    confirmNumberNotInUse: true,
    backoff: { baseMs: 1, capMs: 1 },
    ...options,
  });

const resume = ({ net, store }: Scene): Promise<Registration> =>
  resumeRegistration({ net, store, backoff: { baseMs: 1, capMs: 1 } });

/** A registration that awaits its code. */
async function awaitingCode(scene: Scene): Promise<Registration> {
  const registration = await start(scene);
  await registration.captcha(CAPTCHA);
  await registration.requestCode('sms');
  return registration;
}

/** Moves the clock in small steps until the condition holds: every wait comes to its end. */
async function passUntil(clock: ManualClock, condition: () => boolean): Promise<void> {
  while (!condition()) {
    clock.pass(1_000);
    await manyTurns(10);
  }
}

async function errorOf(work: Promise<unknown>): Promise<SealcastError> {
  try {
    await work;
  } catch (error) {
    expect(error).toBeInstanceOf(SealcastError);
    return error as SealcastError;
  }
  throw new Error('the call was to fail');
}

async function storedAccount(store: Store): Promise<ReturnType<typeof decodeAccount>> {
  return decodeAccount((await loadAccount(store)) ?? new Uint8Array(0));
}

describe('a registration', () => {
  test('goes from the captcha to the account, with its secrets in the store', async () => {
    const scene = newScene();
    const { net, store } = scene;
    const registration = await start(scene);
    expect(registration.number).toBe(NUMBER);
    expect(registration.state).toMatchObject({
      allowedToRequestCode: false,
      verified: false,
      requestedInformation: ['captcha'],
    });
    expect(await registration.captcha(CAPTCHA)).toMatchObject({ allowedToRequestCode: true });
    const state = await registration.requestCode('voice', { languages: ['pt-BR', 'en'] });
    expect(state.nextCallAtMs).toBeGreaterThan(Date.now());
    expect(net.codeRequests).toEqual([
      { transport: 'voice', client: 'desktop', languages: 'pt-BR, en' },
    ]);
    expect(registration.account).toBeUndefined();

    const account = await registration.submitCode('123-456');
    const known = net.accounts.get(NUMBER);
    expect(account).toEqual({
      aci: known?.aci,
      pni: `PNI:${known?.pni}`,
      number: NUMBER,
      deviceId: 1,
    });
    expect(registration.account).toEqual(account);
    expect(await registration.submitCode('000000')).toEqual(account);
    expect(registration.state).toMatchObject({ verified: true });

    const own = await storedAccount(store);
    expect(own).toMatchObject({ aci: account.aci, deviceId: 1 });
    expect(Buffer.from(own.identityPublicKey)).toEqual(
      Buffer.from(known?.identityKey ?? '', 'base64'),
    );
    expect(own.profileKey).toHaveLength(32);
    const credentials = await loadCredentials(store);
    expect(credentials).toMatchObject({
      password: known?.password,
      number: NUMBER,
      pniIdentity: { pni: account.pni },
      capabilities: { spqr: true, usernameChangeSyncMessage: true, attachmentBackfill: false },
    });
    expect(credentials?.accountEntropyPool).toMatch(/^[a-z\d]{64}$/);
    const { attributes } = await loadOwnRecords(store);
    expect(attributes).toMatchObject({
      discoverableByPhoneNumber: true,
      pniRegistrationId: credentials?.pniIdentity?.registrationId,
      capabilities: {},
      isPending: false,
    });
    expect(attributes?.registrationLock).toBeUndefined();
    expect(await loadPendingRegistration(store)).toBeUndefined();
    expect(net.openConnections).toBe(0);
  });

  test('gives the service valid prekeys of both identities, and keeps their private halves', async () => {
    const scene = newScene();
    await (await awaitingCode(scene)).submitCode(scene.net.code);
    const [request] = scene.net.registrations;
    if (request === undefined) throw new Error('nothing was registered');
    const { body, user, password } = request;
    expect(user).toBe(NUMBER);
    expect(password).toMatch(/^[\w-]{32}$/);
    expect(body).toMatchObject({
      skipDeviceTransfer: true,
      accountAttributes: {
        fetchesMessages: true,
        capabilities: { spqr: true, usernameChangeSyncMessage: true, attachmentBackfill: false },
        unrestrictedUnidentifiedAccess: false,
        discoverableByPhoneNumber: true,
      },
    });
    expect(body.accountAttributes.unidentifiedAccessKey).toHaveLength(16);
    expect(bytesOf(body.accountAttributes.recoveryPassword)).toHaveLength(32);
    for (const identity of ['aci', 'pni'] as const) {
      const publicKey = PublicKey.deserialize(bytesOf(body[`${identity}IdentityKey`]));
      const signed = body[`${identity}SignedPreKey`];
      const kyber = body[`${identity}PqLastResortPreKey`];
      for (const preKey of [signed, kyber])
        expect(publicKey.verify(bytesOf(preKey.publicKey), bytesOf(preKey.signature))).toBe(true);
      const ids = { signedPreKey: signed.keyId, kyberPreKey: kyber.keyId } as const;
      for (const kind of ['signedPreKey', 'kyberPreKey'] as const) {
        const [record] = await loadPreKeys(scene.store, kind, [ids[kind]], identity);
        expect(record).toBeDefined();
      }
      const state = await loadPreKeyState(scene.store, identity);
      expect(state?.signedPreKeys[0]?.uploadedMs).toBeGreaterThan(0);
    }
    expect(body.aciIdentityKey).not.toBe(body.pniIdentityKey);
  });

  test('has everything on the disk before it asks for the account', async () => {
    const scene = newScene();
    const { net, store } = scene;
    const seen: unknown[] = [];
    net.onRegister = async () => {
      const pending = await loadPendingRegistration(store);
      seen.push(pending?.isRequested, pending?.credentials.password);
    };
    await (await awaitingCode(scene)).submitCode(net.code);
    expect(seen).toEqual([true, net.accounts.get(NUMBER)?.password]);
  });

  test('goes on in another process at every step', async () => {
    const scene = newScene();
    await start(scene);
    await (await resume(scene)).captcha(CAPTCHA);
    const second = await resume(scene);
    expect(second.state).toMatchObject({ allowedToRequestCode: true });
    await second.requestCode('sms');
    const third = await resume(scene);
    expect(third.account).toBeUndefined();
    const { aci } = await third.submitCode(scene.net.code);
    expect((await storedAccount(scene.store)).aci).toBe(aci);
    expect(await errorOf(resume(scene))).toMatchObject({ code: 'ERR_REGISTRATION_SESSION' });
  });

  test.each([
    `signalcaptcha://${CAPTCHA}`,
    `  "signalcaptcha://${CAPTCHA}"\n`,
    `'${CAPTCHA}'`,
    `“SignalCaptcha://${CAPTCHA}”`,
  ])('strips what a copied captcha has around it: %s', async (token) => {
    const scene = newScene();
    await (await start(scene)).captcha(token);
    expect(scene.net.captchas).toEqual([CAPTCHA]);
  });

  test('tells its capabilities and whether the number is found, as they were given', async () => {
    const scene = newScene();
    const capabilities = { spqr: true, usernameChangeSyncMessage: true, later: true };
    const registration = await start(scene, { capabilities, discoverableByPhoneNumber: false });
    await registration.submitCode(scene.net.code);
    expect(await loadCredentials(scene.store)).toMatchObject({ capabilities });
    const { attributes } = await loadOwnRecords(scene.store);
    expect(attributes).toMatchObject({ capabilities, discoverableByPhoneNumber: false });
  });
});

describe('a number that may be in use', () => {
  test.each([undefined, false])(
    'is refused before any request with confirmNumberNotInUse %s',
    async (confirmNumberNotInUse) => {
      const { net, store } = newScene();
      const given = confirmNumberNotInUse === undefined ? {} : { confirmNumberNotInUse };
      const error = await errorOf(startRegistration({ net, store, number: NUMBER, ...given }));
      expect(error).toMatchObject({ code: 'ERR_NUMBER_IN_USE' });
      expect(net.calls).toEqual([]);
      expect(await loadPendingRegistration(store)).toBeUndefined();
    },
  );
});

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

describe('bad input', () => {
  test.each([
    '15550100123',
    '+0555010012',
    '+1 555 0100123',
    '+1555',
    '+1234567890123456',
    '+1555010012a',
    '',
    15550100123,
  ])('%s is no number', async (number) => {
    const scene = newScene();
    const error = await errorOf(start(scene, { number: number as string }));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', field: 'number' });
    expect(scene.net.calls).toEqual([]);
  });

  test.each<[string, (registration: Registration) => Promise<unknown>]>([
    ['token', (registration) => registration.captcha('')],
    ['token', (registration) => registration.captcha('signalcaptcha://')],
    ['token', (registration) => registration.captcha('two words')],
    ['token', (registration) => registration.captcha('x'.repeat(20_000))],
    ['transport', (registration) => registration.requestCode('post' as 'sms')],
    ['languages', (registration) => registration.requestCode('sms', { languages: ['e\r\nn'] })],
    ['code', (registration) => registration.submitCode('secret')],
    ['code', (registration) => registration.submitCode('')],
    ['pin', (registration) => registration.submitCode('123456', { pin: '  ' })],
    ['pin', (registration) => registration.submitCode('123456', { pin: 4321 as never })],
  ])('of %s is refused before any request, and not repeated in the error', async (field, call) => {
    const scene = newScene();
    const registration = await start(scene);
    const error = await errorOf(call(registration));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', field });
    expect(inspect(error)).not.toMatch(/secret|two words|xxxx/);
    expect(scene.net.calls).toEqual(['create']);
  });

  test.each([
    [{ net: {} as never }, 'net'],
    [{ store: {} as never }, 'store.getMany'],
    [{ capabilities: { profiles_v2: true } }, 'capabilities.profiles_v2'],
    [{ confirmNumberNotInUse: 'yes' as never }, 'confirmNumberNotInUse'],
    [{ confirm: true } as never, 'confirm'],
  ])('in the options (%o) is refused', async (options, field) => {
    const error = await errorOf(start(newScene(), options));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', field });
  });

  test('a signal that has fired ends each call with ERR_ABORTED', async () => {
    const scene = newScene();
    const controller = new AbortController();
    const registration = await start(scene, { signal: controller.signal });
    controller.abort(new Error('enough'));
    expect(await errorOf(registration.captcha(CAPTCHA))).toMatchObject({ code: 'ERR_ABORTED' });
    expect(scene.net.captchas).toEqual([]);
  });
});

describe('a store', () => {
  const account = (aci: string): Uint8Array =>
    encodeAccount({
      aci,
      deviceId: 2,
      registrationId: 77,
      identityPublicKey: new Uint8Array(33).fill(5),
      identityPrivateKey: new Uint8Array(32).fill(1),
      profileKey: new Uint8Array(32).fill(9),
    });
  const credentials = (number?: string): Parameters<typeof credentialsChange>[0] => ({
    password: 'former',
    ...(number !== undefined && { number }),
    capabilities: {},
    createdAtMs: 1,
  });

  test.each([['+15550100999'], [undefined]])(
    'with an account of the number %s is refused before any request',
    async (number) => {
      const scene = newScene();
      await scene.store.commit([
        accountChange(account(CONTACT)),
        credentialsChange(credentials(number)),
      ]);
      const error = await errorOf(start(scene));
      expect(error).toMatchObject({ code: 'ERR_ACCOUNT_MISMATCH' });
      expect(scene.net.calls).toEqual([]);
    },
  );

  test('with an account of the same number loses own prekeys and sessions, and keeps contacts', async () => {
    const scene = newScene();
    const { store, net } = scene;
    await store.commit([
      accountChange(account('11111111-1111-4111-8111-111111111111')),
      credentialsChange(credentials(NUMBER)),
      preKeyChange('preKey', 5, Uint8Array.of(1)),
      sessionChange(CONTACT, 1, Uint8Array.of(2)),
      contactChange(CONTACT, {
        ...NEW_CONTACT,
        profileKey: new Uint8Array(32).fill(3),
        devices: [{ deviceId: 1, registrationId: 4 }],
      }),
    ]);
    const { aci } = await (await awaitingCode(scene)).submitCode(net.code);
    const own = await storedAccount(store);
    expect(own).toMatchObject({ aci, deviceId: 1 });
    expect(own.registrationId).not.toBe(77);
    expect(Buffer.from(own.profileKey ?? [])).toEqual(Buffer.alloc(32, 9));
    expect(await loadPreKeys(store, 'preKey', [5])).toEqual([undefined]);
    expect(await loadSessions(store, [sessionKey(CONTACT, 1)])).toEqual([undefined]);
    const [contact] = await loadContacts(store, [CONTACT]);
    expect(contact?.devices).toEqual([]);
    expect(Buffer.from(contact?.profileKey ?? [])).toEqual(Buffer.alloc(32, 3));
  });

  test('takes one call at a time', async () => {
    const scene = newScene();
    const both = await Promise.allSettled([start(scene), start(scene)]);
    const [failed] = both.flatMap((each) => (each.status === 'rejected' ? [each] : []));
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(failed?.reason).toMatchObject({ code: 'ERR_STORE_LOCKED' });
    expect(scene.net.calls).toEqual(['create']);
  });

  test('has one registration: a newer one ends the one before', async () => {
    const scene = newScene();
    const first = await awaitingCode(scene);
    await start(scene);
    expect(await errorOf(first.submitCode(scene.net.code))).toMatchObject({
      code: 'ERR_REGISTRATION_SESSION',
    });
    expect(scene.net.calls).not.toContain('register');
  });

  test('keeps a registration that may be complete from one of another number', async () => {
    const scene = newScene();
    const registration = await awaitingCode(scene);
    scene.net.failures.register.push(LOST, LOST, LOST, LOST);
    await errorOf(registration.submitCode(scene.net.code));
    const error = await errorOf(start(scene, { number: '+15550100999' }));
    expect(error).toMatchObject({ code: 'ERR_ACCOUNT_MISMATCH' });
    expect(await loadPendingRegistration(scene.store)).toMatchObject({ number: NUMBER });
  });

  test('has none of the PIN, the code and the captcha', async () => {
    const scene = newScene();
    const written: string[] = [];
    const commit = scene.store.commit.bind(scene.store);
    scene.store.commit = (changes) => {
      for (const { value } of changes)
        if (value !== null) written.push(Buffer.from(value).toString('latin1'));
      return commit(changes);
    };
    scene.net.failures.register.push(
      answerOf(423, {
        timeRemaining: 1_000,
        svr2Credentials: { username: 'u', password: 'recovery-password' },
      }),
    );
    const registration = await awaitingCode(scene);
    await registration.submitCode(scene.net.code, { pin: 'a very odd pin' });
    expect(written.length).toBeGreaterThan(3);
    for (const secret of ['a very odd pin', scene.net.code, CAPTCHA, 'recovery-password'])
      expect(written.filter((text) => text.includes(secret))).toEqual([]);
  });
});
