import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import {
  IdentityKeyPair,
  PrivateKey,
  processPreKeyBundle,
  ProtocolAddress,
  SessionRecord,
  signalEncrypt,
} from '@signalapp/libsignal-client';
import { AccountEntropyPool, SvrKey } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import {
  importSignalCli,
  MemoryStore,
  type SignalCliImport,
  type SignalCliImportOptions,
} from 'sealcast';
import {
  decodeAccount,
  loadAccount,
  loadOwnRecords,
  loadPreKeyState,
} from '#dist/src/store/tables/account.js';
import { loadContacts } from '#dist/src/store/tables/contacts.js';
import { loadCredentials } from '#dist/src/store/tables/credentials.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acis, collect, openScene } from '../harness/broadcasters.js';
import { MailboxService, paddedContent, serviceEnvelope } from '../fakes/mailbox-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { WatchedStore } from '../fakes/watched-store.js';
import { bodiesOf, openReceiverScene, take, text } from '../harness/receivers.js';
import { PREKEY_IDS, SignalCliFolder } from '../harness/signal-cli-folder.js';
import { temporaryDirectory } from '../harness/store-files.js';

/** Type of the service's envelope of a prekey message. */
const PREKEY_ENVELOPE = 3;

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

const move = (options: Partial<SignalCliImportOptions> = {}): Promise<SignalCliImport> => {
  folder.write();
  return moveWritten(options);
};
const moveWritten = (options: Partial<SignalCliImportOptions> = {}): Promise<SignalCliImport> =>
  importSignalCli({ from: folder.path, store, mode: 'move', ...options });

async function contactOf({ aci }: Pick<Subscriber, 'aci'>) {
  const [contact] = await loadContacts(store, [aci]);
  return contact!;
}

