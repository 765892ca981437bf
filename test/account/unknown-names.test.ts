import { existsSync } from 'node:fs';
import { IdentityKeyPair } from '@signalapp/libsignal-client';
import {
  Broadcaster,
  ChatTransport,
  MemoryStore,
  openAccount,
  openStore,
  Receiver,
  Sealer,
  type Account,
  type AccountOptions,
} from 'sealcast';
import { loadKernel } from 'sealcast/kernel';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MailboxService } from '../fakes/mailbox-service.js';
import { temporaryDirectory } from '../harness/store-files.js';

const service = new MailboxService();
const { sender } = service;
const { aci } = sender;
const { publicKey, privateKey } = sender.identityKeyPair;
const pair = { publicKey, privateKey };
const key = publicKey.serialize();
const directory = temporaryDirectory();
const path = `${directory.path}/store`;
const store = new MemoryStore();
/** Connects to nobody: a name must be refused before that. */
const source = { connectAuthenticated: unexpected, connectUnauthenticated: unexpected };
const net = { connectAuthenticatedChat: unexpected, connectUnauthenticatedChat: unexpected };
let sealer: Sealer;
let account: Account;

function unexpected(): never {
  throw new Error('it was used');
}
const openOptions = (): AccountOptions => ({
  store,
  transport: service,
  trustRoots: [service.trustRoot],
  account: sender,
  threads: 1,
  maintainPreKeys: false,
});
const attributes = { pniRegistrationId: 1, discoverableByPhoneNumber: false };
const connect = { net, username: `${aci}.1`, password: 'p' };

beforeAll(async () => {
  sealer = await Sealer.create({ identityKeyPair: sender.identityKeyPair, threads: 1 });
  account = await openAccount(openOptions());
});
afterAll(async () => {
  await account.close();
  await sealer.close();
  directory.remove();
});

type Call = (given: never) => unknown;
/** A call, its good argument, a name that it does not have, and the one that is meant. */
const CALLS: readonly (readonly [
  call: string,
  good: object,
  bad: string,
  meant: string | undefined,
  make: Call,
])[] = [
  [
    'Sealer.create',
    { identityKeyPair: pair },
    'recipientCachebytes',
    'recipientCacheBytes',
    (given: never) => Sealer.create(given),
  ],
  ['seal', {}, 'Signal', 'signal', (options: object) => sealer.seal([], options)],
  ['unseal', {}, 'trustroots', 'trustRoots', (options: object) => sealer.unseal([], options)],
  ['prepare', {}, 'signals', 'signal', (options: object) => sealer.prepare([], options)],
  ['loadKernel', {}, 'kernels', 'kernel', loadKernel],
  ['openStore', { path }, 'encryptionkey', 'encryptionKey', openStore],
  [
    'Broadcaster.open',
    openOptions(),
    'concurency',
    'concurrency',
    (given: never) => Broadcaster.open(given),
  ],
  [
    'Receiver.open',
    openOptions(),
    'maintainPrekeys',
    'maintainPreKeys',
    (given: never) => Receiver.open(given),
  ],
  [
    'Receiver.open, bounds',
    openOptions(),
    'maxUnansweredContact',
    'maxUnansweredContacts',
    (given: never) => Receiver.open(given),
  ],
  ['openAccount', openOptions(), 'trustRoot', 'trustRoots', openAccount],
  [
    'broadcast',
    {},
    'dryrun',
    'dryRun',
    (options: object) => account.broadcaster.broadcast({ body: 'x' }, [], options),
  ],
  ['resume', {}, 'dryRun', undefined, (options: object) => account.broadcaster.resume(options)],
  ['fetchProfile', {}, 'forced', 'force', (options: object) => account.fetchProfile(aci, options)],
  [
    'registerAccessKey',
    {},
    'unRestricted',
    'unrestricted',
    (options: object) => account.registerAccessKey(options),
  ],
  [
    'setProfile, options',
    {},
    'sginal',
    'signal',
    (options: object) => account.setProfile({ given: 'x' }, options),
  ],
  [
    'rotateProfileKey',
    {},
    'timeout',
    undefined,
    (options: object) => account.rotateProfileKey(options),
  ],
  ['block', {}, 'abort', undefined, (options: object) => account.block(aci, options)],
  [
    'unidentifiedAccess',
    {},
    'signal_',
    'signal',
    (options: object) => account.unidentifiedAccess(aci, options),
  ],
  [
    'ChatTransport.connect',
    connect,
    'passwd',
    'password',
    (given: never) => ChatTransport.connect(given),
  ],
  [
    'ChatTransport.over',
    {},
    'requestTimeoutMS',
    'requestTimeoutMs',
    (options: object) => ChatTransport.over(source, options),
  ],
  [
    'Store.list',
    { limit: 1 },
    'start',
    undefined,
    (options: { limit: number }) => store.list('contact', options),
  ],
];

