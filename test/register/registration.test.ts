import { inspect } from 'node:util';
import type { Registration } from 'sealcast';
import { startRegistration } from 'sealcast';
import { PublicKey } from '@signalapp/libsignal-client';
import { loadOwnRecords, loadPreKeyState } from '#dist/src/store/tables/account.js';
import { loadCredentials, loadPendingRegistration } from '#dist/src/store/tables/credentials.js';
import { loadPreKeys } from '#dist/src/store/tables/prekeys.js';
import { describe, expect, test } from 'vitest';
import {
  NUMBER,
  CAPTCHA,
  bytesOf,
  newScene,
  start,
  resume,
  awaitingCode,
  errorOf,
  storedAccount,
} from './registration-scene.js';

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