describe('a moved account', () => {
  test('sends to an old contact, of two devices, on its old sessions', async () => {
    const old = await service.subscribe([1, 2]);
    await folder.addContact(old);
    const { imported, skipped } = await move();
    expect({ ...imported }).toMatchObject({ sessions: 2, identities: 1, contacts: 1 });
    expect(skipped).toEqual({});

    await using scene = await openScene({ store }, service);
    const run = scene.broadcaster.broadcast({ body: 'hello again' }, acis([old]));
    expect((await collect(run)).get(old.aci)).toMatchObject({ status: 'sealed' });
    expect(service.arrivals.map(({ type }) => type)).toEqual(['whisper', 'whisper']);
    expect([service.textsOf(old), service.textsOf(old, 2)]).toEqual([
      ['hello again'],
      ['hello again'],
    ]);
    expect(service.countOf('fetchPreKeys')).toBe(0);
  });

  test('receives a first message that was made with a one-time prekey of signal-cli', async () => {
    folder.addPreKeys();
    await move();
    const stranger = await service.subscribe();
    await service.beginSession(stranger, 1, folder.bundle(3));
    await service.send(stranger, text('for the number'));
    await using scene = await openReceiverScene({ store }, service);
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['for the number']);
    const used = PREKEY_IDS.oneTime + 3;
    expect(await store.getMany('preKey', [String(used), String(used + 1)])).toEqual([
      undefined,
      expect.any(Uint8Array),
    ]);
  });

  test('receives a first message to its phone number, made with a prekey of its PNI', async () => {
    folder.addPreKeys();
    await move();
    const stranger = await service.subscribe();
    const { stores } = stranger.devices.get(1)!;
    const to = ProtocolAddress.new(`PNI:${folder.pni}`, 1);
    const { own } = service.addressesOf(stranger);
    const bundle = folder.bundle(4, 'pni');
    await processPreKeyBundle(bundle, to, own, stores.sessions, stores.identities);
    const content = paddedContent(text('found by number'));
    const first = await signalEncrypt(content, to, own, stores.sessions, stores.identities);
    service.queue(
      serviceEnvelope({
        clientTimestamp: Date.now(),
        serverTimestamp: Date.now(),
        type: PREKEY_ENVELOPE,
        sourceServiceId: stranger.aci,
        sourceDeviceId: 1,
        destinationServiceId: to.name(),
        content: first.serialize(),
      }),
    );
    await using scene = await openReceiverScene({ store }, service);
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['found by number']);
    expect(await contactOf(stranger)).toMatchObject({ needsPniSignature: true });
  });

  test('receives what comes on an old session', async () => {
    const old = await service.subscribe();
    await folder.addContact(old);
    await move();
    await service.send(old, text('still here'));
    await using scene = await openReceiverScene({ store }, service);
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['still here']);
  });

  test('has its keys, credentials and settings in the store', async () => {
    const accountEntropyPool = AccountEntropyPool.generate();
    folder.json = { accountEntropyPool, registrationLockPin: '1234' };
    folder.row('key_value', { key: 'config-phone-number-unlisted', value: 1 });
    folder.row('key_value', { key: 'config-read-receipts', value: 0 });
    const result = await move();
    const { sender } = service;
    expect(result).toMatchObject({
      mode: 'move',
      aci: sender.aci,
      deviceId: 1,
      environment: 'production',
      unreadMessages: 0,
      markedAs: `${folder.jsonPath}.moved-to-sealcast`,
    });
    const account = decodeAccount((await loadAccount(store))!);
    expect(account).toMatchObject({
      aci: sender.aci,
      deviceId: 1,
      registrationId: sender.registrationId,
    });
    expect(account.profileKey).toEqual(sender.profileKey);
    expect(account.identityPrivateKey).toEqual(sender.identityKeyPair.privateKey.serialize());
    const credentials = (await loadCredentials(store))!;
    expect(credentials).toMatchObject({
      password: 'secret-password',
      number: folder.number,
      accountEntropyPool,
      readReceipts: false,
      capabilities: { spqr: true },
    });
    expect(credentials.pniIdentity).toMatchObject({
      pni: `PNI:${folder.pni}`,
      registrationId: 815,
    });
    expect(credentials.pniIdentity?.identityPrivateKey).toEqual(
      folder.pniIdentity.privateKey.serialize(),
    );
    const svrKey = new SvrKey(AccountEntropyPool.deriveSvrKey(accountEntropyPool));
    const { attributes } = await loadOwnRecords(store);
    expect(attributes).toMatchObject({
      registrationLock: Buffer.from(svrKey.deriveRegistrationLock()).toString('hex'),
      discoverableByPhoneNumber: false,
      pniRegistrationId: 815,
      isPending: false,
    });
    expect(attributes?.recoveryPassword).toEqual(svrKey.deriveRegistrationRecoveryPassword());
  });

  test('of a linked device has no attributes: only a primary registers any', async () => {
    folder.json = { deviceId: 3 };
    expect(await move()).toMatchObject({ deviceId: 3 });
    expect((await loadOwnRecords(store)).attributes).toBeUndefined();
    expect((await loadCredentials(store))?.capabilities).toMatchObject({
      attachmentBackfill: true,
    });
  });

  test('without a phone number has no phone-number identity', async () => {
    folder.json = { number: null, pniAccountData: { serviceId: null, registrationId: 0 } };
    await move();
    const credentials = (await loadCredentials(store))!;
    expect(credentials.pniIdentity).toBeUndefined();
    expect(credentials.number).toBeUndefined();
  });

  test('continues the ids of prekeys above the highest, of both identities', async () => {
    folder.addPreKeys();
    const { imported } = await move();
    expect(imported).toMatchObject({ preKeys: 40, signedPreKeys: 2, kyberPreKeys: 42 });
    for (const identity of ['aci', 'pni'] as const) {
      const state = (await loadPreKeyState(store, identity))!;
      expect(state).toMatchObject({
        nextPreKeyId: PREKEY_IDS.oneTime + 100,
        nextSignedPreKeyId: PREKEY_IDS.signed + 1,
        nextKyberPreKeyId: PREKEY_IDS.kyberOneTime + 100,
      });
      expect(state.preKeys).toMatchObject([{ firstId: PREKEY_IDS.oneTime, count: 20 }]);
      expect(state.lastResortKyberPreKeys).toMatchObject([
        { firstId: PREKEY_IDS.lastResort, count: 1, replacedMs: 0 },
      ]);
    }
  });

  test('keeps replaced prekeys apart from those that the service has', async () => {
    folder.addPreKeys();
    const key = PrivateKey.generate();
    folder.row('pre_key', {
      account_id_type: 0,
      key_id: 0xff_fff0,
      public_key: key.getPublicKey().serialize(),
      private_key: key.serialize(),
      stale_timestamp: 1_700_000_000_000,
    });
    await move();
    const state = (await loadPreKeyState(store))!;
    expect(state.preKeys).toMatchObject([
      { firstId: 0xff_fff0, count: 1, replacedMs: 1_700_000_000_000 },
      { firstId: PREKEY_IDS.oneTime, count: 20, replacedMs: 0 },
    ]);
    // Behind the highest id, past the end and past those that are in use there.
    expect(state.nextPreKeyId).toBe(PREKEY_IDS.oneTime + 20);
  });

  test('knows what signal-cli knew of its contacts', async () => {
    const subscribers = await Promise.all([1, 2, 3].map(() => service.subscribe()));
    const [blocked, timed, bare] = subscribers as [Subscriber, Subscriber, Subscriber];
    await folder.addContact(blocked, { blocked: 1 });
    await folder.addContact(timed, {
      expiration_time: 3600,
      expiration_time_version: 4,
      profile_unidentified_access_mode: 'UNRESTRICTED',
      needs_pni_signature: 1,
    });
    folder.row('recipient', {
      aci: bare.aci,
      profile_key: bare.profileKey,
      profile_unidentified_access_mode: 'UNKNOWN',
    });
    folder.row('recipient', { aci: service.sender.aci, profile_key: service.sender.profileKey });
    const { imported } = await move();
    expect(imported).toMatchObject({ contacts: 3, profileKeys: 3, blocked: 1 });
    expect(await contactOf(blocked)).toMatchObject({ blocked: true, accessMode: 'enabled' });
    expect(await contactOf(timed)).toMatchObject({
      expireTimer: 3600,
      expireTimerVersion: 4,
      accessMode: 'unrestricted',
      needsPniSignature: true,
    });
    expect(await contactOf(bare)).toMatchObject({ accessMode: 'unknown', devices: [] });
    expect((await contactOf(bare)).profileKey).toEqual(bare.profileKey);
  });

  test('waits for acceptance of an untrusted identity key', async () => {
    const changed = await service.subscribe();
    await folder.addContact(changed, {}, 0);
    expect((await move()).imported).toMatchObject({ pendingIdentities: 1 });
    await using scene = await openScene({ store, onIdentityChange: 'fail' }, service);
    const send = async (body: string): Promise<object | undefined> =>
      (await collect(scene.broadcaster.broadcast({ body }, acis([changed])))).get(changed.aci);
    expect(await send('too early')).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_IDENTITY_CHANGED' },
    });
    const waiting = [];
    for await (const each of scene.broadcaster.pendingIdentities()) waiting.push(each.serviceId);
    expect(waiting).toEqual([changed.aci]);
    await scene.broadcaster.acceptIdentity(changed.aci, changed.identity.publicKey);
    expect(await send('now')).toMatchObject({ status: 'sealed' });
    expect(service.textsOf(changed)).toEqual(['now']);
  });

  test('sends to an untrusted contact at once where identity changes are accepted', async () => {
    const changed = await service.subscribe();
    await folder.addContact(changed, {}, 0);
    await move();
    await using scene = await openScene({ store }, service);
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis([changed]));
    expect((await collect(run)).get(changed.aci)).toMatchObject({ status: 'sealed' });
    expect(service.textsOf(changed)).toEqual(['x']);
  });
});

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

