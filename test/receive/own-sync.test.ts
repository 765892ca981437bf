import { randomBytes, randomUUID } from 'node:crypto';
import {
  IdentityKeyPair,
  PrivateKey,
  SignedPreKeyRecord,
  type KyberPreKeyRecord,
} from '@signalapp/libsignal-client';
import { MemoryStore, type Receiver } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesOfUuid } from '#dist/src/content/service-ids.js';
import { serialize, syncMessageMessage } from '#dist/src/content/messages.js';
import { loadPreKeyState, preKeyStateChange } from '#dist/src/store/tables/account.js';
import {
  blockedSyncChange,
  loadBlockedSync,
  loadOwnSync,
} from '#dist/src/store/tables/own-sync.js';
import { loadContacts, type ContactRecord } from '#dist/src/store/tables/contacts.js';
import { loadCredentials } from '#dist/src/store/tables/credentials.js';
import { loadPreKeys, preKeyChange } from '#dist/src/store/tables/prekeys.js';
import { MailboxService, type SendOptions } from '../fakes/mailbox-service.js';
import { OwnPniFake } from '../fakes/own-pni.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { putContact } from '../harness/account-scene.js';
import { untilTrue } from '../harness/await-condition.js';
import { generateKyberPreKey } from '../harness/prekeys.js';
import { openReceiverScene, take, text, untilDelivered } from '../harness/receivers.js';

const POOL = 'abcdefghijklmnopqrstuvwxyz012345'.repeat(2);
const UNSEALED = { sealed: false };

let service: MailboxService;
let store: MemoryStore;
let phone: Subscriber;
let receiver: Receiver;
let close: () => Promise<void>;
beforeEach(async () => {
  service = new MailboxService();
  store = new MemoryStore();
  await service.publishPreKeys(store);
  phone = await service.ownDevice();
  await open();
});
afterEach(() => close());

async function open(): Promise<void> {
  const scene = await openReceiverScene({ store }, service);
  ({ receiver } = scene);
  close = () => scene.receiver.close();
}

/** Sends a sync message of any fields, from the phone unless another sender is given. */
async function sync(
  fields: object,
  sender = phone,
  options: SendOptions = { ...UNSEALED, deviceId: 2 },
): Promise<void> {
  const syncMessage = serialize(syncMessageMessage, syncMessageMessage.fromObject(fields));
  await service.send(sender, { syncMessage }, options);
}
const synced = async (...sent: Parameters<typeof sync>): Promise<void> => {
  await sync(...sent);
  await untilDelivered({ service });
};

async function contact(serviceId: string): Promise<ContactRecord> {
  const [found] = await loadContacts(store, [serviceId]);
  if (found === undefined) throw new Error('no answer');
  return found;
}
const untilBlocked = async (serviceId: string, blocked: boolean): Promise<void> => {
  await untilTrue(async () => (await contact(serviceId)).blocked === blocked);
  await untilTrue(async () => (await loadBlockedSync(store)) === undefined);
};

describe('the list of blocked contacts that the phone sends', () => {
  it('blocks and unblocks contacts, in either form of their ids', async () => {
    const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
    await synced({ blocked: { acisBinary: [bytesOfUuid(first)], acis: [second] } });
    await Promise.all([untilBlocked(first, true), untilBlocked(second, true)]);
    await synced({ blocked: { acisBinary: [bytesOfUuid(second), bytesOfUuid(third)] } });
    await Promise.all([untilBlocked(first, false), untilBlocked(third, true)]);
    expect(await contact(second)).toMatchObject({ blocked: true });
    await synced({ blocked: {} });
    await Promise.all([untilBlocked(second, false), untilBlocked(third, false)]);
    expect(receiver.stats().internal).toBe(3);
  });

  it('leaves a contact blocked whom this device blocked', async () => {
    const [ours, theirs] = [randomUUID(), randomUUID()];
    await putContact({ store }, ours, { blocked: true });
    await synced({ blocked: { acis: [ours, theirs] } });
    await untilBlocked(theirs, true);
    await synced({ blocked: {} });
    await untilBlocked(theirs, false);
    expect(await contact(ours)).toMatchObject({ blocked: true });
  });

  it('is applied at the next opening where a crash came before it', async () => {
    await close();
    const blocked = randomUUID();
    await store.commit([blockedSyncChange([blocked])]);
    await open();
    await untilBlocked(blocked, true);
  });
});

