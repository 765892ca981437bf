import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryStore, openStore, type Store } from 'sealcast';
import {
  allPreKeyRemovals,
  kyberUseChange,
  kyberUseRemovals,
  loadPreKeys,
  preKeyChange,
} from '#dist/src/store/tables/prekeys.js';
import {
  credentialsChange,
  decodeCredentials,
  loadCredentials,
  loadPendingLink,
  loadPendingRegistration,
  pendingLinkChange,
  pendingLinkRemoval,
  pendingRegistrationChange,
  pendingRegistrationRemoval,
  type CredentialsRecord,
  type PendingLinkRecord,
  type PendingRegistrationRecord,
} from '#dist/src/store/tables/credentials.js';
import { expect, onTestFinished, test } from 'vitest';

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const CREDENTIALS: CredentialsRecord = {
  password: 'a password of the device',
  deviceName: 'the desk',
  number: '+15550100',
  pniIdentity: {
    pni: 'PNI:11111111-1111-4111-8111-111111111111',
    registrationId: 7,
    identityPublicKey: bytes(33, 1),
    identityPrivateKey: bytes(32, 2),
  },
  accountEntropyPool: 'a'.repeat(64),
  masterKey: bytes(32, 3),
  mediaRootBackupKey: bytes(32, 4),
  authCredentialSalt: bytes(16, 5),
  readReceipts: false,
  capabilities: { spqr: true, storage: false },
  createdAtMs: 1_800_000_000_000,
};
const MINIMAL: CredentialsRecord = { password: 'p', capabilities: {}, createdAtMs: 1 };
const PENDING: PendingLinkRecord = {
  aci: '22222222-2222-4222-8222-222222222222',
  registrationId: 9,
  identityPublicKey: bytes(33, 6),
  identityPrivateKey: bytes(32, 7),
  profileKey: bytes(32, 8),
  credentials: CREDENTIALS,
  aciPreKeys: { signedPreKey: bytes(10, 9), lastResortKyberPreKey: bytes(11, 10) },
  pniPreKeys: { signedPreKey: bytes(12, 11), lastResortKyberPreKey: bytes(13, 12) },
};

