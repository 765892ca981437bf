import { ServiceId } from '@signalapp/libsignal-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ChatTransport, type PreKeysOutcome, type SealcastErrorCode } from 'sealcast';
import { FakeService, type FakeRequest } from '../fakes/fake-service.js';
import {
  ACCESS_KEY,
  ACI,
  openTransport,
  preKeysAnswer,
  SEALED,
  UNSEALED,
} from '../harness/transports.js';

const PNI = 'PNI:796abedb-ca4e-4f18-8803-1fde5b921f9f';
const BASE64_ACCESS_KEY = 'BwcHBwcHBwcHBwcHBwcHBw==';

let service: FakeService;
let transport: ChatTransport;
beforeAll(async () => {
  service = new FakeService();
  service.on('PUT', /./, () => ({ status: 200, body: {} }));
  transport = await openTransport(service);
});
afterAll(() => transport.close());

function lastRequest(): FakeRequest {
  const [request] = service.requests.slice(-1);
  if (request === undefined) throw new Error('nothing was asked');
  return request;
}

describe('a message that a transport sends', () => {
  test('sealed: arrives as it was given, with the access key, and not as the account', async () => {
    expect(await transport.sendSealed(SEALED)).toEqual({ status: 'sent' });
    const { verb, path, authenticated, headers, json } = lastRequest();
    expect({ verb, path, authenticated }).toEqual({
      verb: 'PUT',
      path: `/v1/messages/${ACI}`,
      authenticated: false,
    });
    expect(new Map(headers)).toEqual(
      new Map([
        ['content-type', 'application/json'],
        ['unidentified-access-key', BASE64_ACCESS_KEY],
      ]),
    );
    expect(json()).toEqual({
      messages: [
        { type: 6, destinationDeviceId: 1, destinationRegistrationId: 77, content: 'EQECAw==' },
        { type: 6, destinationDeviceId: 3, destinationRegistrationId: 16_380, content: 'Ef8=' },
      ],
      timestamp: 1_700_000_000_123,
      online: false,
      urgent: true,
    });
  });

  test('unsealed: arrives as it was given, with the kind of each ciphertext, as the account', async () => {
    expect(await transport.sendUnsealed(UNSEALED)).toEqual({ status: 'sent' });
    const { verb, path, authenticated, headers, json } = lastRequest();
    expect({ verb, path, authenticated }).toEqual({
      verb: 'PUT',
      path: `/v1/messages/${ACI}`,
      authenticated: true,
    });
    expect(new Map(headers)).toEqual(new Map([['content-type', 'application/json']]));
    expect(json()).toEqual({
      messages: [
        { type: 1, destinationDeviceId: 1, destinationRegistrationId: 77, content: 'RAk=' },
        { type: 3, destinationDeviceId: 3, destinationRegistrationId: 78, content: 'RAg=' },
      ],
      timestamp: 1_700_000_000_123,
      online: false,
      urgent: true,
    });
  });

  test('unsealed and no secret: is of the kind that says so', async () => {
    const messages = [{ ...UNSEALED.messages[0]!, type: 'plaintext' as const }];
    expect(await transport.sendUnsealed({ ...UNSEALED, messages })).toEqual({ status: 'sent' });
    expect(lastRequest().json()).toMatchObject({ messages: [{ type: 8, content: 'RAk=' }] });
  });

  test.each([true, false])('is online and urgent, or not, as it was given (%s)', async (flag) => {
    await transport.sendSealed({ ...SEALED, online: flag, urgent: !flag });
    expect(lastRequest().json()).toMatchObject({ online: flag, urgent: !flag });
    await transport.sendUnsealed({ ...UNSEALED, online: flag, urgent: !flag });
    expect(lastRequest().json()).toMatchObject({ online: flag, urgent: !flag });
  });

  test('sends the part of the buffer that a view shows, and nothing beyond', async () => {
    const content = Uint8Array.of(1, 2, 3, 4).subarray(1, 3);
    await transport.sendSealed({ ...SEALED, messages: [{ ...SEALED.messages[0]!, content }] });
    expect(lastRequest().json()).toMatchObject({ messages: [{ content: 'AgM=' }] });
    await transport.sendUnsealed({
      ...UNSEALED,
      messages: [{ ...UNSEALED.messages[0]!, content }],
    });
    expect(lastRequest().json()).toMatchObject({ messages: [{ content: 'AgM=' }] });
  });
});