describe('the store of a move', () => {
  test('that has another account is refused', async () => {
    const other = new MailboxService();
    await (await openReceiverScene({ store }, other)).receiver.close();
    await expect(move()).rejects.toMatchObject({ code: 'ERR_ACCOUNT_MISMATCH' });
    expect(existsSync(folder.jsonPath)).toBe(true);
  });

  test('that has sent for the same account is refused, before it has it is taken', async () => {
    const scene = await openScene({ store }, service);
    await scene.broadcaster.close();
    const sent = new MemoryStore();
    {
      await using other = await openScene({ store: sent }, service);
      await other.broadcaster.broadcast({ body: 'x' }, acis([await service.subscribe()])).summary();
    }
    await expect(move({ store: sent })).rejects.toMatchObject({ code: 'ERR_IMPORT_REFUSED' });
    expect(await moveWritten()).toMatchObject({ aci: service.sender.aci });
  });

  test('must not be open', async () => {
    await using scene = await openScene({ store }, service);
    expect(scene.broadcaster).toBeDefined();
    await expect(move()).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
  });

  test('keeps what it knows of contacts that the source does not have', async () => {
    const known = await service.subscribe();
    {
      await using scene = await openScene({ store }, service);
      await scene.broadcaster.setProfileKey(known.aci, known.profileKey);
    }
    await move();
    expect((await contactOf(known)).profileKey).toEqual(known.profileKey);
  });
});

describe('a move that is aborted', () => {
  test('leaves the source as it was, and a store that opens no account until it is repeated', async () => {
    const old = await service.subscribe();
    await folder.addContact(old);
    folder.addPreKeys();
    const controller = new AbortController();
    const watched = new WatchedStore(store, {
      before: (changes) => {
        if (changes.some(({ table }) => table === 'contact')) controller.abort();
        return undefined;
      },
    });
    await expect(move({ store: watched, signal: controller.signal })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(existsSync(folder.jsonPath)).toBe(true);
    await expect(openScene({ store }, service)).rejects.toMatchObject({
      code: 'ERR_IMPORT_UNFINISHED',
    });
    await expect(moveWritten({ mode: 'contacts' })).rejects.toMatchObject({
      code: 'ERR_IMPORT_UNFINISHED',
    });
    expect(await moveWritten()).toMatchObject({ imported: { sessions: 1, preKeys: 40 } });
    await using scene = await openScene({ store }, service);
    expect(await scene.broadcaster.status('none')).toBeUndefined();
  });

  test('takes no session of before, where signal-cli ran in between', async () => {
    const [first, second] = [await service.subscribe(), await service.subscribe()];
    await folder.addContact(first);
    const controller = new AbortController();
    const watched = new WatchedStore(store, {
      before: (changes) => {
        if (changes.some(({ table }) => table === 'contact')) controller.abort();
        return undefined;
      },
    });
    await expect(move({ store: watched, signal: controller.signal })).rejects.toThrow();
    const later = new SignalCliFolder(folder.path, service);
    await later.addContact(second);
    later.write();
    await moveWritten();
    const sessions = await store.list('session', { limit: 10 });
    expect(sessions.map(({ key }) => key)).toEqual([`${second.aci}.1`]);
  });
});
