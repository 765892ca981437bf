// Ways to an account that meet on one store: each is finished, or refused, and none does half of
// another.
import { join } from 'node:path';
import {
  importSignalCli,
  linkDevice,
  MemoryStore,
  resumeRegistration,
  startRegistration,
  type LinkNet,
} from 'sealcast';
import { linkDeviceWith } from '#dist/src/link/link-device.js';
import {
  loadPendingLink,
  loadPendingRegistration,
  pendingLinkChange,
  pendingRegistrationChange,
} from '#dist/src/store/tables/credentials.js';
import { loadPendingImport, pendingImportChange } from '#dist/src/store/tables/imports.js';
import type { Change, Store } from '#dist/src/store/store.js';
import { SYSTEM_CLOCK } from '#dist/src/util/clock.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeLinkService } from '../fakes/fake-link-service.js';
import { FakeRegistrationService } from '../fakes/fake-registration-service.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { untilTrue } from '../harness/await-condition.js';
import { FakePhone } from '../harness/fake-phone.js';
import { SignalCliFolder } from '../harness/signal-cli-folder.js';
import { temporaryDirectory } from '../harness/store-files.js';

const NUMBER = '+15550100123';
const ACI = '9d0652a3-dcc3-4d11-975f-74d61598733f';
const PREKEYS = {
  signedPreKey: new Uint8Array(1),
  lastResortKyberPreKey: new Uint8Array(1),
};
const STEP = {
  registrationId: 1,
  identityPublicKey: new Uint8Array(33).fill(5),
  identityPrivateKey: new Uint8Array(32).fill(6),
  profileKey: new Uint8Array(32).fill(7),
  credentials: {
    password: 'secret',
    capabilities: { spqr: true },
    createdAtMs: 1,
    pniIdentity: {
      pni: '',
      registrationId: 1,
      identityPublicKey: new Uint8Array(33).fill(5),
      identityPrivateKey: new Uint8Array(32).fill(6),
    },
  },
  aciPreKeys: PREKEYS,
  pniPreKeys: PREKEYS,
};
const LINK = (): Change => pendingLinkChange({ ...STEP, aci: ACI });
const REGISTRATION = (isRequested: boolean): Change =>
  pendingRegistrationChange({
    ...STEP,
    number: NUMBER,
    sessionId: 'session',
    isRequested,
    discoverableByPhoneNumber: true,
  });
const IMPORT = (): Change =>
  pendingImportChange({ aci: ACI, deviceId: 1, state: 'copying', counts: '{}' });

let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
let registrar: FakeRegistrationService;
beforeEach(() => {
  directory = temporaryDirectory();
  store = new MemoryStore();
  registrar = new FakeRegistrationService();
});
afterEach(() => directory.remove());

/** A service that no call may reach. */
const refuse = (): Promise<never> => Promise.reject(new Error('the service was asked'));
const unreachable = {
  connectProvisioning: refuse,
  connectUnauthenticatedChat: refuse,
  connectAuthenticatedChat: refuse,
} as unknown as LinkNet;

const link = (): Promise<unknown> =>
  linkDevice({ net: unreachable, store, deviceName: 'news' }).account;
const register = (): Promise<unknown> =>
  startRegistration({ net: registrar, store, number: NUMBER, confirmNumberNotInUse: true });
const resume = (): Promise<unknown> => resumeRegistration({ net: registrar, store });
function move(): Promise<unknown> {
  const folder = new SignalCliFolder(join(directory.path, 'signal-cli'), new MailboxService());
  folder.write();
  return importSignalCli({ from: folder.path, store, mode: 'move' });
}

describe('where an import was cut off', () => {
  test.each([
    ['a link', link],
    ['a registration', register],
  ])('%s is refused before the service is asked', async (_name, begin) => {
    await store.commit([IMPORT()]);
    await expect(begin()).rejects.toMatchObject({ code: 'ERR_IMPORT_UNFINISHED' });
    expect(await loadPendingImport(store)).toMatchObject({ state: 'copying' });
    expect(registrar.accounts.size).toBe(0);
  });

  test('a registration that was begun before waits for it too', async () => {
    await store.commit([REGISTRATION(true), IMPORT()]);
    await expect(resume()).rejects.toMatchObject({ code: 'ERR_IMPORT_UNFINISHED' });
    expect(await loadPendingRegistration(store)).toMatchObject({ isRequested: true });
  });
});

describe('where a link was cut off', () => {
  test.each([
    ['a registration', register],
    ['a registration that was begun before', resume],
  ])('%s is refused, and the link stays', async (_name, begin) => {
    await store.commit([LINK(), REGISTRATION(false)]);
    await expect(begin()).rejects.toMatchObject({
      code: 'ERR_ACCOUNT_MISMATCH',
      message: expect.stringContaining('linkDevice') as string,
    });
    expect(await loadPendingLink(store)).toMatchObject({ aci: ACI });
    expect(registrar.accounts.size).toBe(0);
  });

  test('an import is refused, and the link stays', async () => {
    await store.commit([LINK()]);
    await expect(move()).rejects.toMatchObject({ code: 'ERR_IMPORT_REFUSED' });
    expect(await loadPendingLink(store)).toMatchObject({ aci: ACI });
  });
});

describe('where a registration was cut off', () => {
  test('a link is refused as long as the service may have granted it', async () => {
    await store.commit([REGISTRATION(true)]);
    await expect(link()).rejects.toMatchObject({
      code: 'ERR_ACCOUNT_MISMATCH',
      message: expect.stringContaining('resumeRegistration') as string,
    });
    expect(await loadPendingRegistration(store)).toMatchObject({ isRequested: true });
  });

  test.each([true, false])('an import is refused (account asked for: %s)', async (isRequested) => {
    await store.commit([REGISTRATION(isRequested)]);
    await expect(move()).rejects.toMatchObject({ code: 'ERR_IMPORT_REFUSED' });
    expect(await loadPendingRegistration(store)).toMatchObject({ isRequested });
  });

  test('before the account was asked for, a link takes its place for good', async () => {
    await store.commit([REGISTRATION(false)]);
    const [service, phone] = [new FakeLinkService(), new FakePhone()];
    const urls: string[] = [];
    const linking = linkDeviceWith(
      { net: unreachable, store, deviceName: 'news' },
      { clock: SYSTEM_CLOCK, source: service },
    );
    void (async () => {
      for await (const event of linking) if (event.type === 'url') urls.push(event.url);
    })();
    await untilTrue(() => urls.length > 0);
    service.newest.deliver(phone.scan(urls[0] ?? ''));
    expect(await linking.account).toMatchObject({ aci: phone.aci });
    // A code that comes late would take the phone's number over.
    expect(await loadPendingRegistration(store)).toBeUndefined();
    await expect(resume()).rejects.toMatchObject({ code: 'ERR_REGISTRATION_SESSION' });
  });
});
