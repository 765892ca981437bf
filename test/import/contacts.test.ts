import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  importSignalCli,
  MemoryStore,
  type SignalCliImport,
  type SignalCliImportOptions,
} from 'sealcast';
import { loadAccount } from '#dist/src/store/tables/account.js';
import { contactChange, loadContacts, NEW_CONTACT } from '#dist/src/store/tables/contacts.js';
import type { ContactRecord } from '#dist/src/store/tables/contacts.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openScene } from '../harness/broadcasters.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { SignalCliFolder } from '../harness/signal-cli-folder.js';
import { temporaryDirectory } from '../harness/store-files.js';

const ACI = '11111111-2222-4333-8444-555555555555';
const PNI = 'PNI:11111111-2222-4333-8444-666666666666';
const KEY = new Uint8Array(32).fill(0x17);
const OTHER_KEY = new Uint8Array(32).fill(0x18);

let directory: ReturnType<typeof temporaryDirectory>;
let service: MailboxService;
let folder: SignalCliFolder;
let store: MemoryStore;
beforeEach(() => {
  directory = temporaryDirectory();
  service = new MailboxService();
  folder = new SignalCliFolder(join(directory.path, 'signal-cli'), service);
  store = new MemoryStore();
});
afterEach(() => directory.remove());

const importContacts = (
  options: Partial<SignalCliImportOptions> = {},
): Promise<SignalCliImport> => {
  folder.write();
  return importSignalCli({ from: folder.path, store, mode: 'contacts', ...options });
};
async function contactOf(serviceId: string): Promise<ContactRecord | undefined> {
  return (await loadContacts(store, [serviceId]))[0];
}
const know = (contact: Partial<ContactRecord>): Promise<void> =>
  store.commit([contactChange(ACI, { ...NEW_CONTACT, ...contact })]);

describe('an import of contacts', () => {
  test('takes profile keys, timers and blocks, and leaves everything else', async () => {
    const subscriber = await service.subscribe();
    await folder.addContact(subscriber, { blocked: 1 });
    folder.addPreKeys();
    folder.row('recipient', {
      aci: ACI.toUpperCase(),
      expiration_time: 60,
      expiration_time_version: 2,
    });
    folder.row('recipient', { pni: PNI, blocked: 1 });
    folder.row('recipient', { aci: service.sender.aci, blocked: 1 });
    const result = await importContacts();
    expect(result).toMatchObject({
      mode: 'contacts',
      environment: 'production',
      imported: { contacts: 3, profileKeys: 1, timers: 1, blocked: 2, sessions: 0, preKeys: 0 },
      skipped: {},
    });
    expect(result.aci).toBeUndefined();
    expect(await contactOf(subscriber.aci)).toMatchObject({
      profileKey: subscriber.profileKey,
      blocked: true,
      devices: [],
      accessMode: 'unknown',
    });
    expect((await contactOf(subscriber.aci))?.identityKey).toBeUndefined();
    expect(await contactOf(ACI)).toMatchObject({ expireTimer: 60, expireTimerVersion: 2 });
    expect(await contactOf(PNI)).toMatchObject({ blocked: true });
    expect(await contactOf(service.sender.aci)).toEqual(NEW_CONTACT);
    expect(await loadAccount(store)).toBeUndefined();
  });

  test('leaves the source as it was, and can be repeated', async () => {
    folder.row('recipient', { aci: ACI, profile_key: KEY });
    folder.write();
    const before = readFileSync(folder.jsonPath);
    const again = { from: folder.path, store, mode: 'contacts' } as const;
    expect((await importSignalCli(again)).imported.contacts).toBe(1);
    expect((await importSignalCli(again)).imported.contacts).toBe(0);
    expect(readFileSync(folder.jsonPath)).toEqual(before);
    expect(existsSync(`${folder.databasePath}.lock`)).toBe(false);
  });

  test('keeps a profile key that the store has', async () => {
    await know({ profileKey: OTHER_KEY, accessMode: 'enabled' });
    folder.row('recipient', { aci: ACI, profile_key: KEY });
    const { imported, skipped } = await importContacts();
    expect({ imported: imported.profileKeys, skipped }).toEqual({
      imported: 0,
      skipped: { known: 1 },
    });
    expect(await contactOf(ACI)).toMatchObject({ profileKey: OTHER_KEY, accessMode: 'enabled' });
  });

  test.each([
    ['older', 3, 30],
    ['the same', 4, 30],
    ['newer', 5, 60],
  ])('with a version %s than the store has: timer', async (_title, version, expected) => {
    await know({ expireTimer: 30, expireTimerVersion: 4 });
    folder.row('recipient', { aci: ACI, expiration_time: 60, expiration_time_version: version });
    await importContacts();
    expect(await contactOf(ACI)).toMatchObject({ expireTimer: expected });
  });

  test('never ends a block', async () => {
    await know({ blocked: true });
    folder.row('recipient', { aci: ACI, blocked: 0, profile_key: KEY });
    await importContacts();
    expect(await contactOf(ACI)).toMatchObject({ blocked: true, profileKey: KEY });
  });

  test('goes into a store that has acted for an account, but is not open', async () => {
    {
      await using scene = await openScene({ store }, service);
      await expect(importContacts()).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
      expect(scene.store).toBe(store);
    }
    folder.row('recipient', { aci: ACI, profile_key: KEY });
    expect((await importContacts()).imported.profileKeys).toBe(1);
  });

  test('needs no registered account', async () => {
    folder.json = { registered: false, password: null, aciAccountData: null };
    folder.row('recipient', { aci: ACI, profile_key: KEY });
    expect((await importContacts()).imported.profileKeys).toBe(1);
  });
});

describe('the options of an import', () => {
  test.each<[string, object]>([
    ['from', { from: '' }],
    ['number', { number: 7 }],
    ['mode', { mode: 'copy' }],
    ['environment', { environment: 'LIVE' }],
    ['signal', { signal: {} }],
    ['stroe', { stroe: 1 }],
  ])('are checked: %s', async (field, options) => {
    await expect(importContacts(options)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field,
    });
  });

  test('name a folder without accounts.json', async () => {
    await expect(importContacts({ from: directory.path })).rejects.toMatchObject({
      code: 'ERR_IMPORT_DAMAGED',
      field: 'from',
    });
  });
});