describe('keys and settings that the phone sends', () => {
  it('are kept', async () => {
    const mediaRootBackupKey = randomBytes(32);
    await synced({
      keys: { accountEntropyPool: POOL, master: randomBytes(32), mediaRootBackupKey },
    });
    await synced({ configuration: { readReceipts: true } });
    expect(await loadCredentials(store)).toEqual({
      password: '',
      accountEntropyPool: POOL,
      mediaRootBackupKey: new Uint8Array(mediaRootBackupKey),
      readReceipts: true,
      capabilities: {},
      createdAtMs: expect.any(Number) as number,
    });
    expect(receiver.stats()).toMatchObject({ internal: 2, messages: 0 });
  });

  it('are ignored where they are malformed', async () => {
    const master = randomBytes(32);
    await synced({
      keys: { accountEntropyPool: 'short', master, mediaRootBackupKey: Buffer.of(1) },
    });
    expect(await loadCredentials(store)).toMatchObject({ masterKey: new Uint8Array(master) });
    expect(Object.keys((await loadCredentials(store)) ?? {})).not.toContain('mediaRootBackupKey');
  });
});

describe('a sync message', () => {
  it('of a contact is refused, and changes nothing', async () => {
    const contact = await service.subscribe();
    const blocked = randomUUID();
    for (const sealed of [true, false])
      await sync({ blocked: { acis: [blocked] }, keys: { accountEntropyPool: POOL } }, contact, {
        sealed,
      });
    await service.send(contact, text('hello'));
    expect(await take(receiver, 1)).toMatchObject([
      { content: { dataMessage: { body: 'hello' } } },
    ]);
    expect(receiver.stats().refused['foreign-sync']).toBe(2);
    expect(await loadCredentials(store)).toBeUndefined();
    expect(await loadBlockedSync(store)).toBeUndefined();
  });

  it('in the name of our account with another identity key is refused', async () => {
    const forger = await service.ownDevice(3, IdentityKeyPair.generate());
    forger.devices.set(3, (await service.subscribe([3])).devices.get(3) as never);
    await sync({ keys: { accountEntropyPool: POOL } }, forger, { ...UNSEALED, deviceId: 3 });
    await untilDelivered({ service });
    expect(receiver.stats().refused['key-mismatch']).toBe(1);
    expect(await loadCredentials(store)).toBeUndefined();
  });

  it('with what another device sent is given to the application, also after a restart', async () => {
    const destination = randomUUID();
    await sync({
      sent: {
        timestamp: 1234,
        message: { body: 'from the phone', timestamp: 1234 },
        destinationServiceIdBinary: bytesOfUuid(destination),
      },
    });
    await untilTrue(() => receiver.stats().messages === 1);
    const sentTranscript = {
      destination,
      timestamp: 1234n,
      message: { body: 'from the phone', timestamp: 1234n },
    };
    await close();
    await open();
    expect(await take(receiver, 1)).toMatchObject([
      { sender: service.sender.aci, senderDevice: 2, sentTranscript },
    ]);
  });
});

