import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ChatTransport, type Refusal } from 'sealcast';
import { DEFAULT_RETRY_AFTER_MS } from '#dist/src/transport/mapping/http.js';
import { FakeService, type FakeResponse } from '../fakes/fake-service.js';
import { ASK, ASK_NAMES, openTransport, RAW, TYPED, type AskName } from '../harness/transports.js';

const SENDS: readonly AskName[] = ['sendSealed', 'sendUnsealed'];
/** An answer that all who ask for a profile or for counts could take. */
const COUNTED_AND_KEY = {
  count: 1,
  pqCount: 2,
  identityKey: Buffer.alloc(33, 5).toString('base64'),
};

let service: FakeService;
let transport: ChatTransport;
let answer: FakeResponse;
beforeAll(async () => {
  service = new FakeService();
  service
    .on('PUT', /./, () => answer)
    .on('GET', /./, () => answer)
    .on('HEAD', /./, () => answer)
    .on('DELETE', /./, () => answer);
  transport = await openTransport(service);
});
afterAll(() => transport.close());
afterEach(() => expect(service.open).toHaveLength(2));

/** What each of the methods answers when the service answers so. */
async function outcomes(
  names: readonly AskName[],
  response: FakeResponse,
): Promise<Partial<Record<AskName, unknown>>> {
  answer = response;
  const entries: [AskName, unknown][] = [];
  for (const name of names) {
    const { cause, ...outcome } = (await ASK[name](transport)) as { cause?: unknown };
    expect(cause === undefined || cause instanceof Error).toBe(true);
    entries.push([name, outcome]);
  }
  return Object.fromEntries(entries);
}

function all(names: readonly AskName[], refusal: Refusal): Partial<Record<AskName, Refusal>> {
  return Object.fromEntries(names.map((name) => [name, refusal]));
}

const without = (...names: readonly AskName[]): readonly AskName[] =>
  ASK_NAMES.filter((name) => !names.includes(name));

