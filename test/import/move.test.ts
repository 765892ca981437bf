import {
  PrivateKey,
  processPreKeyBundle,
  ProtocolAddress,
  signalEncrypt,
} from '@signalapp/libsignal-client';
import { AccountEntropyPool, SvrKey } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import {
  decodeAccount,
  loadAccount,
  loadOwnRecords,
  loadPreKeyState,
} from '#dist/src/store/tables/account.js';
import { loadCredentials } from '#dist/src/store/tables/credentials.js';
import { describe, expect, test } from 'vitest';
import { acis, collect, openScene } from '../harness/broadcasters.js';
import { paddedContent, serviceEnvelope } from '../fakes/mailbox-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { bodiesOf, openReceiverScene, take, text } from '../harness/receivers.js';
import { PREKEY_IDS } from '../harness/signal-cli-folder.js';
import {
  PREKEY_ENVELOPE,
  service,
  folder,
  store,
  move,
  contactOf,
  useMoveScene,
} from './move-scene.js';

useMoveScene();

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