describe('prekeys that a transport fetches', () => {
  function expectBundles(
    outcome: PreKeysOutcome,
    { identityKey, oneTimeKey }: ReturnType<typeof preKeysAnswer>,
  ): void {
    if (outcome.status !== 'ok') throw new Error(`not ok: ${outcome.status}`);
    expect(outcome.identityKey).toEqual(identityKey);
    const [first, second] = outcome.bundles;
    expect(outcome.bundles).toHaveLength(2);
    expect(first).toMatchObject({
      deviceId: 1,
      registrationId: 101,
      signedPreKeyId: 11,
      kyberPreKeyId: 21,
    });
    expect(first).toMatchObject({ preKeyId: 31, preKeyPublic: oneTimeKey });
    expect(second).toMatchObject({
      deviceId: 2,
      registrationId: 102,
      signedPreKeyId: 12,
      kyberPreKeyId: 22,
    });
    expect(second).not.toHaveProperty('preKeyId');
    expect(second).not.toHaveProperty('preKeyPublic');
    for (const bundle of outcome.bundles) {
      expect(bundle.signedPreKeyPublic).toHaveLength(33);
      expect(bundle.signedPreKeySignature).toHaveLength(64);
      expect(bundle.kyberPreKeyPublic).toHaveLength(1_569);
      expect(bundle.kyberPreKeySignature).toHaveLength(64);
    }
  }

  test('unauthenticated, with an access key, and as the account, without: the same bundles', async () => {
    const answer = preKeysAnswer();
    service.on('GET', /^\/v2\/keys\//, () => answer.response);
    const asNobody = await transport.fetchPreKeys({
      destination: ACI,
      device: 'all',
      accessKey: ACCESS_KEY,
    });
    expectBundles(asNobody, answer);
    expect(lastRequest()).toMatchObject({ path: `/v2/keys/${ACI}/*`, authenticated: false });
    expect(lastRequest().headers.get('unidentified-access-key')).toBe(BASE64_ACCESS_KEY);

    const asAccount = await transport.fetchPreKeys({
      destination: ACI,
      device: 'all',
      accessKey: null,
    });
    expectBundles(asAccount, answer);
    expect(lastRequest()).toMatchObject({ path: `/v2/keys/${ACI}/*`, authenticated: true });
    expect(lastRequest().headers.size).toBe(0);
    expect(asAccount).toEqual(asNobody);
  });

  test.each([ACCESS_KEY, null])(
    'of one device, and of the account behind a phone number',
    async (accessKey) => {
      await transport.fetchPreKeys({ destination: PNI, device: 127, accessKey });
      expect(lastRequest().path).toBe(`/v2/keys/${PNI}/127`);
    },
  );
});

describe('a question of a transport about an account', () => {
  test('whether there is one, unauthenticated', async () => {
    service.on('HEAD', /^\/v1\/accounts\/account\//, () => ({ status: 200 }));
    expect(await transport.accountExists(ACI)).toEqual({ status: 'ok', exists: true });
    const { path, authenticated, headers } = lastRequest();
    expect({ path, authenticated, headers: headers.size }).toEqual({
      path: `/v1/accounts/account/${ACI}`,
      authenticated: false,
      headers: 0,
    });
  });

  test.each([true, false])(
    'its own certificate, with its phone number or without (%s)',
    async (includePhoneNumber) => {
      service.on('GET', /^\/v1\/certificate\//, () => ({
        status: 200,
        body: { certificate: 'AQID' },
      }));
      const certificate = Uint8Array.of(1, 2, 3);
      expect(await transport.fetchSenderCertificate({ includePhoneNumber })).toEqual({
        status: 'ok',
        certificate,
      });
      expect(lastRequest()).toMatchObject({
        path: `/v1/certificate/delivery?includeE164=${includePhoneNumber}`,
        authenticated: true,
      });
    },
  );
});

describe('arguments of a wrong form', () => {
  const [message] = SEALED.messages;
  const refused = {
    name: 'SealcastError',
    code: 'ERR_INVALID_ARGUMENT' satisfies SealcastErrorCode,
  };

  test.each<[string, Partial<typeof SEALED>, object]>([
    ['no service id', { destination: '+15550100' }, { field: 'destination' }],
    ['no message', { messages: [] }, { field: 'messages' }],
    [
      'device 0',
      { messages: [message!, { ...message!, deviceId: 0 }] },
      { field: 'deviceId', index: 1 },
    ],
    ['device 128', { messages: [{ ...message!, deviceId: 128 }] }, { field: 'deviceId', index: 0 }],
    [
      'half a registration id',
      { messages: [{ ...message!, registrationId: 0.5 }] },
      { field: 'registrationId' },
    ],
    [
      'text',
      { messages: [{ ...message!, content: 'text' as never }] },
      { field: 'content', index: 0 },
    ],
    ['a time before time', { timestamp: -1 }, { field: 'timestamp' }],
    ['nothing at all', { messages: [null as never] }, { field: 'deviceId', index: 0 }],
    ['maybe online', { online: 'maybe' as never }, { field: 'online' }],
    ['no urgency', { urgent: undefined as never }, { field: 'urgent' }],
    ['a Date', { timestamp: new Date() as never }, { field: 'timestamp' }],
  ])('of a message: %s', async (_what, change, facts) => {
    const requests = service.requests.length;
    await expect(transport.sendSealed({ ...SEALED, ...change })).rejects.toMatchObject({
      ...refused,
      ...facts,
    });
    const unsealed = { ...UNSEALED, ...change } as typeof UNSEALED;
    await expect(transport.sendUnsealed(unsealed)).rejects.toMatchObject({ ...refused, ...facts });
    expect(service.requests).toHaveLength(requests);
  });

  test('of the rest: access keys, devices, service ids, options', async () => {
    const short = { ...SEALED, accessKey: new Uint8Array(15) };
    await expect(transport.sendSealed(short)).rejects.toMatchObject({
      ...refused,
      field: 'accessKey',
    });
    const kind = {
      ...UNSEALED,
      messages: [UNSEALED.messages[0]!, { ...UNSEALED.messages[1]!, type: 'sealed' as never }],
    };
    await expect(transport.sendUnsealed(kind)).rejects.toMatchObject({
      ...refused,
      field: 'type',
      index: 1,
    });
    const device = { destination: ACI, device: 0, accessKey: null };
    await expect(transport.fetchPreKeys(device)).rejects.toMatchObject({
      ...refused,
      field: 'device',
    });
    await expect(transport.accountExists('nobody')).rejects.toMatchObject({
      ...refused,
      field: 'serviceId',
    });
    for (const options of [{ unauthenticatedConnections: 0 }, { requestTimeoutMs: Number.NaN }]) {
      await expect(openTransport(service, options)).rejects.toMatchObject(refused);
    }
  });

  test('a service id in capitals is one, written as the service writes it', async () => {
    await transport.sendUnsealed({ ...UNSEALED, destination: ACI.toUpperCase() });
    expect(lastRequest().path).toBe(
      `/v1/messages/${ServiceId.parseFromServiceIdString(ACI).getServiceIdString()}`,
    );
  });
});