/** What a store gives are views, which `toEqual` tells from plain arrays by their type only. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, each: unknown) =>
      each instanceof Uint8Array || Buffer.isBuffer(each)
        ? Buffer.from(each).toString('hex')
        : each,
    ).replaceAll(/\{"type":"Buffer","data":\[[\d,]*\]\}/g, '"buffer"'),
  );

test.each([
  ['whole', CREDENTIALS],
  ['minimal', MINIMAL],
])('%s credentials come back from a store as they were', async (_name, credentials) => {
  const store = new MemoryStore();
  await store.commit([credentialsChange(credentials)]);
  const loaded = await loadCredentials(store);
  expect(Object.keys(loaded ?? {}).sort()).toEqual(Object.keys(credentials).sort());
  expect(plain(loaded)).toEqual(plain(credentials));
});

test('a store without credentials has none, and no link under way', async () => {
  const store = new MemoryStore();
  expect(await loadCredentials(store)).toBeUndefined();
  expect(await loadPendingLink(store)).toBeUndefined();
});

test.each([
  ['with a PNI', PENDING],
  [
    'without a PNI',
    {
      ...PENDING,
      credentials: MINIMAL,
      pniPreKeys: undefined,
    },
  ],
])('a link under way %s comes back, until it is removed', async (_name, link) => {
  const { pniPreKeys, ...others } = link;
  const given = pniPreKeys === undefined ? others : { ...others, pniPreKeys };
  const store = new MemoryStore();
  await store.commit([pendingLinkChange(given)]);
  expect(plain(await loadPendingLink(store))).toEqual(plain(given));
  await store.commit([pendingLinkRemoval()]);
  expect(await loadPendingLink(store)).toBeUndefined();
});

test('a damaged record of a link under way is an error of the store', async () => {
  const store = new MemoryStore();
  await store.commit([{ table: 'account', key: 'pendingLink', value: Uint8Array.of(10, 1, 65) }]);
  await expect(loadPendingLink(store)).rejects.toMatchObject({ code: 'ERR_STORE_FAILED' });
});

test('field 1 of credentials is the password, on every disk', () => {
  expect(decodeCredentials(Uint8Array.of(10, 1, 65)).password).toBe('A');
});

test('an encrypted store has no secret of the credentials in clear', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealcast-credentials-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'account');
  const encryptionKey = randomBytes(32);
  const store = await openStore({ path, encryptionKey });
  await store.commit([credentialsChange(CREDENTIALS), pendingLinkChange(PENDING)]);
  await store.close();
  const names = await readdir(path);
  const file = Buffer.concat(await Promise.all(names.map((name) => readFile(join(path, name)))));
  expect(file.includes(CREDENTIALS.password)).toBe(false);
  expect(file.includes(Buffer.from(PENDING.identityPrivateKey))).toBe(false);
  const again = await openStore({ path, encryptionKey });
  expect(plain(await loadCredentials(again))).toEqual(plain(CREDENTIALS));
  await again.close();
});

async function keysOf(store: Store, table: 'preKey' | 'kyberPreKey'): Promise<string[]> {
  return (await store.list(table, { limit: 100 })).map(({ key }) => key).sort();
}

test('prekeys of the two identities with one id are different prekeys', async () => {
  const store = new MemoryStore();
  await store.commit([
    preKeyChange('preKey', 5, Uint8Array.of(1)),
    preKeyChange('preKey', 5, Uint8Array.of(2), 'pni'),
  ]);
  expect(await loadPreKeys(store, 'preKey', [5])).toEqual([Uint8Array.of(1)]);
  expect(await loadPreKeys(store, 'preKey', [5], 'pni')).toEqual([Uint8Array.of(2)]);
  await store.commit([preKeyChange('preKey', 5, null, 'pni')]);
  expect(await keysOf(store, 'preKey')).toEqual(['5']);
});

test('the uses of a last-resort prekey are removed for its identity alone', async () => {
  const store = new MemoryStore();
  const use = { kyberPreKeyId: 5, signedPreKeyId: 6, baseKey: 'aa' };
  await store.commit([kyberUseChange(use), kyberUseChange(use, 'pni')]);
  await store.commit(await kyberUseRemovals(store, 5, 'pni'));
  expect(await keysOf(store, 'kyberPreKey')).toEqual(['5/6/aa']);
});

test('all prekeys of both identities can be removed, with their uses', async () => {
  const store = new MemoryStore();
  const use = { kyberPreKeyId: 5, signedPreKeyId: 6, baseKey: 'aa' };
  const value = Uint8Array.of(1);
  await store.commit([
    preKeyChange('preKey', 5, value),
    preKeyChange('signedPreKey', 5, value, 'pni'),
    preKeyChange('kyberPreKey', 5, value, 'pni'),
    kyberUseChange(use),
    kyberUseChange(use, 'pni'),
  ]);
  await store.commit(await allPreKeyRemovals(store));
  expect(await keysOf(store, 'preKey')).toEqual([]);
  expect(await keysOf(store, 'kyberPreKey')).toEqual([]);
});

test('a registration under way comes back from a store as it was, until it is removed', async () => {
  const registration: PendingRegistrationRecord = {
    number: '+15550100',
    registrationId: 9,
    identityPublicKey: bytes(33, 6),
    identityPrivateKey: bytes(32, 7),
    profileKey: bytes(32, 8),
    aciPreKeys: PENDING.aciPreKeys,
    sessionId: 'a session',
    isRequested: true,
    credentials: {
      password: 'p',
      number: '+15550100',
      pniIdentity: { ...CREDENTIALS.pniIdentity!, pni: '' },
      accountEntropyPool: 'a'.repeat(64),
      capabilities: { spqr: true },
      createdAtMs: 1,
    },
    pniPreKeys: PENDING.pniPreKeys!,
    discoverableByPhoneNumber: true,
  };
  const store = new MemoryStore();
  expect(await loadPendingRegistration(store)).toBeUndefined();
  await store.commit([pendingRegistrationChange(registration)]);
  expect(plain(await loadPendingRegistration(store))).toEqual(plain(registration));
  await store.commit([pendingRegistrationRemoval()]);
  expect(await loadPendingRegistration(store)).toBeUndefined();
});
