import { accountChange, encodeAccount } from '#dist/src/store/tables/account.js';
import { contactChange, loadContacts, NEW_CONTACT } from '#dist/src/store/tables/contacts.js';
import { credentialsChange, loadPendingRegistration } from '#dist/src/store/tables/credentials.js';
import { loadPreKeys, preKeyChange } from '#dist/src/store/tables/prekeys.js';
import { loadSessions, sessionChange, sessionKey } from '#dist/src/store/tables/sessions.js';
import { describe, expect, test } from 'vitest';
import { answerOf, LOST } from '../fakes/fake-registration-service.js';
import {
  NUMBER,
  CAPTCHA,
  CONTACT,
  newScene,
  start,
  awaitingCode,
  errorOf,
  storedAccount,
} from './registration-scene.js';

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
