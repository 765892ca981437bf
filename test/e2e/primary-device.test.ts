// The account's phone, as Signal's mock service has it: what a linked device follows, and who finds
// it by its number. The mock has no directory by number (27.0.0, 2026-11): a stranger is given the
// PNI.
import { randomBytes } from 'node:crypto';
import { PublicKey } from '@signalapp/libsignal-client';
import { linkDevice, open, openStore, type OpenedAccount } from 'sealcast';
import { loadCertificates, ServiceIdKind, StorageState } from '@signalapp/mock-server';
import type { Device, PrimaryDevice } from '@signalapp/mock-server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import { LinkingServer } from '../harness/linking-server.js';
import { temporaryDirectory } from '../harness/store-files.js';
import { accountState, putState } from '../mock-service/account-state.js';

let directory: ReturnType<typeof temporaryDirectory>;
let service: LinkingServer;
let opened: OpenedAccount;
let device: Device;
let subscriber: PrimaryDevice;
beforeEach(async () => {
  directory = temporaryDirectory();
  service = await LinkingServer.start();
  subscriber = await service.server.createPrimaryDevice({ profileName: 'Subscriber' });
});
afterEach(async () => {
  await opened.close();
  await service[Symbol.asyncDispose]();
  directory.remove();
});

/** Links a device to the phone, opens it, and lets it upload its prekeys. */
async function openLinked(): Promise<void> {
  const { net, trustRoot, phone } = service;
  {
    await using store = await openStore({ path: directory.path });
    const link = linkDevice({ net, store, deviceName: 'the desk' });
    let scanned: ReturnType<LinkingServer['scan']> | undefined;
    for await (const event of link) if (event.type === 'url') scanned ??= service.scan(event.url);
    await link.account;
    if (scanned === undefined) throw new Error('no code');
    const { linked } = await scanned;
    void linked.then((found) => (device = found));
  }
  const { certificateAuthority } = await loadCertificates();
  const url = `https://localhost:${service.place.port}/storageService`;
  opened = await open({
    dataDir: directory.path,
    net: { net, trustRoots: [trustRoot], storage: { url, certificateAuthority } },
    threads: 1,
  });
  opened.account.receiver.discard();
  await opened.account.maintainPreKeys();
  await untilTrue(() => phone.secondaryDevices.length === 1);
}

/** What the subscriber decrypts of a broadcast of now. */
async function broadcast(body: string): ReturnType<PrimaryDevice['waitForMessage']> {
  const run = opened.account.broadcaster.broadcast({ body }, [subscriber.device.aci], {
    transcripts: 'none',
  });
  expect(await run.summary()).toMatchObject({ sealed: 1 });
  const entry = await subscriber.waitForMessage();
  expect(entry.body).toBe(body);
  return entry;
}
const hex = (bytes: Uint8Array | null | undefined): string =>
  Buffer.from(bytes ?? []).toString('hex');
const sentKey = async (body: string): Promise<string> =>
  hex((await broadcast(body)).dataMessage.profileKey);

test('a profile key that the phone has replaced is that of the next broadcast', async () => {
  const { phone } = service;
  const former = accountState(phone).profileKey;
  const before = await phone.setStorageState(
    StorageState.getEmpty().updateAccount({ profileKey: former }),
  );
  await openLinked();
  const { account } = opened;
  await account.broadcaster.setProfileKey(
    subscriber.device.aci,
    accountState(subscriber).profileKey,
  );
  expect(await sentKey('before')).toBe(hex(former));

  // As a phone does it: its profile, the account's record, and a word to its other devices.
  const profileKey = new Uint8Array(randomBytes(32));
  await putState(phone, { ...accountState(phone), profileKey });
  await phone.setStorageState(before.updateAccount({ profileKey }), before);
  const { internal } = account.receiver.stats();
  await phone.addSingleUseKey(device, await device.popSingleUseKey());
  await phone.sendFetchStorage({ timestamp: Date.now() });
  await untilTrue(() => account.receiver.stats().internal > internal);
  expect(await sentKey('after')).toBe(hex(profileKey));

  await opened.close();
  opened = await open({
    dataDir: directory.path,
    net: { net: service.net, trustRoots: [service.trustRoot] },
    threads: 1,
  });
  expect(await sentKey('later')).toBe(hex(profileKey));
});

test('a stranger who wrote to the PNI gets its signature with the answer, until they write to the ACI', async () => {
  const { phone } = service;
  await openLinked();
  const { account } = opened;
  const pniKey = await device.popSingleUseKey(ServiceIdKind.PNI);
  await subscriber.addSingleUseKey(device, pniKey, ServiceIdKind.PNI);
  const before = account.receiver.stats().messages;
  await subscriber.sendText(device, 'who is there?', {
    serviceIdKind: ServiceIdKind.PNI,
    withProfileKey: true,
  });
  await untilTrue(() => account.receiver.stats().messages > before);

  const { content } = await broadcast('we are');
  const { pni, signature } = content.pniSignatureMessage ?? {};
  expect(hex(pni)).toBe(hex(phone.device.pniRawUuid));
  const key = (kind: ServiceIdKind): PublicKey =>
    PublicKey.deserialize(new Uint8Array(phone.getPublicKey(kind).serialize()));
  const aciKey = key(ServiceIdKind.ACI);
  expect(
    key(ServiceIdKind.PNI).verifyAlternateIdentity(aciKey, new Uint8Array(signature ?? [])),
  ).toBe(true);

  await subscriber.sendText(device, 'now I know', { withProfileKey: true });
  await untilTrue(() => account.receiver.stats().messages > before + 1);
  expect((await broadcast('good')).content.pniSignatureMessage).toBeNull();
});
