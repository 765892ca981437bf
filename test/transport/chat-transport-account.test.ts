import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AccountAttributes,
  type ChatTransport,
  type ConnectionSource,
  type PreKeyUpload,
  type ProfileUpload,
} from 'sealcast';
import { FakeService, type FakeRequest } from '../fakes/fake-service.js';
import { refusedField } from '../harness/refusals.js';
import {
  ACCESS_KEY,
  ACI,
  ATTRIBUTES,
  openTransport,
  PREKEYS,
  PROFILE,
} from '../harness/transports.js';

const PNI = 'PNI:796abedb-ca4e-4f18-8803-1fde5b921f9f';
const IDENTITY_KEY = new Uint8Array(33).fill(5);
const VERIFIER = new Uint8Array(32).fill(4);

let service: FakeService;
let transport: ChatTransport;
beforeAll(async () => {
  service = new FakeService();
  service.on('PUT', /./, () => ({ status: 200 }));
  transport = await openTransport(service);
});
afterAll(() => transport.close());

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function lastRequest(): FakeRequest {
  const [request] = service.requests.slice(-1);
  if (request === undefined) throw new Error('nothing was asked');
  return request;
}

/** What was asked, and by whom. */
function lastAsked(): object {
  const { verb, path, authenticated, headers } = lastRequest();
  return { verb, path, authenticated, headers: Object.fromEntries(headers) };
}

const asAccount = (verb: string, path: string): object => ({
  verb,
  path,
  authenticated: true,
  headers: verb === 'PUT' ? { 'content-type': 'application/json' } : {},
});

