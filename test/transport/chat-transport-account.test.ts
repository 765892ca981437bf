import { describe, expect, test } from 'vitest';
import type { AccountAttributes, ConnectionSource, PreKeyUpload } from 'sealcast';
import { FakeService } from '../fakes/fake-service.js';
import { refusedField } from '../harness/refusals.js';
import { ATTRIBUTES, openTransport, PREKEYS, PROFILE } from '../harness/transports.js';
import {
  service,
  transport,
  base64,
  lastRequest,
  lastAsked,
  asAccount,
  useAccountTransport,
} from './account-transport.js';

useAccountTransport();

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
