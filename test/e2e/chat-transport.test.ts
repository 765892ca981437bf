import { createHmac } from 'node:crypto';
import {
  Aci,
  CiphertextMessageType,
  KEMPublicKey,
  PreKeyBundle,
  processPreKeyBundle,
  ProtocolAddress,
  PublicKey,
  SenderCertificate,
  signalEncrypt,
} from '@signalapp/libsignal-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ChatTransport,
  deriveAccessKey,
  Sealer,
  type MessageAck,
  type PreKeyBundleFields,
} from 'sealcast';
import {
  encodeContent,
  encodeUsmc,
  padPlaintext,
  usmcTypeOfCiphertext,
} from '#dist/src/content/index.js';
import { createClient, type Client } from '../harness/plain-client/client.js';
import { netOf } from '../mock-service/net.js';
import { receiveHellos } from '../harness/plain-client/receive-hellos.js';
import { MockService } from '../mock-service/mock-service.js';
import { neverHangs, untilTrue } from '../harness/await-condition.js';
import { generatePreKeys } from '../harness/prekeys.js';
import { ATTRIBUTES, PROFILE } from '../harness/transports.js';

const PREKEY_TYPE: number = CiphertextMessageType.PreKey;

let service: MockService;
let client: Client;
let sealer: Sealer;
let accessKeys: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
let transport: ChatTransport;

/** The subscribers' access keys, from the profile keys that they send the account. */
async function learnAccessKeys(): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const { profileKeys } = await receiveHellos(service, 1, () => undefined);
  return new Map(
    [...profileKeys].map(([serviceId, profileKey]) => [serviceId, deriveAccessKey(profileKey)]),
  );
}

beforeAll(async () => {
  service = await MockService.start({ subscribers: 4 });
  client = createClient(service.description.broadcaster);
  sealer = await Sealer.create({ identityKeyPair: client.identityKeyPair, threads: 1 });
  accessKeys = await learnAccessKeys();
  const { aci, deviceId, password } = service.description.broadcaster;
  transport = await ChatTransport.connect({
    net: netOf(service.description),
    username: `${aci}.${deviceId}`,
    password,
    languages: ['en'],
    unauthenticatedConnections: 2,
  });
});
afterAll(async () => {
  await transport.close();
  await sealer.close();
  await service.close();
});

async function fetchCertificate(): Promise<SenderCertificate> {
  const outcome = await transport.fetchSenderCertificate({ includePhoneNumber: false });
  if (outcome.status !== 'ok') throw new Error(outcome.status);
  return SenderCertificate.deserialize(outcome.certificate);
}

function bundleOf(fields: PreKeyBundleFields, identityKey: PublicKey): PreKeyBundle {
  return PreKeyBundle.new(
    fields.registrationId,
    fields.deviceId,
    fields.preKeyId ?? null,
    fields.preKeyPublic === undefined ? null : PublicKey.deserialize(fields.preKeyPublic),
    fields.signedPreKeyId,
    PublicKey.deserialize(fields.signedPreKeyPublic),
    fields.signedPreKeySignature,
    identityKey,
    fields.kyberPreKeyId,
    KEMPublicKey.deserialize(fields.kyberPreKeyPublic),
    fields.kyberPreKeySignature,
  );
}

/**
 * The text as the ratchet encrypts it for the one device of a subscriber, in a session of prekeys
 * just fetched.
 */
async function encryptFor(
  subscriber: string,
  text: string,
  timestamp: number,
  accessKey: Uint8Array<ArrayBuffer> | null,
): Promise<{
  readonly device: { readonly deviceId: number; readonly registrationId: number };
  readonly identityKey: PublicKey;
  readonly ciphertext: Awaited<ReturnType<typeof signalEncrypt>>;
}> {
  const outcome = await transport.fetchPreKeys({
    destination: subscriber,
    device: 'all',
    accessKey,
  });
  if (outcome.status !== 'ok') throw new Error(outcome.status);
  const [fields] = outcome.bundles;
  expect(outcome.bundles).toHaveLength(1);
  const identityKey = PublicKey.deserialize(outcome.identityKey);
  const address = ProtocolAddress.new(subscriber, fields!.deviceId);
  const { sessions, identities } = client.stores;
  await processPreKeyBundle(
    bundleOf(fields!, identityKey),
    address,
    client.address,
    sessions,
    identities,
  );
  const content = padPlaintext(encodeContent({ dataMessage: { body: text, timestamp } }));
  const ciphertext = await signalEncrypt(content, address, client.address, sessions, identities);
  return { device: fields!, identityKey, ciphertext };
}

