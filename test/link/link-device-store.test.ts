import { MemoryStore, SealcastError } from 'sealcast';
import { decodeAccount, loadAccount } from '#dist/src/store/tables/account.js';
import { contactChange, loadContacts, NEW_CONTACT } from '#dist/src/store/tables/contacts.js';
import { loadRows, rowChange } from '#dist/src/store/tables/outbox.js';
import { preKeyChange } from '#dist/src/store/tables/prekeys.js';
import { sessionChange } from '#dist/src/store/tables/sessions.js';
import { describe, expect, test } from 'vitest';
import { begin, untilUrls, scanned } from './link-scene.js';

describe('a store', () => {
  /** A store whose commits of that number fail. */
  class FullStore extends MemoryStore {
    commits = 0;
    constructor(readonly failing: number) {
      super();
    }
    override commit(changes: Parameters<MemoryStore['commit']>[0]): Promise<void> {
      this.commits += 1;
      if (this.commits === this.failing)
        return Promise.reject(new SealcastError('ERR_STORE_FAILED', 'no space left'));
      return super.commit(changes);
    }
  }

  test('that is full before the request: the service is not asked', async () => {
    const scene = begin({ store: new FullStore(1) });
    await scanned(scene);
    expect(await scene.failed).toMatchObject({ code: 'ERR_STORE_FAILED' });
    expect(scene.service.links).toEqual([]);
    expect(await scene.store.list('account', { limit: 10 })).toEqual([]);
  });

  test('that is full after it: the error names the device, and the next call finishes', async () => {
    const store = new FullStore(2);
    const scene = begin({ store });
    await scanned(scene);
    const error = await scene.failed;
    expect(error).toMatchObject({ code: 'ERR_STORE_FAILED' });
    expect(error?.message).toContain('"the desk"');
    expect(await loadAccount(store)).toBeUndefined();
    const again = begin({ store, service: scene.service });
    expect(await again.link.account).toMatchObject({ deviceId: 2 });
    expect(again.urls).toEqual([]);
  });

  test('on which a link is under way takes no second one', async () => {
    const scene = begin();
    await untilUrls(scene, 1);
    const second = begin({ store: scene.store });
    expect(await second.failed).toMatchObject({ code: 'ERR_STORE_LOCKED' });
    await scanned(scene);
    await scene.link.account;
    const third = begin({ store: scene.store, phone: scene.phone, service: scene.service });
    await scanned(third);
    expect(await third.link.account).toMatchObject({ deviceId: 3 });
  });

  test('that another process took over: the service is not asked', async () => {
    const store = new MemoryStore();
    Object.assign(store, { mayAct: () => false });
    const scene = begin({ store });
    await scanned(scene);
    expect(await scene.failed).toMatchObject({ code: 'ERR_STORE_LOCKED' });
    expect(scene.service.links).toEqual([]);
  });

  test('of an earlier link loses prekeys and sessions, and keeps contacts', async () => {
    const first = begin();
    await scanned(first);
    await first.link.account;
    const { store, phone, service } = first;
    const before = decodeAccount((await loadAccount(store)) ?? new Uint8Array(0));
    const contact = {
      ...NEW_CONTACT,
      profileKey: new Uint8Array(32).fill(7),
      accessMode: 'enabled' as const,
      devices: [{ deviceId: 1, registrationId: 5 }],
    };
    const value = Uint8Array.of(1);
    const identityKey = new Uint8Array(33).fill(5);
    const devices = [
      { deviceId: 1, registrationId: 5, type: 'whisper' as const, ciphertext: value },
    ];
    await store.commit([
      contactChange('a contact', contact),
      sessionChange('a contact', 1, value),
      preKeyChange('preKey', 77, value),
      preKeyChange('preKey', 78, value, 'pni'),
      rowChange('news', 'a contact', { state: 'encrypted', identityKey, devices }),
      rowChange('news', 'another', { state: 'done', status: 'sealed' }),
      { table: 'certificate', key: 'without-phone-number', value },
    ]);
    phone.profileKey.fill(9);
    const scene = begin({ store, phone, service });
    await scanned(scene);
    await scene.link.account;
    expect(await store.list('session', { limit: 9 })).toEqual([]);
    expect(await store.list('preKey', { limit: 9 })).toEqual([]);
    expect(await store.list('signedPreKey', { limit: 9 })).toHaveLength(2);
    expect(await store.list('certificate', { limit: 9 })).toEqual([]);
    const [kept] = await loadContacts(store, ['a contact']);
    expect(kept).toMatchObject({ accessMode: 'enabled', devices: [] });
    expect(Buffer.from(kept?.profileKey ?? [])).toEqual(Buffer.from(contact.profileKey));
    expect(await loadRows(store, 'news', ['a contact', 'another'])).toMatchObject([
      { state: 'queued' },
      { state: 'done' },
    ]);
    const after = decodeAccount((await loadAccount(store)) ?? new Uint8Array(0));
    expect(after.deviceId).toBe(3);
    expect(after.registrationId).not.toBe(before.registrationId);
    expect(Buffer.from(after.profileKey ?? [])).toEqual(phone.profileKey);
    expect(after.retiredProfileKeys).toHaveLength(1);
  });
});