describe('a change of number', () => {
  const NUMBER = '+15550109876';
  const signature = (by: IdentityKeyPair, key: { serialize(): Uint8Array }): Uint8Array =>
    by.privateKey.sign(Uint8Array.from(key.serialize()));

  function change(identity = IdentityKeyPair.generate()): {
    identity: IdentityKeyPair;
    kyber: KyberPreKeyRecord;
    signed: SignedPreKeyRecord;
    fields: (by?: IdentityKeyPair) => object;
  } {
    const key = PrivateKey.generate();
    const publicKey = key.getPublicKey();
    const signed = SignedPreKeyRecord.new(
      77,
      Date.now(),
      publicKey,
      key,
      Uint8Array.from(signature(identity, publicKey)),
    );
    const kyber = generateKyberPreKey(78, identity.privateKey);
    const fields = (by = identity): object => ({
      pniChangeNumber: {
        identityKeyPair: by.serialize(),
        signedPreKey: signed.serialize(),
        registrationId: 4242,
        newE164: NUMBER,
        lastResortKyberPreKey: kyber.serialize(),
      },
    });
    return { identity, kyber, signed, fields };
  }

  it('gives the account another PNI, whose messages are decrypted at once', async () => {
    await close();
    const former = new OwnPniFake(service, store);
    await former.publish();
    await store.commit([
      preKeyChange('preKey', 5, Uint8Array.of(1), 'pni'),
      preKeyStateChange(
        {
          nextPreKeyId: 6,
          nextSignedPreKeyId: 2,
          nextKyberPreKeyId: 2,
          preKeys: [{ firstId: 5, count: 1, uploadedMs: 1, replacedMs: 0 }],
          kyberPreKeys: [],
          signedPreKeys: [],
          lastResortKyberPreKeys: [],
        },
        'pni',
      ),
    ]);
    await open();
    const pni = randomUUID();
    const { identity, kyber, signed, fields } = change();
    await synced(fields(), phone, { ...UNSEALED, deviceId: 2, updatedPni: pni });
    expect(await loadCredentials(store)).toMatchObject({
      number: NUMBER,
      pniIdentity: {
        pni: `PNI:${pni}`,
        registrationId: 4242,
        identityPublicKey: identity.publicKey.serialize(),
      },
    });
    expect(await loadPreKeyState(store, 'pni')).toMatchObject({
      preKeys: [],
      signedPreKeys: [{ firstId: 77, count: 1 }],
      lastResortKyberPreKeys: [{ firstId: 78, count: 1 }],
      nextSignedPreKeyId: 78,
      nextKyberPreKeyId: 79,
    });
    expect(await loadPreKeys(store, 'preKey', [5], 'pni')).toEqual([undefined]);
    const now = new OwnPniFake(service, store, { pni, identity, signed, kyber });
    const stranger = await service.subscribe();
    await now.send(stranger, text('is this you?'));
    expect(await take(receiver, 1)).toMatchObject([
      { sender: stranger.aci, content: { dataMessage: { body: 'is this you?' } } },
    ]);
    former.deliver(stranger, await former.encrypt(stranger, text('is this still you?')));
    await untilDelivered({ service });
    expect(receiver.stats().refused['sent-to-pni']).toBe(1);
  });

  it.each<[string, (made: ReturnType<typeof change>) => object, string | undefined]>([
    ['without a PNI', ({ fields }) => fields(), undefined],
    ['signed by another key', ({ fields }) => fields(IdentityKeyPair.generate()), randomUUID()],
  ])('%s is ignored', async (_what, fieldsOf, updatedPni) => {
    await synced(fieldsOf(change()), phone, {
      ...UNSEALED,
      deviceId: 2,
      ...(updatedPni !== undefined && { updatedPni }),
    });
    expect((await loadCredentials(store))?.pniIdentity).toBeUndefined();
  });
});

describe('the word of the phone that this device has to fetch something again', () => {
  const changed = (type: number): Promise<void> => synced({ fetchLatest: { type } });

  it.each([1, 2])('leaves the profile key of a linked device in doubt (type %i)', async (type) => {
    await close();
    service = new MailboxService();
    Object.assign(service.sender, { deviceId: 3 });
    store = new MemoryStore();
    await service.publishPreKeys(store);
    phone = await service.ownDevice();
    await open();
    expect(await loadOwnSync(store)).toMatchObject({ isKeyDoubted: false });
    await changed(type);
    expect(await loadOwnSync(store)).toMatchObject({ isKeyDoubted: true });
  });

  it('leaves no key of a primary device in doubt', async () => {
    await changed(1);
    expect(await loadOwnSync(store)).toMatchObject({ isKeyDoubted: false });
  });
});