describe('the answer of a transport when the service answers', () => {
  test.each<[number, Refusal]>([
    [302, { status: 'rejected', httpStatus: 302 }],
    [400, { status: 'rejected', httpStatus: 400 }],
    [401, { status: 'unauthorized' }],
    [403, { status: 'unauthorized' }],
    [413, { status: 'too-large' }],
    [422, { status: 'rejected', httpStatus: 422 }],
    [429, { status: 'rate-limited', retryAfterMs: DEFAULT_RETRY_AFTER_MS }],
    [500, { status: 'unavailable', httpStatus: 500 }],
  ])('%i: the same whatever was asked', async (status, refusal) => {
    expect(await outcomes(ASK_NAMES, { status })).toEqual(all(ASK_NAMES, refusal));
  });

  test('503: libsignal says of its own requests only that it was a 5xx', async () => {
    expect(await outcomes(RAW, { status: 503 })).toEqual(
      all(RAW, { status: 'unavailable', httpStatus: 503 }),
    );
    expect(await outcomes(TYPED, { status: 503 })).toEqual(
      all(TYPED, { status: 'unavailable', httpStatus: 500 }),
    );
  });

  test('508: a loop in the service, which asking again would add to; libsignal tells it from no other 5xx', async () => {
    expect(await outcomes(RAW, { status: 508 })).toEqual(
      all(RAW, { status: 'rejected', httpStatus: 508 }),
    );
    expect(await outcomes(TYPED, { status: 508 })).toEqual(
      all(TYPED, { status: 'unavailable', httpStatus: 500 }),
    );
  });

  test.each(ASK_NAMES)('499 to %s: this client is too old, whatever is asked', async (name) => {
    const answer = outcomes([name], { status: 499 });
    await expect(answer).rejects.toMatchObject({
      code: 'ERR_TRANSPORT_REFUSED',
      reason: 'expired',
      cause: { message: /499/ },
    });
  });

  test('404: not found, which is an answer to whether an account exists', async () => {
    expect(await outcomes(ASK_NAMES, { status: 404 })).toEqual({
      ...all(without('accountExists'), { status: 'not-found' }),
      accountExists: { status: 'ok', exists: false },
    });
  });

  test('409: which devices are missing and which are too many, to a message', async () => {
    const response = { status: 409, body: { missingDevices: [2, 3], extraDevices: [4] } };
    expect(await outcomes(SENDS, response)).toEqual(
      all(SENDS, { status: 'mismatched-devices', missing: [2, 3], extra: [4], stale: [] }),
    );
  });

  test('410: which devices have other registration ids, to a message', async () => {
    expect(await outcomes(SENDS, { status: 410, body: { staleDevices: [5] } })).toEqual(
      all(SENDS, { status: 'mismatched-devices', missing: [], extra: [], stale: [5] }),
    );
  });

  test.each([409, 410])(
    '%i with a body that says nothing: no exception, and no empty lists',
    async (status) => {
      const empty = { missingDevices: [], extraDevices: [], staleDevices: [] };
      for (const body of [
        undefined,
        'no object',
        empty,
        { missingDevices: 'all' },
        Uint8Array.of(123),
      ]) {
        expect(await outcomes(SENDS, { status, body })).toEqual({
          sendUnsealed: { status: 'rejected', httpStatus: status },
          // libsignal does not say of which answer it could not read the body.
          sendSealed: { status: 'unavailable' },
        });
      }
    },
  );

  test('428: what it takes to go on, to an unsealed message', async () => {
    const body = { token: 'a token', options: ['captcha', 'pushChallenge'] };
    expect(await outcomes(SENDS, { status: 428, body, headers: { 'retry-after': '9' } })).toEqual({
      sendUnsealed: {
        status: 'challenge',
        token: 'a token',
        options: ['captcha', 'pushChallenge'],
        retryAfterMs: 9_000,
      },
      // The service does not challenge who does not say who they are; libsignal does not pass on a
      // token to them.
      sendSealed: { status: 'challenge', token: '', options: [] },
    });
  });

  test('429 with Retry-After: when to come back', async () => {
    expect(await outcomes(ASK_NAMES, { status: 429, headers: { 'retry-after': '7' } })).toEqual(
      all(ASK_NAMES, { status: 'rate-limited', retryAfterMs: 7_000 }),
    );
  });

  test('429 with a date for Retry-After: when to come back, where the answer is ours to read', async () => {
    const inThePast = { status: 429, headers: { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' } };
    expect(await outcomes(RAW, inThePast)).toEqual(
      all(RAW, { status: 'rate-limited', retryAfterMs: 0 }),
    );
    expect(await outcomes(TYPED, inThePast)).toEqual(
      all(TYPED, { status: 'rate-limited', retryAfterMs: DEFAULT_RETRY_AFTER_MS }),
    );
  });

  test('503 with Retry-After: when to come back, where the answer is ours to read', async () => {
    expect(await outcomes(RAW, { status: 503, headers: { 'retry-after': '7' } })).toEqual(
      all(RAW, { status: 'unavailable', httpStatus: 503, retryAfterMs: 7_000 }),
    );
  });

  test.each([
    ['no body', undefined],
    ['text', Buffer.from('certainly')],
    ['a certificate that is no text', { certificate: 7, identityKey: 7, devices: 7 }],
    ['nothing in a certificate', { certificate: '', identityKey: '', devices: [] }],
    ['null', null],
    ['devices that are none', { certificate: '%', identityKey: 'BQ==', devices: [null] }],
    [
      'a device without keys',
      { certificate: '=', identityKey: 'BQ==', devices: [{ deviceId: 1, registrationId: 1 }] },
    ],
  ])(
    '200 with %s where there should be a certificate or prekeys: no exception',
    async (_what, body) => {
      const names = ['fetchSenderCertificate', 'fetchPreKeysAsAccount'] as const;
      expect(await outcomes(names, { status: 200, body })).toEqual(
        all(names, { status: 'rejected', httpStatus: 200 }),
      );
      const { fetchPreKeys } = await outcomes(['fetchPreKeys'], { status: 200, body });
      expect(fetchPreKeys).toEqual({ status: 'unavailable' });
    },
  );

  test.each<[string, unknown]>([
    ['no body', undefined],
    ['text', Buffer.from('certainly')],
    ['null', null],
    ['a list', []],
    ['nothing', {}],
    ['other types', { identityKey: 7, count: '1', pqCount: [2] }],
    ['halves', { count: 1.5, pqCount: 0.5, identityKey: 'BQ==' }],
    ['less than nothing', { count: -1, pqCount: -1, identityKey: '' }],
    [
      'a body beyond all measure',
      Buffer.from(`${JSON.stringify(COUNTED_AND_KEY)}${' '.repeat(1_024 * 1_024)}`),
    ],
  ])('200 with %s where there should be a profile or counts: no exception', async (_what, body) => {
    const names = ['fetchProfile', 'fetchProfileAsAccount', 'countPreKeys'] as const;
    expect(await outcomes(names, { status: 200, body })).toEqual(
      all(names, { status: 'rejected', httpStatus: 200 }),
    );
  });

  test.each<[string, unknown]>([
    ['no body', undefined],
    ['text', Buffer.from('certainly')],
    ['a body beyond all measure', Buffer.alloc(1_024 * 1_024, ' ')],
  ])('2xx with %s to what is set: it is set', async (_what, body) => {
    const names = ['uploadPreKeys', 'setAccountAttributes', 'setProfile'] as const;
    const done = Object.fromEntries(names.map((name) => [name, { status: 'ok' }]));
    expect(await outcomes(names, { status: 200, body })).toEqual(done);
    expect(await outcomes(names, { status: 204 })).toEqual(done);
  });

  test('200 to a sealed message, with a body that is no JSON: it is unknown whether it was sent', async () => {
    expect(await outcomes(['sendSealed'], { status: 200 })).toEqual({
      sendSealed: { status: 'unavailable' },
    });
  });
});
