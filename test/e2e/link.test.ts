import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkDevice, open, openStore, type DeviceLink, type Store } from 'sealcast';
import { loadPendingLink } from '#dist/src/store/tables/credentials.js';
import { expect, onTestFinished, test } from 'vitest';
import type { LinkJob } from '../crash/link-process.js';
import { builtFile } from '../harness/built-file.js';
import { LinkingServer } from '../harness/linking-server.js';
import { temporaryDirectory } from '../harness/store-files.js';

async function start(options?: { readonly hasNumber: boolean }): Promise<LinkingServer> {
  const server = await LinkingServer.start(options);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function storeOn(path: string): Promise<Store> {
  const store = await openStore({ path });
  onTestFinished(() => store.close());
  return store;
}

function directory(): string {
  const { path, remove } = temporaryDirectory();
  onTestFinished(remove);
  return path;
}

async function nextUrl(link: DeviceLink): Promise<string> {
  for await (const event of link) if (event.type === 'url') return event.url;
  throw new Error('the link gave no code');
}

/** Opens the linked account, which uploads its prekeys. */
async function openLinked(service: LinkingServer, store: Store): ReturnType<typeof open> {
  const net = { net: service.net, trustRoots: [service.trustRoot] };
  const opened = await open({ store, net, threads: 1 });
  onTestFinished(() => opened.close());
  await opened.account.maintainPreKeys();
  return opened;
}

test('a device that is linked to an account of the mock service opens from its store alone', async () => {
  const service = await start();
  const store = await storeOn(directory());
  const link = linkDevice({ net: service.net, store, deviceName: 'the desk' });
  const { linked } = await service.scan(await nextUrl(link));
  const account = await link.account;
  const { aci, number, pni } = service.phone.device;
  expect(account).toEqual({ aci, deviceId: 2, number, pni });
  await openLinked(service, store);
  expect(await linked).toMatchObject({ aci, deviceId: 2 });
  // An open account and a link would each take the store for its own.
  const another = linkDevice({ net: service.net, store, deviceName: 'the desk' });
  await expect(another.account).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
});

test('a device of an account without a number is linked, and opens', async () => {
  const service = await start({ hasNumber: false });
  const store = await storeOn(directory());
  const link = linkDevice({ net: service.net, store, deviceName: 'the desk' });
  const { linked } = await service.scan(await nextUrl(link));
  expect(await link.account).toEqual({ aci: service.phone.device.aci, deviceId: 2 });
  await openLinked(service, store);
  expect(await linked).toMatchObject({ deviceId: 2 });
});

test('a store is linked again to its account, under another device id', async () => {
  const service = await start();
  const store = await storeOn(directory());
  for (const deviceId of [2, 3]) {
    const link = linkDevice({ net: service.net, store, deviceName: 'the desk' });
    const { linked } = await service.scan(await nextUrl(link));
    expect(await link.account).toMatchObject({ deviceId });
    const opened = await openLinked(service, store);
    expect(await linked).toMatchObject({ deviceId });
    await opened.close();
  }
});

test.skipIf(process.platform === 'win32')(
  'a process that is killed between the service’s answer and its commit loses no device',
  async () => {
    const service = await start();
    const path = directory();
    const child = spawn(process.execPath, [builtFile('test/crash/link-process.js')], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const exited = once(child, 'exit');
    child.send({ path, ...service.place } satisfies LinkJob);
    const [url] = (await once(child, 'message')) as [string];
    const { linked } = await service.scan(url);
    expect(await exited).toEqual([null, 'SIGKILL']);

    const store = await storeOn(path);
    expect((await loadPendingLink(store))?.aci).toBe(service.phone.device.aci);
    const link = linkDevice({ net: service.net, store, deviceName: 'the desk' });
    const types: string[] = [];
    for await (const { type } of link) types.push(type);
    expect(types).toEqual(['linked']);
    expect(await link.account).toMatchObject({ deviceId: 2 });
    expect(await loadPendingLink(store)).toBeUndefined();
    await openLinked(service, store);
    expect(await linked).toMatchObject({ deviceId: 2 });
  },
);
