import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { IdentityKeyPair, PrivateKey, SessionRecord } from '@signalapp/libsignal-client';
import { MemoryStore } from 'sealcast';
import { loadAccount } from '#dist/src/store/tables/account.js';
import { describe, expect, test } from 'vitest';
import { service, folder, store, move, moveWritten, useMoveScene } from './move-scene.js';

useMoveScene();

describe('the source of a move', () => {
  test('is renamed, so that signal-cli finds no account', async () => {
    folder.write();
    const before = readFileSync(folder.jsonPath);
    const { markedAs } = await moveWritten();
    expect(existsSync(folder.jsonPath)).toBe(false);
    expect(readFileSync(markedAs!)).toEqual(before);
  });

  test('is refused a second time, whatever the store', async () => {
    await move();
    const refused = { code: 'ERR_IMPORT_REFUSED' };
    await expect(moveWritten()).rejects.toMatchObject(refused);
    await expect(moveWritten({ store: new MemoryStore() })).rejects.toMatchObject(refused);
  });

  test('may be the folder data itself, and a database that was closed', async () => {
    folder.leavesLog = false;
    folder.addPreKeys();
    folder.write();
    const result = await moveWritten({ from: join(folder.path, 'data') });
    expect(result.imported.preKeys).toBe(40);
  });

  test('tells of messages that were received and not decrypted', async () => {
    folder.write();
    const cache = join(`${folder.jsonPath}.d`, 'msg-cache');
    writeFileSync(join(cache, '1700000000000_1'), 'x');
    expect((await moveWritten()).unreadMessages).toBe(1);
  });

  test.each([
    ['accounts.json', (): void => void (folder.accounts = { version: 3 }), 'version 3'],
    ["the account's JSON", (): void => void (folder.json = { version: 11 }), 'version 11'],
    ['account.db', (): void => void (folder.userVersion = 27), 'schema 27'],
  ])('of another version (%s) is refused, and stays', async (_file, change, named) => {
    change();
    const failed = move();
    await expect(failed).rejects.toMatchObject({ code: 'ERR_IMPORT_VERSION' });
    await expect(failed).rejects.toThrow(named);
    expect(existsSync(folder.jsonPath)).toBe(true);
    expect(await loadAccount(store)).toBeUndefined();
  });

  test.each([
    ['not registered', { registered: false }, 'ERR_IMPORT_REFUSED'],
    ['without a password', { password: null }, 'ERR_IMPORT_DAMAGED'],
    ['without identity keys', { aciAccountData: {} }, 'ERR_IMPORT_DAMAGED'],
    ['with a profile key of 31 bytes', { profileKey: 'A'.repeat(42) }, 'ERR_IMPORT_DAMAGED'],
    ['with an unknown environment', { serviceEnvironment: 'MARS' }, 'ERR_IMPORT_DAMAGED'],
    ['of the other environment', { serviceEnvironment: 'STAGING' }, 'ERR_IMPORT_DAMAGED'],
  ])('%s is refused, and no secret is in the error', async (_title, json, code) => {
    folder.json = json;
    const error: unknown = await move().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code });
    expect(String((error as Error).stack)).not.toContain('secret-password');
    expect((error as Error).cause).toBeUndefined();
  });

  test('whose JSON is cut off is refused without a part of it in the error', async () => {
    folder.write();
    const whole = readFileSync(folder.jsonPath, 'utf8');
    writeFileSync(folder.jsonPath, whole.slice(0, whole.indexOf('secret-password') + 6));
    const failed = moveWritten();
    await expect(failed).rejects.toMatchObject({ code: 'ERR_IMPORT_DAMAGED' });
    await expect(failed).rejects.not.toThrow(/secret/);
  });

  test('on the staging service is moved only where that is meant', async () => {
    folder.environment = 'STAGING';
    await expect(move()).rejects.toMatchObject({ code: 'ERR_IMPORT_REFUSED' });
    expect(await moveWritten({ environment: 'staging' })).toMatchObject({ environment: 'staging' });
  });

  test('of several accounts must be named, by number or ACI', async () => {
    const other = { path: '654321', environment: 'LIVE', number: '+15550199', uuid: randomUUID() };
    folder.accounts = {
      accounts: [
        { path: '123456', environment: 'LIVE', number: folder.number, uuid: service.sender.aci },
        other,
      ],
    };
    await expect(move()).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', field: 'number' });
    await expect(moveWritten({ number: '+15550111' })).rejects.toMatchObject({ field: 'number' });
    expect((await moveWritten({ number: service.sender.aci })).aci).toBe(service.sender.aci);
  });

  test('that names a file outside of its folder is refused', async () => {
    folder.accounts = { accounts: [{ path: '../elsewhere', environment: 'LIVE', number: '+1' }] };
    await expect(move()).rejects.toMatchObject({ code: 'ERR_IMPORT_DAMAGED' });
  });

  test.each([
    ['absent', (path: string) => rmSync(path)],
    ['empty', (path: string) => writeFileSync(path, '')],
    ['no database', (path: string) => writeFileSync(path, 'not a database at all'.repeat(200))],
  ])('whose database is %s is refused', async (_title, damage) => {
    folder.leavesLog = false;
    folder.write();
    damage(folder.databasePath);
    await expect(moveWritten()).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_IMPORT_(DAMAGED|VERSION)$/) as string,
    });
    expect(existsSync(folder.jsonPath)).toBe(true);
  });
});

