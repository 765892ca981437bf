import { join } from 'node:path';
import { PrivateKey } from '@signalapp/libsignal-client';
import { open, type OpenedAccount, type OpenOptions } from 'sealcast';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { credentialsChange } from '#dist/src/store/tables/credentials.js';
import { untilTrue } from '../harness/await-condition.js';
import { temporaryDirectory } from '../harness/store-files.js';
import { MockService } from '../mock-service/mock-service.js';
import { netOf } from '../mock-service/net.js';

let service: MockService;
let directory: ReturnType<typeof temporaryDirectory>;
let opened: OpenedAccount;

const options = (): OpenOptions => ({
  dataDir: join(directory.path, 'announcements'),
  net: { net: netOf(service.description), trustRoots: [service.description.trustRoot] },
  threads: 1,
});

beforeEach(async () => {
  directory = temporaryDirectory();
  service = await MockService.start({ subscribers: 2 });
  const { broadcaster } = service.description;
  const { aci, deviceId, registrationId, password, identityPrivateKey: privateKey } = broadcaster;
  const publicKey = PrivateKey.deserialize(privateKey).getPublicKey();
  const account = { aci, deviceId, registrationId, identityKeyPair: { publicKey, privateKey } };
  opened = await open({ ...options(), account, password });
  await opened.store.commit([credentialsChange({ password, capabilities: {}, createdAtMs: 1 })]);
});
afterEach(async () => {
  await opened.close();
  await service.close();
  directory.remove();
});

test('an account is opened with one call, sends, and hears what the service wants of its device', async () => {
  await opened.account.maintainPreKeys();
  opened.account.receiver.discard();
  await service.subscribersSayHello();
  await service.alertBroadcaster('idle-primary-device');
  await opened.close();

  // As at a later start: all that is needed is in the store.
  opened = await open(options());
  const { account } = opened;
  const alerts: string[] = [];
  account.on('alert', ({ alert }) => alerts.push(alert));
  const { subscribers } = service.description;
  const run = account.broadcaster.broadcast({ body: 'The bridge is open.' }, subscribers);
  expect(await run.summary()).toMatchObject({ sealed: 2 });
  const decryptions = await service.waitForDecrypted('The bridge is open.');
  expect(decryptions.filter(({ text }) => text === 'The bridge is open.')).toHaveLength(2);
  await untilTrue(() => alerts.length > 0);
  expect(alerts).toEqual(['idle-primary-device']);

  await account.answerChallenge({ token: 'token', captcha: 'signalcaptcha://solved' });
  // The mock service has no such route (27.0.0, 2026-11).
  await expect(account.devices()).rejects.toMatchObject({ code: 'ERR_SERVICE_REJECTED' });
  const requests = await service.requests();
  const told = requests.filter(({ path }) => path === '/v1/devices/capabilities');
  expect(told.map(({ verb, status }) => [verb, status])).toEqual([
    ['PUT', 200],
    ['PUT', 200],
  ]);
  expect(JSON.parse(Buffer.from(told[0]?.body ?? []).toString('utf8'))).toEqual({
    spqr: true,
    usernameChangeSyncMessage: true,
    attachmentBackfill: false,
  });
});
