import { ServiceIdKind, type PrimaryDevice } from '@signalapp/mock-server';
import { MemoryStore, open, startRegistration, type OpenedAccount } from 'sealcast';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import { LinkingServer } from '../harness/linking-server.js';

const SUBSCRIBERS = 3;

let service: LinkingServer;
let subscribers: readonly PrimaryDevice[];
beforeEach(async () => {
  service = await LinkingServer.start();
  subscribers = await Promise.all(
    Array.from({ length: SUBSCRIBERS }, (_, i) =>
      service.server.createPrimaryDevice({ profileName: `Subscriber ${i}` }),
    ),
  );
});
afterEach(() => service[Symbol.asyncDispose]());

/**
 * Subscribers write to the account first: it learns their profile keys.
 *
 * Without a profile key the service answers a sealed message with 401, and the account is asked
 * for. The mock service has no route for that question, `HEAD /v1/accounts/account/{aci}`, and its
 * 404 says that each account is gone (27.0.0, 2026-11).
 */
async function sayHello({ account }: OpenedAccount, aci: string): Promise<void> {
  const device = await service.server.getDeviceByServiceId(
    aci as PrimaryDevice['device']['aci'],
    1,
  );
  if (device === undefined) throw new Error('the mock service does not have the account');
  for (const subscriber of subscribers) {
    await subscriber.addSingleUseKey(device, await device.popSingleUseKey(ServiceIdKind.ACI));
    await subscriber.sendText(device, 'hello', { withProfileKey: true });
  }
  await untilTrue(() => account.receiver.stats().messages === SUBSCRIBERS);
}

test('the first broadcast of a newly registered account reaches who wrote to it', async () => {
  const { net, trustRoot } = service;
  const store = new MemoryStore();
  const number = '+15550100001';
  const registration = await startRegistration({ net, store, number, confirmNumberNotInUse: true });
  await registration.captcha('a.captcha');
  await registration.requestCode('sms');
  const { aci } = await registration.submitCode('111111');
  await using opened = await open({ store, net: { net, trustRoots: [trustRoot] }, threads: 1 });
  opened.account.receiver.discard();
  await opened.account.maintainPreKeys();
  await sayHello(opened, aci);

  const recipients = subscribers.map(({ device }) => device.aci);
  const run = opened.account.broadcaster.broadcast({ body: 'The bridge is open.' }, recipients);
  expect(await run.summary()).toMatchObject({ recipients: SUBSCRIBERS, sealed: SUBSCRIBERS });
  const texts = await Promise.all(subscribers.map((subscriber) => subscriber.waitForMessage()));
  expect(texts.map(({ body, source }) => [body, source.aci])).toEqual(
    subscribers.map(() => ['The bridge is open.', aci]),
  );
});
