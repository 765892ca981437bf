import { join } from 'node:path';
import {
  MemoryStore,
  open,
  openStore,
  startRegistration,
  type OpenOptions,
  type RegisteredAccount,
  type Registration,
  type SealcastError,
} from 'sealcast';
import { decodeAccount, loadAccount } from '#dist/src/store/tables/account.js';
import { loadPendingRegistration } from '#dist/src/store/tables/credentials.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RegistrationStep } from '../crash/registration-process.js';
import { builtFile } from '../harness/built-file.js';
import { runProcess, type ProcessResult } from '../harness/run-process.js';
import { temporaryDirectory } from '../harness/store-files.js';
import { MockService } from '../mock-service/mock-service.js';
import { netOf } from '../mock-service/net.js';

const CODE = '111111';

let service: MockService;
let directory: ReturnType<typeof temporaryDirectory>;
beforeAll(async () => {
  service = await MockService.start({ subscribers: 0 });
});
afterAll(() => service.close());
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const storePath = (): string => join(directory.path, 'account');

let numbers = 0;
const newNumber = (): string => `+1555010${String((numbers += 1)).padStart(4, '0')}`;

function runStep(
  ask: RegistrationStep['ask'],
  number: string,
  options: Partial<RegistrationStep> = {},
): Promise<ProcessResult> {
  const { port, caCertificateDer } = service.description;
  const caCertificateHex = Buffer.from(caCertificateDer).toString('hex');
  const step: RegistrationStep = {
    ask,
    storePath: storePath(),
    number,
    port,
    caCertificateHex,
    ...options,
  };
  return runProcess(builtFile('test/crash/registration-process.js'), [JSON.stringify(step)]);
}

async function stepped(ask: RegistrationStep['ask'], number: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runStep(ask, number);
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  return stdout;
}

const openOptions = (): OpenOptions => ({
  dataDir: storePath(),
  net: { net: netOf(service.description), trustRoots: [service.description.trustRoot] },
  threads: 1,
});

/** Uploads of prekeys of either identity that the service took. */
async function uploadCounts(): Promise<{ readonly aci: number; readonly pni: number }> {
  const uploads = (await service.requests()).filter(
    ({ verb, path, status, authenticated }) =>
      verb === 'PUT' && path.startsWith('/v2/keys') && status === 200 && authenticated,
  );
  const of = (identity: string): number =>
    uploads.filter(({ path }) => path.includes(`identity=${identity}`)).length;
  return { aci: of('aci'), pni: of('pni') };
}

/** The account opens with what the store has, connects, and uploads prekeys. */
async function provesItself(account: RegisteredAccount): Promise<void> {
  const before = await uploadCounts();
  await using opened = await open(openOptions());
  await opened.account.maintainPreKeys();
  const after = await uploadCounts();
  expect(after.aci).toBeGreaterThan(before.aci);
  expect(after.pni).toBeGreaterThan(before.pni);
  const { aci, deviceId } = decodeAccount((await loadAccount(opened.store)) ?? new Uint8Array(0));
  expect({ aci, deviceId }).toEqual({ aci: account.aci, deviceId: 1 });
}

describe('a registration against the mock service', () => {
  test('in a process for each step gives an account that connects and uploads prekeys', async () => {
    const number = newNumber();
    await stepped('start', number);
    await stepped('captcha', number);
    await stepped('request', number);
    const account = JSON.parse(await stepped('submit', number)) as RegisteredAccount;
    expect(account).toMatchObject({ number, deviceId: 1 });
    await provesItself(account);
  });

  test('whose process dies between the answer and the store is finished by the next process', async () => {
    const number = newNumber();
    await stepped('start', number);
    await stepped('captcha', number);
    await stepped('request', number);
    const killed = await runStep('submit', number, { diesUnstored: true });
    expect(killed.exitCode).toBeNull();
    {
      await using store = await openStore({ path: storePath() });
      expect(await loadAccount(store)).toBeUndefined();
      expect(await loadPendingRegistration(store)).toMatchObject({ isRequested: true });
    }
    const account = JSON.parse(await stepped('resume', number)) as RegisteredAccount;
    expect(account).toMatchObject({ number, deviceId: 1 });
    await provesItself(account);
  });

  const start = (number: string): Promise<Registration> =>
    startRegistration({
      net: netOf(service.description),
      store: new MemoryStore(),
      number,
      confirmNumberNotInUse: true,
    });
  const failed = (call: Promise<unknown>): Promise<SealcastError | undefined> =>
    call.then(
      () => undefined,
      (error: unknown) => error as SealcastError,
    );

  test('tells a wrong code, and registers with the right one', async () => {
    const registration = await start(newNumber());
    expect(registration.state).toMatchObject({
      allowedToRequestCode: false,
      requestedInformation: ['captcha'],
    });
    expect(await registration.captcha('a.captcha')).toMatchObject({ allowedToRequestCode: true });
    await registration.requestCode('voice');
    expect(await failed(registration.submitCode('222222'))).toMatchObject({
      code: 'ERR_REGISTRATION_CODE',
    });
    expect(await registration.submitCode(CODE)).toMatchObject({ deviceId: 1 });
  });

  test.each([
    [
      423,
      { timeRemaining: 86_400_000 },
      { code: 'ERR_REGISTRATION_LOCK', lockedForMs: 86_400_000 },
    ],
    [429, {}, { code: 'ERR_RATE_LIMITED', retryable: true }],
    [409, {}, { code: 'ERR_SERVICE_REJECTED' }],
    [401, {}, { code: 'ERR_REGISTRATION_SESSION' }],
    [499, {}, { code: 'ERR_TRANSPORT_REFUSED', reason: 'expired' }],
  ])('that is refused with %i can be gone on with', async (code, data, expected) => {
    const registration = await start(newNumber());
    await registration.captcha('a.captcha');
    await registration.requestCode('sms');
    await service.answerRegistrations({ code, data });
    expect(await failed(registration.submitCode(CODE))).toMatchObject(expected);
    await service.answerRegistrations(null);
    expect(await registration.submitCode(CODE)).toMatchObject({ deviceId: 1 });
  });
});