/** The same for objects within an argument: `parent` is how the error calls them. */
const NESTED: readonly (readonly [
  parent: string,
  good: object,
  bad: string,
  meant: string | undefined,
  make: Call,
])[] = [
  [
    'identityKeyPair',
    pair,
    'private',
    'privateKey',
    (identityKeyPair: typeof pair) => Sealer.create({ identityKeyPair }),
  ],
  [
    'account',
    sender,
    'profilekey',
    'profileKey',
    (given: typeof sender) => open({ account: given }),
  ],
  [
    'account.identityKeyPair',
    pair,
    'pubKey',
    'publicKey',
    (identityKeyPair: typeof pair) => open({ account: { ...sender, identityKeyPair } }),
  ],
  [
    'message',
    { body: 'x' },
    'attachment',
    'attachments',
    (message: { body: string }) => account.broadcaster.broadcast(message, []),
  ],
  [
    'attributes',
    attributes,
    'registrationlock',
    'registrationLock',
    (given: typeof attributes) => account.setAttributes(given),
  ],
  [
    'profile',
    { given: 'x' },
    'emoji',
    undefined,
    (profile: { given: string }) => account.setProfile(profile),
  ],
  ['backoff', {}, 'basems', 'baseMs', (backoff: object) => ChatTransport.over(source, { backoff })],
];
const open = (change: Partial<AccountOptions>): Promise<unknown> =>
  openAccount({ ...openOptions(), ...change });

async function refusalOf(make: Call, given: object): Promise<unknown> {
  try {
    return await (make as (given: object) => unknown)(given);
  } catch (error) {
    return error;
  }
}

it.each(CALLS)('%s refuses a name that it does not know', async (_, good, bad, meant, make) => {
  const hint = meant === undefined ? 'known names' : `did you mean ${meant}?`;
  const requests = service.requests.length;
  for (const value of [true, null, 0]) {
    expect(await refusalOf(make, { ...good, [bad]: value })).toMatchObject({
      name: 'SealcastError',
      code: 'ERR_INVALID_ARGUMENT',
      field: bad,
      message: expect.stringContaining(hint) as string,
    });
  }
  expect(service.requests.length).toBe(requests);
});

it.each(NESTED)(
  '%s refuses a name that it does not know',
  async (parent, good, bad, meant, make) => {
    const hint = meant === undefined ? 'known names' : `did you mean ${parent}.${meant}?`;
    expect(await refusalOf(make, { ...good, [bad]: true })).toMatchObject({
      name: 'SealcastError',
      code: 'ERR_INVALID_ARGUMENT',
      field: `${parent}.${bad}`,
      message: expect.stringContaining(hint) as string,
    });
  },
);

it('an entry to seal refuses a name that it does not know, and says which entry it is', async () => {
  const good = { recipientIdentityKey: key, content: new Uint8Array(8) };
  await expect(
    sealer.seal([good, { ...good, contents: good.content } as typeof good]),
  ).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    field: 'contents',
    index: 1,
    message: expect.stringContaining('did you mean content?') as string,
  });
});

it('a store is not made where its options are refused', async () => {
  const options = { path: `${directory.path}/other`, encryptionkey: new Uint8Array(32) };
  await expect(openStore(options)).rejects.toMatchObject({ field: 'encryptionkey' });
  // Nothing is there, and nothing stays in the clear.
  expect(existsSync(options.path)).toBe(false);
});

const noop = (): void => undefined;

it('instances of other libraries may have any names: a key pair, a store, a transport, a logger', async () => {
  const other = new MailboxService();
  const identityKeyPair = Object.assign(
    new IdentityKeyPair(
      other.sender.identityKeyPair.publicKey,
      other.sender.identityKeyPair.privateKey,
    ),
    { cached: true },
  );
  const logger = { debug: noop, info: noop, warn: noop, error: noop, trace: noop, level: 'info' };
  await (await Sealer.create({ identityKeyPair, threads: 1 })).close();
  const opened = await openAccount({
    ...openOptions(),
    transport: Object.assign(other, { tag: 'mine' }),
    trustRoots: [other.trustRoot],
    store: Object.assign(new MemoryStore(), { tag: 'mine' }),
    logger,
    account: { ...other.sender, identityKeyPair },
  });
  await opened.close();
});