describe('a transport connected to a service', () => {
  test('fetches a sender certificate that is its account’s, without the phone number', async () => {
    const certificate = await fetchCertificate();
    const { broadcaster, trustRoot } = service.description;
    expect(certificate.validateWithTrustRoots([PublicKey.deserialize(trustRoot)], Date.now())).toBe(
      true,
    );
    expect(certificate.senderAci()).toEqual(Aci.parseFromServiceIdString(broadcaster.aci));
    expect(certificate.senderE164()).toBeNull();
  });

  test('sends a sealed message, in a session of fetched prekeys, that the subscriber decrypts', async () => {
    const [subscriber] = service.description.subscribers;
    const timestamp = Date.now();
    const accessKey = accessKeys.get(subscriber!)!;
    const { device, identityKey, ciphertext } = await encryptFor(
      subscriber!,
      'sealed',
      timestamp,
      accessKey,
    );
    const usmc = encodeUsmc({
      type: usmcTypeOfCiphertext(ciphertext.type()),
      senderCertificate: (await fetchCertificate()).serialize(),
      content: ciphertext.serialize(),
      contentHint: 'resendable',
    });
    const [sealed] = await sealer.seal([{ recipientIdentityKey: identityKey, content: usmc }]);
    if (sealed?.ok !== true) throw new Error('not sealed');
    const message = { ...device, content: new Uint8Array(sealed.envelope) };
    const request = { destination: subscriber!, timestamp, online: false, urgent: true, accessKey };
    expect(await transport.sendSealed({ ...request, messages: [message] })).toEqual({
      status: 'sent',
    });
    expect(await service.waitForDecrypted('sealed', { subscribers: [subscriber!] })).toContainEqual(
      {
        subscriber,
        text: 'sealed',
        sender: service.description.broadcaster.aci,
      },
    );
    const last = (await service.messageRequests()).at(-1)!;
    expect({ authenticated: last.authenticated, status: last.status }).toEqual({
      authenticated: false,
      status: 200,
    });

    const toAnotherDevice = [{ ...message, deviceId: 9 }];
    expect(await transport.sendSealed({ ...request, messages: toAnotherDevice })).toEqual({
      status: 'mismatched-devices',
      missing: [device.deviceId],
      extra: [9],
      stale: [],
    });
  });

  test('sends an unsealed message, in a session of prekeys fetched as the account, that the subscriber decrypts', async () => {
    const subscriber = service.description.subscribers[1]!;
    const timestamp = Date.now();
    const { device, ciphertext } = await encryptFor(subscriber, 'unsealed', timestamp, null);
    const type = ciphertext.type() === PREKEY_TYPE ? 'prekey' : 'whisper';
    const messages = [{ ...device, type, content: ciphertext.serialize() } as const];
    const request = { destination: subscriber, timestamp, online: false, urgent: true, messages };
    expect(await transport.sendUnsealed(request)).toEqual({ status: 'sent' });
    expect(
      await service.waitForDecrypted('unsealed', { subscribers: [subscriber] }),
    ).toContainEqual({
      subscriber,
      text: 'unsealed',
      sender: service.description.broadcaster.aci,
    });
  });

  test('uploads prekeys that others then get, and counts what is left of them', async () => {
    const { signed, oneTime, kyberOneTime, kyberLastResort } = await generatePreKeys(
      client.stores,
      3,
    );
    interface Public {
      id(): number;
      publicKey(): { serialize(): Uint8Array<ArrayBuffer> };
    }
    const preKey = (key: Public): { id: number; publicKey: Uint8Array<ArrayBuffer> } => ({
      id: key.id(),
      publicKey: key.publicKey().serialize(),
    });
    const signedPreKey = (
      key: Public & { signature(): Uint8Array<ArrayBuffer> },
    ): ReturnType<typeof preKey> & { signature: Uint8Array<ArrayBuffer> } => ({
      ...preKey(key),
      signature: key.signature(),
    });
    const upload = {
      preKeys: oneTime.map(preKey),
      signedPreKey: signedPreKey(signed),
      kyberPreKeys: kyberOneTime.map(signedPreKey),
      lastResortKyberPreKey: signedPreKey(kyberLastResort),
    };
    expect(await transport.uploadPreKeys(upload)).toEqual({ status: 'ok' });
    expect(await transport.countPreKeys()).toEqual({ status: 'ok', preKeys: 3, kyberPreKeys: 3 });
    const { aci, deviceId } = service.description.broadcaster;
    const fetched = await transport.fetchPreKeys({
      destination: aci,
      device: deviceId,
      accessKey: null,
    });
    if (fetched.status !== 'ok') throw new Error(fetched.status);
    expect(fetched.identityKey).toEqual(client.identityKeyPair.publicKey.serialize());
    const [bundle] = fetched.bundles;
    expect(bundle).toMatchObject({
      preKeyPublic: upload.preKeys[0]!.publicKey,
      signedPreKeyId: upload.signedPreKey.id,
      signedPreKeyPublic: upload.signedPreKey.publicKey,
      signedPreKeySignature: upload.signedPreKey.signature,
      kyberPreKeyPublic: upload.kyberPreKeys[0]!.publicKey,
      kyberPreKeySignature: upload.kyberPreKeys[0]!.signature,
    });
    expect(await transport.countPreKeys()).toEqual({ status: 'ok', preKeys: 2, kyberPreKeys: 2 });
    expect(await transport.uploadPreKeys({ signedPreKey: upload.signedPreKey })).toEqual({
      status: 'ok',
    });
  });

  test('sets a profile, and fetches it as the account', async () => {
    expect(await transport.setProfile(PROFILE)).toEqual({ status: 'ok' });
    const { aci } = service.description.broadcaster;
    const { version } = PROFILE;
    expect(
      await transport.fetchProfile({ serviceId: aci, version, accessKey: null }),
    ).toMatchObject({
      status: 'ok',
      identityKey: client.identityKeyPair.publicKey.serialize(),
      unrestricted: false,
      name: PROFILE.name,
    });
  });

  test('fetches a profile unauthenticated, with the verifier of the access key; not with another key', async () => {
    const [serviceId] = service.description.subscribers;
    const accessKey = accessKeys.get(serviceId!)!;
    const outcome = await transport.fetchProfile({ serviceId: serviceId!, accessKey });
    const verifier = new Uint8Array(
      createHmac('sha256', accessKey).update(new Uint8Array(32)).digest(),
    );
    expect(outcome).toMatchObject({ status: 'ok', verifier, unrestricted: false });
    const [last] = (await service.requests()).slice(-1);
    expect(last).toMatchObject({
      path: `/v1/profile/${serviceId}`,
      authenticated: false,
      status: 200,
    });
    const another = new Uint8Array(16).fill(1);
    const refused = await transport.fetchProfile({ serviceId: serviceId!, accessKey: another });
    expect(refused).toEqual({ status: 'unauthorized' });
  });

  test('sets attributes, which the mock service does not know of', async () => {
    expect(await transport.setAccountAttributes(ATTRIBUTES)).toEqual({ status: 'not-found' });
    const [last] = (await service.requests()).slice(-1);
    expect(last).toMatchObject({
      verb: 'PUT',
      path: '/v1/accounts/attributes/',
      authenticated: true,
    });
  });

  test('receives what comes for the account, and again what it did not acknowledge before redelivery', async () => {
    const heard: string[] = [];
    const given: { readonly envelope: Buffer; readonly ack: MessageAck }[] = [];
    const stop = transport.receive({
      onIncomingMessage: (envelope, _timestampMs, ack) =>
        given.push({ envelope: Buffer.from(envelope), ack }),
      onQueueEmpty: () => heard.push('empty'),
      onConnectionInterrupted: (cause) => heard.push(cause === null ? 'ended' : cause.message),
    });
    // It was connected long ago.
    await neverHangs(
      untilTrue(() => heard.length === 1),
      'the end of the queue',
    );
    // A subscriber's message counts as sent when it was acknowledged.
    const sent = service.subscribersSayHello('received');
    await neverHangs(
      untilTrue(() => given.length === 1),
      'the message',
    );
    transport.redeliver();
    await neverHangs(
      untilTrue(() => given.length === 2),
      'the message, again',
    );
    expect(given[1]!.envelope.equals(given[0]!.envelope)).toBe(true);
    expect(heard.slice(0, 2)).toEqual(['empty', 'ended']);
    expect(() => given[0]!.ack.send(200)).toThrow();
    stop();
    given[1]!.ack.send(200);
    const texts = new Set<string>();
    const stopAgain = transport.receive({
      onIncomingMessage: (envelope, _timestampMs, ack) => {
        texts.add(Buffer.from(envelope).toString('hex'));
        ack.send(200);
      },
    });
    await neverHangs(sent, 'the others');
    // One message of each subscriber, the first of which was given before.
    expect(texts.size).toBe(service.description.subscribers.length - 1);
    expect(given).toHaveLength(2);
    stopAgain();
  });

  test('is told that an account is not there, or that an access key is not its', async () => {
    const [, , subscriber, gone] = service.description.subscribers;
    const accessKey = new Uint8Array(16).fill(1);
    const messages = [{ deviceId: 1, registrationId: 1, content: new Uint8Array(8) }];
    const request = { timestamp: 1, online: false, urgent: false, accessKey, messages };
    expect(await transport.sendSealed({ ...request, destination: subscriber! })).toEqual({
      status: 'unauthorized',
    });
    await service.unregister(gone!);
    const toGone = { ...request, destination: gone!, accessKey: accessKeys.get(gone!)! };
    expect(await transport.sendSealed(toGone)).toEqual({ status: 'not-found' });
    // The mock service says so of accounts that live, too (27.0.0, 2026-11).
    expect(await transport.accountExists(gone!)).toEqual({ status: 'ok', exists: false });
  });

  test('says so when there is no service', async () => {
    const connecting = ChatTransport.connect({
      net: netOf({ ...service.description, port: 1 }),
      username: `${service.description.broadcaster.aci}.1`,
      password: '',
    });
    await expect(connecting).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
  });

  test.each([
    'nobody',
    'nobody.1',
    '9d0652a3-dcc3-4d11-975f-74d61598733f',
    '9d0652a3-dcc3-4d11-975f-74d61598733f.128',
  ])('is not connected as %s', async (username) => {
    const connecting = ChatTransport.connect({
      net: netOf(service.description),
      username,
      password: '',
    });
    await expect(connecting).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'username',
    });
  });
});
