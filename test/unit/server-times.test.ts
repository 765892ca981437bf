import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChatTransport, ServerTime, Transport } from 'sealcast';
import { checkTransport } from '#dist/src/runtime/options.js';
import { checkedTransport } from '#dist/src/transport/checked-transport.js';
import { serverMsOf } from '#dist/src/transport/chat/server-times.js';
import { FakeService, type FakeResponse } from '../fakes/fake-service.js';
import { ASK, openTransport } from '../harness/transports.js';

const NOW_MS = 1_794_000_000_123;
const DATE = new Date(NOW_MS).toUTCString();

describe('the time in an answer', () => {
  it.each<[string, Record<string, string>, number | undefined]>([
    [
      'x-signal-timestamp',
      { 'x-signal-timestamp': `${NOW_MS}`, date: 'Thu, 01 Jan 2026 00:00:00 GMT' },
      NOW_MS,
    ],
    ['X-Signal-Timestamp', { 'X-Signal-Timestamp': ` ${NOW_MS} ` }, NOW_MS],
    ['the middle of the second of date', { Date: DATE }, NOW_MS - 123 + 500],
    [
      'date for a timestamp that is none',
      { 'x-signal-timestamp': '-1', date: DATE },
      NOW_MS - 123 + 500,
    ],
    ['none of a date in another form', { date: '2026-11-22' }, undefined],
    ['none of other headers', { 'x-timestamp': `${NOW_MS}` }, undefined],
  ])('is %s', (_, headers, wanted) => {
    expect(serverMsOf({ status: 200, headers: Object.entries(headers) })).toBe(wanted);
  });
});

describe('a ChatTransport', () => {
  let service: FakeService;
  let transport: ChatTransport;
  let response: FakeResponse;
  let times: ServerTime[];
  beforeAll(async () => {
    service = new FakeService();
    service.on('GET', /./, () => response).on('PUT', /./, () => response);
    transport = await openTransport(service);
  });
  afterAll(() => transport.close());
  beforeEach(() => {
    times = [];
  });

  it.each([200, 404, 429, 503])(
    'tells the time in an answer of status %i, with its round trip',
    async (status) => {
      response = {
        status,
        headers: { 'x-signal-timestamp': `${NOW_MS}` },
        body: { count: 1, pqCount: 2 },
      };
      const startMs = performance.now();
      const stop = transport.onServerTime((time) => times.push(time));
      await ASK.countPreKeys(transport);
      const tookMs = performance.now() - startMs;
      stop();
      await ASK.countPreKeys(transport);
      expect(times).toMatchObject([{ serverMs: NOW_MS }]);
      expect(times[0]?.roundTripMs).toBeGreaterThan(0);
      expect(times[0]?.roundTripMs).toBeLessThanOrEqual(tookMs);
    },
  );

  it('tells nothing where the answer has no time', async () => {
    response = { status: 200, body: { count: 1, pqCount: 2 } };
    const stop = transport.onServerTime((time) => times.push(time));
    await ASK.countPreKeys(transport);
    stop();
    expect(times).toEqual([]);
  });

  it('tells each of its listeners, one that was added twice twice', async () => {
    response = {
      status: 200,
      headers: { 'x-signal-timestamp': `${NOW_MS}` },
      body: { count: 1, pqCount: 2 },
    };
    const listener = (time: ServerTime): number => times.push(time);
    const [stop, stopOther] = [transport.onServerTime(listener), transport.onServerTime(listener)];
    await ASK.countPreKeys(transport);
    stop();
    await ASK.countPreKeys(transport);
    stopOther();
    expect(times).toHaveLength(3);
  });

  it('refuses a listener that is no function', () => {
    expect(() => transport.onServerTime({} as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'listener' }) as Error,
    );
  });
});

describe('a transport of another making', () => {
  const over = (methods: object): Transport => checkedTransport(methods as Transport);

  it('need not tell the time', () => {
    expect(over({}).onServerTime?.(() => undefined)).toBeUndefined();
  });

  it('passes on no malformed time', () => {
    const times: ServerTime[] = [];
    let tell: (time: unknown) => void = () => undefined;
    let ended = false;
    const transport = over({
      onServerTime(listener: (time: unknown) => void): () => void {
        tell = listener;
        return () => (ended = true);
      },
    });
    const stop = transport.onServerTime?.((time) => times.push(time));
    const bad = [
      undefined,
      null,
      NOW_MS,
      {},
      { serverMs: NOW_MS },
      { serverMs: `${NOW_MS}`, roundTripMs: 1 },
      { serverMs: Number.NaN, roundTripMs: 1 },
      { serverMs: NOW_MS, roundTripMs: -1 },
      {
        get serverMs(): number {
          throw new Error('a getter');
        },
        roundTripMs: 1,
      },
    ];
    for (const time of bad) tell(time);
    expect(times).toEqual([]);
    tell({ serverMs: NOW_MS, roundTripMs: 0 });
    expect(times).toEqual([{ serverMs: NOW_MS, roundTripMs: 0 }]);
    stop?.();
    expect(ended).toBe(true);
  });

  it('is refused where onServerTime is no function, or returns none', () => {
    const refusal = expect.objectContaining({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'transport.onServerTime',
    }) as Error;
    expect(() => over({ onServerTime: () => undefined }).onServerTime?.(() => undefined)).toThrow(
      refusal,
    );
    const method = (): void => undefined;
    const requests = [
      'sendSealed',
      'sendUnsealed',
      'fetchPreKeys',
      'accountExists',
      'fetchSenderCertificate',
    ];
    const methods = Object.fromEntries(requests.map((name) => [name, method]));
    expect(() => checkTransport({ ...methods, onServerTime: true })).toThrow(refusal);
    expect(() => checkTransport(methods)).not.toThrow();
  });
});