describe('damaged rows', () => {
  test('are skipped and counted, and the others are imported', async () => {
    const good = await service.subscribe();
    await folder.addContact(good);
    folder.addPreKeys();
    const identity = {
      added_timestamp: 0,
      trust_level: 1,
    };
    const unknown = randomUUID();
    folder.row('session', {
      account_id_type: 0,
      address: good.aci,
      device_id: 9,
      record: Uint8Array.of(0xff, 1, 2),
    });
    folder.row('session', {
      account_id_type: 0,
      address: 'somewhere',
      device_id: 1,
      record: Uint8Array.of(1),
    });
    const empty = SessionRecord.deserialize(new Uint8Array(0)).serialize();
    folder.row('session', { account_id_type: 0, address: unknown, device_id: 1, record: empty });
    folder.row('session', { account_id_type: 1, address: good.aci, device_id: 1, record: empty });
    folder.row('identity', {
      ...identity,
      address: randomUUID(),
      identity_key: Uint8Array.of(5, 1),
    });
    folder.row('identity', {
      ...identity,
      address: 'nobody',
      identity_key: IdentityKeyPair.generate().publicKey.serialize(),
    });
    folder.row('recipient', { number: '+15550123' });
    folder.row('recipient', { aci: randomUUID(), profile_key: new Uint8Array(31) });
    const pair = PrivateKey.generate();
    folder.row('pre_key', {
      account_id_type: 0,
      key_id: 5,
      public_key: PrivateKey.generate().getPublicKey().serialize(),
      private_key: pair.serialize(),
    });
    folder.row('kyber_pre_key', {
      account_id_type: 0,
      key_id: 6,
      serialized: Uint8Array.of(1, 2, 3),
      is_last_resort: 0,
    });
    folder.row('kyber_pre_key', {
      account_id_type: 7,
      key_id: 6,
      serialized: Uint8Array.of(1, 2, 3),
      is_last_resort: 0,
    });
    const { imported, skipped } = await move();
    expect(imported).toMatchObject({ sessions: 2, identities: 1, preKeys: 40, kyberPreKeys: 42 });
    expect(skipped).toEqual({
      'session-damaged': 2,
      'session-without-identity': 1,
      'identity-damaged': 2,
      'recipient-without-id': 1,
      'recipient-damaged': 1,
      'prekey-damaged': 3,
    });
  });
});
