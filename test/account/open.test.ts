import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryStore, open, openStore, type OpenOptions } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { credentialsChange } from '#dist/src/store/tables/credentials.js';
import { HandMadeConnections } from '../fakes/hand-made-connections.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';
import { refusedField } from '../harness/refusals.js';
import { temporaryDirectory } from '../harness/store-files.js';

let directory: ReturnType<typeof temporaryDirectory>;
let dataDir: string;
let service: StandInAccountService;
let connections: HandMadeConnections;
let logins: unknown[];
beforeEach(() => {
  directory = temporaryDirectory();
  dataDir = join(directory.path, 'alerts');
  service = new StandInAccountService();
  connections = new HandMadeConnections();
  logins = [];
});
afterEach(() => directory.remove());

/** libsignal's part, as far as a transport uses it. */
function fakeNet(): NonNullable<OpenOptions['net']> {
  const net = {
    connectAuthenticatedChat: (
      username: string,
      password: string,
      _stories: boolean,
      listener: Parameters<HandMadeConnections['connectAuthenticated']>[0],
    ) => {
      logins.push([username, password]);
      return connections.connectAuthenticated(listener);
    },
    connectUnauthenticatedChat: () => connections.connectUnauthenticated(),
  };
  return { net: net as never, trustRoots: [service.trustRoot] };
}

const common = (): Pick<OpenOptions, 'net' | 'threads' | 'maintainPreKeys'> => ({
  net: fakeNet(),
  threads: 1,
  maintainPreKeys: false,
});

async function linkStore(encryptionKey?: Uint8Array): Promise<void> {
  await using opened = await open({
    dataDir,
    ...(encryptionKey !== undefined && { encryptionKey }),
    account: service.sender,
    password: 'first',
    ...common(),
  });
  const credentials = { password: 'stored', capabilities: {}, createdAtMs: 1 };
  await opened.store.commit([credentialsChange(credentials)]);
  logins = [];
}

describe('open', () => {
  it('makes the directory for its owner alone, and opens store, transport and account', async () => {
    const opened = await open({ dataDir, account: service.sender, password: 'p', ...common() });
    expect(logins).toEqual([[`${service.sender.aci}.1`, 'p']]);
    if (process.platform !== 'win32') expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    await opened.close();
    await opened.close();
    expect(connections.open).toEqual([]);
    await (await openStore({ path: dataDir })).close();
  });

  it('takes account and password from the store, encrypted or not', async () => {
    const encryptionKey = new Uint8Array(32).fill(9);
    await linkStore(encryptionKey);
    await using opened = await open({ dataDir, encryptionKey, ...common() });
    expect(logins).toEqual([[`${service.sender.aci}.1`, 'stored']]);
    expect(opened.account.broadcaster).toBeDefined();
  });

  it('leaves open what it was given', async () => {
    const store = new MemoryStore();
    const { sender, trustRoot } = service;
    const opened = await open({
      store,
      transport: service,
      trustRoots: [trustRoot],
      account: sender,
      threads: 1,
      maintainPreKeys: false,
    });
    expect(opened.store).toBe(store);
    expect(opened.transport).toBe(service);
    await opened.close();
    expect(await store.getMany('account', ['self'])).toHaveLength(1);
  });

  it.each<[string, () => Promise<Partial<OpenOptions>>, string]>([
    ['no directory', async () => Promise.resolve({}), 'dataDir'],
    ['a directory that is not there', async () => Promise.resolve({ dataDir }), 'dataDir'],
    [
      'a store without an account',
      async () => {
        await (await openStore({ path: dataDir })).close();
        return { dataDir };
      },
      'dataDir',
    ],
    [
      'an account without a password',
      async () => Promise.resolve({ dataDir, account: service.sender }),
      'password',
    ],
    [
      'a directory and a store',
      async () => Promise.resolve({ dataDir, store: new MemoryStore() }),
      'store',
    ],
    [
      'a Net without trust roots',
      async () => Promise.resolve({ dataDir, net: {} as never }),
      'net.net',
    ],
    ['an unknown name', async () => Promise.resolve({ datadir: dataDir }), 'datadir'],
  ])('refuses %s, and leaves nothing open', async (_what, make, field) => {
    const options = { ...common(), ...(await make()) };
    await expect(open(options)).rejects.toMatchObject(refusedField(field));
    expect(logins).toEqual([]);
    if (existsSync(dataDir)) await (await openStore({ path: dataDir })).close();
  });

  it('closes the store where the service cannot be reached', async () => {
    await linkStore();
    connections.connected = () => Promise.reject(new Error('away'));
    await expect(open({ dataDir, ...common() })).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
    });
    await (await openStore({ path: dataDir })).close();
  });

  it('says what to do where the credentials are gone', async () => {
    await linkStore();
    await using store = await openStore({ path: dataDir });
    await store.commit([{ table: 'account', key: 'credentials', value: null }]);
    await expect(open({ store, ...common() })).rejects.toMatchObject({
      ...refusedField('password'),
      message: expect.stringContaining('linkDevice') as string,
    });
  });
});