describe('a profile that a transport fetches', () => {
  const version = PROFILE.version;
  const answer = {
    identityKey: base64(IDENTITY_KEY),
    unidentifiedAccess: base64(VERIFIER),
    unrestrictedUnidentifiedAccess: false,
    name: 'AQID',
    about: 'BAUG',
    capabilities: { spqr: true },
    badges: [],
  };
  const profile = {
    status: 'ok',
    identityKey: IDENTITY_KEY,
    verifier: VERIFIER,
    unrestricted: false,
    name: Uint8Array.of(1, 2, 3),
  };
  const answerWith = (change: object): FakeService =>
    service.on('GET', /^\/v1\/profile\//, () => ({ status: 200, body: { ...answer, ...change } }));

  test('unauthenticated, with an access key, and as the account, without: the same', async () => {
    answerWith({});
    expect(
      await transport.fetchProfile({ serviceId: ACI, version, accessKey: ACCESS_KEY }),
    ).toEqual(profile);
    expect(lastAsked()).toEqual({
      verb: 'GET',
      path: `/v1/profile/${ACI}/${version}`,
      authenticated: false,
      headers: { 'unidentified-access-key': 'BwcHBwcHBwcHBwcHBwcHBw==' },
    });
    expect(await transport.fetchProfile({ serviceId: ACI, version, accessKey: null })).toEqual(
      profile,
    );
    expect(lastAsked()).toEqual(asAccount('GET', `/v1/profile/${ACI}/${version}`));
  });

  test('without a version: of an account, and of the one behind a phone number', async () => {
    for (const serviceId of [ACI, PNI]) {
      await transport.fetchProfile({ serviceId, accessKey: null });
      expect(lastAsked()).toEqual(asAccount('GET', `/v1/profile/${serviceId}`));
      await transport.fetchProfile({ serviceId, accessKey: ACCESS_KEY });
      expect(lastRequest()).toMatchObject({
        path: `/v1/profile/${serviceId}`,
        authenticated: false,
      });
    }
  });

  test.each<[string, object, object]>([
    ['unrestricted', { unrestrictedUnidentifiedAccess: true }, { unrestricted: true }],
    [
      'of whom nobody says whether it is unrestricted',
      { unrestrictedUnidentifiedAccess: null },
      {},
    ],
    ['base64 without padding', { identityKey: base64(IDENTITY_KEY).replace(/=+$/, '') }, {}],
    [
      'an unidentified access without padding',
      { unidentifiedAccess: base64(VERIFIER).replace(/=+$/, '') },
      {},
    ],
  ])('%s: is read', async (_what, change, expected) => {
    answerWith(change);
    const outcome = await transport.fetchProfile({ serviceId: ACI, version, accessKey: null });
    expect(outcome).toEqual({ ...profile, ...expected });
  });

  test.each([null, undefined, ''])(
    'with %o for a verifier and a name: has none',
    async (nothing) => {
      answerWith({ unidentifiedAccess: nothing, name: nothing });
      expect(await transport.fetchProfile({ serviceId: ACI, version, accessKey: null })).toEqual({
        status: 'ok',
        identityKey: IDENTITY_KEY,
        unrestricted: false,
      });
    },
  );

  test.each<[string, object]>([
    ['no identity key', { identityKey: null }],
    ['a short identity key', { identityKey: base64(IDENTITY_KEY.subarray(1)) }],
    ['a short verifier', { unidentifiedAccess: base64(VERIFIER.subarray(1)) }],
    ['a verifier of another type', { unidentifiedAccess: 7 }],
    ['a name that is no base64', { name: 'Ann Other' }],
    ['a flag of another type', { unrestrictedUnidentifiedAccess: 'false' }],
  ])('with %s: is malformed', async (_what, change) => {
    answerWith(change);
    for (const accessKey of [ACCESS_KEY, null]) {
      const outcome = await transport.fetchProfile({ serviceId: ACI, version, accessKey });
      expect(outcome).toMatchObject({
        status: 'rejected',
        httpStatus: 200,
        cause: { name: 'Malformed' },
      });
    }
  });
});

describe('prekeys of its own', () => {
  test('are counted', async () => {
    service.on('GET', /^\/v2\/keys\?/, () => ({ status: 200, body: { count: 99, pqCount: 0 } }));
    expect(await transport.countPreKeys()).toEqual({ status: 'ok', preKeys: 99, kyberPreKeys: 0 });
    expect(lastAsked()).toEqual(asAccount('GET', '/v2/keys?identity=aci'));
  });

  test('are uploaded, all of them', async () => {
    expect(await transport.uploadPreKeys(PREKEYS)).toEqual({ status: 'ok' });
    expect(lastAsked()).toEqual(asAccount('PUT', '/v2/keys?identity=aci'));
    const [first, last] = PREKEYS.preKeys;
    const signed = ({
      id,
      publicKey,
      signature,
    }: NonNullable<PreKeyUpload['signedPreKey']>): object => ({
      keyId: id,
      publicKey: base64(publicKey),
      signature: base64(signature),
    });
    expect(lastRequest().json()).toEqual({
      preKeys: [
        { keyId: 1, publicKey: base64(first.publicKey) },
        { keyId: 0xffffff, publicKey: base64(last.publicKey) },
      ],
      signedPreKey: signed(PREKEYS.signedPreKey),
      pqPreKeys: PREKEYS.kyberPreKeys.map(signed),
      pqLastResortPreKey: signed(PREKEYS.lastResortKyberPreKey),
    });
  });

  test('are left as they are where none are given', async () => {
    await transport.uploadPreKeys({});
    expect(lastRequest().json()).toEqual({ preKeys: [], pqPreKeys: [] });
  });

  test('are uploaded a hundred of a kind', async () => {
    const preKeys = Array.from({ length: 100 }, () => PREKEYS.preKeys[0]);
    expect(await transport.uploadPreKeys({ preKeys })).toEqual({ status: 'ok' });
    expect((lastRequest().json() as { preKeys: unknown[] }).preKeys).toHaveLength(100);
  });

  test('are the part of the buffer that a view shows, and nothing beyond', async () => {
    const buffer = new Uint8Array(40).fill(5);
    await transport.uploadPreKeys({ preKeys: [{ id: 1, publicKey: buffer.subarray(3, 36) }] });
    expect(lastRequest().json()).toMatchObject({
      preKeys: [{ publicKey: base64(buffer.subarray(3, 36)) }],
    });
  });

  const [preKey] = PREKEYS.preKeys;
  const { signedPreKey, lastResortKyberPreKey } = PREKEYS;
  const [kyberPreKey] = PREKEYS.kyberPreKeys;
  test.each<[string, unknown, object]>([
    ['nothing', undefined, refusedField('upload')],
    ['a list', [], refusedField('upload')],
    ['no list', { preKeys: 'all' }, refusedField('preKeys')],
    ['no list of Kyber keys', { kyberPreKeys: null }, refusedField('kyberPreKeys')],
    [
      '101 of a kind',
      { preKeys: Array.from({ length: 101 }, () => preKey) },
      refusedField('preKeys'),
    ],
    [
      '101 of the other kind',
      { kyberPreKeys: Array.from({ length: 101 }, () => kyberPreKey) },
      refusedField('kyberPreKeys'),
    ],
    ['no prekey', { preKeys: [preKey, null] }, { ...refusedField('preKeys'), index: 1 }],
    [
      'id 0',
      { preKeys: [preKey, { ...preKey, id: 0 }] },
      { ...refusedField('preKeys.id'), index: 1 },
    ],
    [
      'id 2^24',
      { preKeys: [{ ...preKey, id: 2 ** 24 }] },
      { ...refusedField('preKeys.id'), index: 0 },
    ],
    ['half an id', { signedPreKey: { ...signedPreKey, id: 0.5 } }, refusedField('signedPreKey.id')],
    [
      'text',
      { preKeys: [{ ...preKey, publicKey: 'BQ==' }] },
      { ...refusedField('preKeys.publicKey'), index: 0 },
    ],
    [
      'a key without its type',
      { preKeys: [{ ...preKey, publicKey: preKey.publicKey.subarray(1) }] },
      { ...refusedField('preKeys.publicKey'), index: 0 },
    ],
    [
      'a key of no type',
      { signedPreKey: { ...signedPreKey, publicKey: new Uint8Array(33) } },
      refusedField('signedPreKey.publicKey'),
    ],
    [
      'a Kyber key of another kind',
      {
        kyberPreKeys: [{ ...kyberPreKey, publicKey: kyberPreKey.publicKey.slice().fill(7, 0, 1) }],
      },
      { ...refusedField('kyberPreKeys.publicKey'), index: 0 },
    ],
    [
      'a curve key for a Kyber key',
      { lastResortKyberPreKey: signedPreKey },
      refusedField('lastResortKyberPreKey.publicKey'),
    ],
    ['no signature', { signedPreKey: preKey }, refusedField('signedPreKey.signature')],
    [
      'a short signature',
      { lastResortKyberPreKey: { ...lastResortKyberPreKey, signature: new Uint8Array(63) } },
      refusedField('lastResortKyberPreKey.signature'),
    ],
    [
      'a long signature',
      { kyberPreKeys: [{ ...kyberPreKey, signature: new Uint8Array(65) }] },
      { ...refusedField('kyberPreKeys.signature'), index: 0 },
    ],
  ])('are not uploaded: %s', async (_what, upload, facts) => {
    const requests = service.requests.length;
    await expect(transport.uploadPreKeys(upload as PreKeyUpload)).rejects.toMatchObject(facts);
    expect(service.requests).toHaveLength(requests);
  });
});

describe('the account’s attributes', () => {
  test('are set, all of them', async () => {
    expect(await transport.setAccountAttributes(ATTRIBUTES)).toEqual({ status: 'ok' });
    expect(lastAsked()).toEqual(asAccount('PUT', '/v1/accounts/attributes/'));
    expect(lastRequest().json()).toEqual({
      fetchesMessages: true,
      registrationId: 1,
      pniRegistrationId: 0x3fff,
      name: 'AQIDBA==',
      registrationLock: '0f'.repeat(32),
      unidentifiedAccessKey: 'BwcHBwcHBwcHBwcHBwcHBw==',
      unrestrictedUnidentifiedAccess: false,
      discoverableByPhoneNumber: true,
      capabilities: { storage: false, spqr: true },
      recoveryPassword: base64(new Uint8Array(32).fill(2)),
    });
  });

  test('that there are none of are cleared, and flags are what they are', async () => {
    await transport.setAccountAttributes({
      ...ATTRIBUTES,
      fetchesMessages: false,
      unrestrictedAccess: true,
      discoverableByPhoneNumber: false,
      encryptedDeviceName: null,
      registrationLock: null,
      recoveryPassword: null,
      capabilities: {},
    });
    expect(lastRequest().json()).toMatchObject({
      fetchesMessages: false,
      unrestrictedUnidentifiedAccess: true,
      // Others take an account without a verifier for one that takes nothing sealed.
      unidentifiedAccessKey: 'BwcHBwcHBwcHBwcHBwcHBw==',
      discoverableByPhoneNumber: false,
      name: null,
      registrationLock: null,
      recoveryPassword: null,
      capabilities: {},
    });
  });

  test.each<[keyof AccountAttributes, readonly unknown[]]>([
    ['fetchesMessages', [undefined, 1]],
    ['unrestrictedAccess', [undefined, null]],
    ['discoverableByPhoneNumber', [undefined, 'yes']],
    ['registrationId', [undefined, 0, 0x4000, 0.5, '1']],
    ['pniRegistrationId', [undefined, 0, 0x4000]],
    ['encryptedDeviceName', [undefined, 'name', new Uint8Array(0), new Uint8Array(226)]],
    [
      'registrationLock',
      [undefined, '', '0f'.repeat(31), '0F'.repeat(32), 'xy'.repeat(32), new Uint8Array(32)],
    ],
    [
      'accessKey',
      [undefined, null, new Uint8Array(15), new Uint8Array(17), 'BwcHBwcHBwcHBwcHBwcHBw=='],
    ],
    ['capabilities', [undefined, null, [], { spqr: 1 }, 'spqr']],
    ['recoveryPassword', [undefined, new Uint8Array(31), new Uint8Array(0)]],
  ])('are not set with a wrong %s', async (field, values) => {
    const requests = service.requests.length;
    for (const value of values) {
      const attributes = { ...ATTRIBUTES, [field]: value };
      await expect(transport.setAccountAttributes(attributes)).rejects.toMatchObject(
        refusedField(field),
      );
    }
    expect(service.requests).toHaveLength(requests);
  });

  test('are not set where there are none', async () => {
    for (const nothing of [undefined, null, 'all']) {
      const refused = transport.setAccountAttributes(nothing as unknown as AccountAttributes);
      await expect(refused).rejects.toMatchObject(refusedField('attributes'));
    }
  });

  test('may have the longest device name there is', async () => {
    const encryptedDeviceName = new Uint8Array(225);
    expect(await transport.setAccountAttributes({ ...ATTRIBUTES, encryptedDeviceName })).toEqual({
      status: 'ok',
    });
  });
});

describe('the account’s own profile', () => {
  const optional = {
    about: new Uint8Array(156).fill(3),
    aboutEmoji: new Uint8Array(60).fill(4),
    paymentAddress: new Uint8Array(582).fill(5),
    phoneNumberSharing: new Uint8Array(29).fill(6),
  };

  test('is set, and its avatar stays', async () => {
    expect(await transport.setProfile({ ...PROFILE, ...optional })).toEqual({ status: 'ok' });
    expect(lastAsked()).toEqual(asAccount('PUT', '/v1/profile'));
    expect(lastRequest().json()).toEqual({
      version: PROFILE.version,
      commitment: base64(PROFILE.commitment),
      name: base64(PROFILE.name),
      about: base64(optional.about),
      aboutEmoji: base64(optional.aboutEmoji),
      paymentAddress: base64(optional.paymentAddress),
      phoneNumberSharing: base64(optional.phoneNumberSharing),
      avatar: true,
      sameAvatar: true,
      badgeIds: ['donor'],
    });
  });

  const empty = new Uint8Array(0);
  test.each<[string, Partial<ProfileUpload>]>([
    ['left out', {}],
    [
      'empty',
      { about: empty, aboutEmoji: empty, paymentAddress: empty, phoneNumberSharing: empty },
    ],
  ])('has nothing where something is %s', async (_what, change) => {
    await transport.setProfile({ ...PROFILE, ...change });
    const nothing = {
      about: null,
      aboutEmoji: null,
      paymentAddress: null,
      phoneNumberSharing: null,
    };
    expect(lastRequest().json()).toMatchObject(nothing);
  });

  test.each<[keyof ProfileUpload, readonly number[]]>([
    ['name', [81, 285]],
    ['about', [156, 282, 540]],
  ])('has a %s of any of the lengths that it is padded to', async (field, lengths) => {
    for (const length of lengths) {
      expect(await transport.setProfile({ ...PROFILE, [field]: new Uint8Array(length) })).toEqual({
        status: 'ok',
      });
    }
  });

  test.each<[keyof ProfileUpload, readonly unknown[]]>([
    ['version', [undefined, '', 'A1'.repeat(32), 'a1'.repeat(31), new Uint8Array(32)]],
    ['commitment', [undefined, new Uint8Array(96), new Uint8Array(98)]],
    ['name', [undefined, empty, new Uint8Array(80), 'name']],
    ['about', [null, new Uint8Array(155), 'about']],
    ['aboutEmoji', [null, new Uint8Array(61)]],
    ['paymentAddress', [new Uint8Array(581)]],
    ['phoneNumberSharing', [new Uint8Array(1)]],
    ['badgeIds', [undefined, 'donor', [7]]],
  ])('is not set with a wrong %s', async (field, values) => {
    const requests = service.requests.length;
    for (const value of values) {
      const profile = { ...PROFILE, [field]: value };
      await expect(transport.setProfile(profile)).rejects.toMatchObject(refusedField(field));
    }
    expect(service.requests).toHaveLength(requests);
  });

  test('is not set where there is none', async () => {
    const refused = transport.setProfile(null as unknown as ProfileUpload);
    await expect(refused).rejects.toMatchObject(refusedField('profile'));
  });
});

describe('a profile that is not asked for', () => {
  const version = PROFILE.version;
  test.each<[string, object, string]>([
    ['of no service id', { serviceId: '+15550100', accessKey: null }, 'serviceId'],
    ['of a phone number, in a version', { serviceId: PNI, version, accessKey: null }, 'serviceId'],
    ['in capitals', { serviceId: ACI, version: version.toUpperCase(), accessKey: null }, 'version'],
    [
      'in a version that would be another path',
      { serviceId: ACI, version: '../x', accessKey: ACCESS_KEY },
      'version',
    ],
    ['with a short key', { serviceId: ACI, accessKey: ACCESS_KEY.subarray(1) }, 'accessKey'],
    ['by nobody in particular', { serviceId: ACI }, 'accessKey'],
  ])('%s', async (_what, request, field) => {
    const requests = service.requests.length;
    await expect(transport.fetchProfile(request as never)).rejects.toMatchObject(
      refusedField(field),
    );
    expect(service.requests).toHaveLength(requests);
  });
});

describe('a transport of a linked device', () => {
  test('refuses attributes and profile before any request', async () => {
    const source: ConnectionSource = {
      deviceId: 2,
      connectAuthenticated: (listener) => service.connectAuthenticated(listener),
      connectUnauthenticated: (listener) => service.connectUnauthenticated(listener),
    };
    const requests = service.requests.length;
    await using linked = await openTransport(source);
    const refused = { code: 'ERR_NOT_PRIMARY' };
    await expect(linked.setAccountAttributes(ATTRIBUTES)).rejects.toMatchObject(refused);
    await expect(linked.setProfile(PROFILE)).rejects.toMatchObject(refused);
    expect(service.requests).toHaveLength(requests);
  });
});

describe('requests of this device', () => {
  test('set its capabilities', async () => {
    const capabilities = { spqr: true, storage: false };
    expect(await transport.setCapabilities(capabilities)).toEqual({ status: 'ok' });
    expect(lastAsked()).toEqual(asAccount('PUT', '/v1/devices/capabilities'));
    expect(lastRequest().json()).toEqual(capabilities);
  });

  test('answer a challenge, and a wrong captcha is a challenge again', async () => {
    const answer = { token: 'token', captcha: 'solved' };
    expect(await transport.answerChallenge(answer)).toEqual({ status: 'ok' });
    expect(lastAsked()).toEqual(asAccount('PUT', '/v1/challenge'));
    expect(lastRequest().json()).toEqual({ type: 'captcha', ...answer });
    const other = new FakeService().on('PUT', /./, () => ({ status: 428, body: {} }));
    await using refused = await openTransport(other);
    expect(await refused.answerChallenge(answer)).toMatchObject({ status: 'challenge' });
  });

  test('list the devices of the account', async () => {
    service.on('GET', /^\/v1\/devices$/, () => ({
      status: 200,
      body: {
        devices: [
          { id: 1, name: null, lastSeen: 86_400_000, registrationId: 77 },
          { id: 2, name: 'AQID', lastSeen: 0, createdAtCiphertext: 'AQ==' },
        ],
      },
    }));
    expect(await transport.fetchDevices()).toEqual({
      status: 'ok',
      devices: [
        { deviceId: 1, lastSeenMs: 86_400_000, registrationId: 77 },
        { deviceId: 2, lastSeenMs: 0, encryptedName: Uint8Array.of(1, 2, 3) },
      ],
    });
    expect(lastAsked()).toEqual(asAccount('GET', '/v1/devices'));
    service.on('GET', /^\/v1\/devices$/, () => ({ status: 200, body: { devices: [{}] } }));
    expect(await transport.fetchDevices()).toMatchObject({ status: 'rejected', httpStatus: 200 });
  });

  test('remove a device', async () => {
    service.on('DELETE', /^\/v1\/devices\/3$/, () => ({ status: 204 }));
    expect(await transport.removeDevice(3)).toEqual({ status: 'ok' });
    expect(lastAsked()).toMatchObject({
      verb: 'DELETE',
      path: '/v1/devices/3',
      authenticated: true,
    });
  });

  test.each([
    ['capabilities', () => transport.setCapabilities({ spqr: 1 as never })],
    ['token', () => transport.answerChallenge({ token: '', captcha: 'x' })],
    ['captcha', () => transport.answerChallenge({ token: 'x', captcha: '' })],
    ['deviceId', () => transport.removeDevice(0)],
    ['deviceId', () => transport.removeDevice('all' as never)],
  ])('are not sent with a malformed argument: %s', async (field, ask) => {
    const requests = service.requests.length;
    await expect(ask()).rejects.toMatchObject(refusedField(field));
    expect(service.requests).toHaveLength(requests);
  });
});
