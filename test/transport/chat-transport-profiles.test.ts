import { describe, expect, test } from 'vitest';
import type { ProfileUpload } from 'sealcast';
import type { FakeService } from '../fakes/fake-service.js';
import { refusedField } from '../harness/refusals.js';
import { ACCESS_KEY, ACI, PROFILE } from '../harness/transports.js';
import {
  PNI,
  IDENTITY_KEY,
  VERIFIER,
  service,
  transport,
  base64,
  lastRequest,
  lastAsked,
  asAccount,
  useAccountTransport,
} from './account-transport.js';

useAccountTransport();

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
