import fc from 'fast-check';
import { SealcastError, type Transport } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkedTransport } from '#dist/src/transport/checked-transport.js';
import {
  acis,
  changeContact,
  collect,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import { StandInService, type RequestName, type Subscriber } from '../fakes/stand-in-service.js';

const NUMBER_OF_RUNS = 12;
const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(5);

/** Outcomes that are one field away from good ones, and values that are none at all. */
const NONSENSE: readonly unknown[] = [
  undefined,
  null,
  'sent',
  200,
  {},
  [],
  { status: 'done' },
  { status: 'toString' },
  { status: '__proto__' },
  { status: ['sent'] },
  { status: 'mismatched-devices' },
  { status: 'mismatched-devices', missing: [1], extra: [], stale: 'none' },
  { status: 'mismatched-devices', missing: [0], extra: [], stale: [] },
  { status: 'mismatched-devices', missing: [1.5], extra: [], stale: [] },
  { status: 'mismatched-devices', missing: new Array(1), extra: [], stale: [] },
  {
    status: 'mismatched-devices',
    missing: Array.from({ length: 30_000 }, () => 2),
    extra: [],
    stale: [],
  },
  { status: 'rate-limited' },
  { status: 'rate-limited', retryAfterMs: '5' },
  { status: 'unavailable', retryAfterMs: Number.NaN },
  { status: 'challenge', token: 1, options: [] },
  { status: 'challenge', token: '' },
  { status: 'rejected' },
  { status: 'ok', exists: 'yes' },
  { status: 'ok', identityKey: bytes(33) },
  { status: 'ok', identityKey: bytes(32), bundles: [] },
  { status: 'ok', identityKey: bytes(33), bundles: [{ deviceId: 1 }] },
  { status: 'ok', identityKey: bytes(33), bundles: [null] },
  {
    get status(): string {
      throw new Error('a getter');
    },
  },
];

let scene: Scene;
let service: StandInService;
let subscribers: Subscriber[];
let answers:
  { readonly name: RequestName; readonly of: string; readonly answer: () => unknown } | undefined;

beforeEach(async () => {
  answers = undefined;
  service = new StandInService();
  const odd = new Proxy(service, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const [request] = args as [string | { readonly destination?: string } | undefined];
        const of = typeof request === 'string' ? request : request?.destination;
        if (name === answers?.name && of === answers.of) return answers.answer();
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  scene = await openScene({ transport: odd, unsealedFallback: 'when-denied' }, service);
  subscribers = await subscribeKnown(scene, 3);
});
afterEach(async () => {
  await scene.broadcaster.close();
});

/** Each request about a recipient, and what has the Broadcaster make it. */
const REQUESTS: readonly [RequestName, (victim: Subscriber) => Promise<void>][] = [
  ['sendSealed', () => Promise.resolve()],
  [
    'sendUnsealed',
    (victim) => {
      victim.access = 'none';
      return changeContact(scene, victim, { accessMode: 'disabled' });
    },
  ],
  ['fetchPreKeys', () => Promise.resolve()],
  [
    'accountExists',
    (victim) => {
      victim.access = 'none';
      return Promise.resolve();
    },
  ],
];

describe.each(REQUESTS)('a transport that answers %s with nonsense', (name, prepare) => {
  it('fails that recipient alone', async () => {
    const [victim, ...others] = subscribers;
    if (victim === undefined) throw new Error('no subscriber');
    await prepare(victim);
    const expectOnlyVictimFails = async (answer: () => unknown): Promise<void> => {
      answers = { name, of: victim.aci, answer };
      const deliveries = await collect(
        scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)),
      );
      expect(deliveries.get(victim.aci)).toMatchObject({
        status: 'failed',
        error: { code: 'ERR_SERVICE_REJECTED' },
      });
      for (const { aci } of others) expect(deliveries.get(aci)?.status).toBe('sealed');
    };
    await expectOnlyVictimFails(() => {
      throw new Error('a bug in a transport');
    });
    const anything = fc.oneof(fc.constantFrom(...NONSENSE), fc.anything());
    await fc.assert(
      fc.asyncProperty(anything, fc.boolean(), (answer, isAsync) =>
        expectOnlyVictimFails(() => (isAsync ? Promise.resolve(answer) : answer)),
      ),
      { numRuns: NUMBER_OF_RUNS },
    );
  });
});

describe('a checked transport', () => {
  const over = (methods: object): Transport => checkedTransport(methods as Transport);
  const request = { destination: 'a' } as never;

  it.each(NONSENSE)('refuses nonsense %#, whatever was asked for', async (answer) => {
    for (const name of [
      'sendSealed',
      'sendUnsealed',
      'fetchPreKeys',
      'accountExists',
      'fetchProfile',
    ]) {
      const transport = over({ [name]: () => answer });
      const asked = (transport as unknown as Record<string, (of: never) => Promise<unknown>>)[name];
      expect(await asked?.(request), name).toMatchObject({
        status: 'rejected',
        httpStatus: 0,
        cause: { code: 'ERR_SERVICE_REJECTED', field: `transport.${name}` },
      });
    }
  });

  it('passes good outcomes on whole, and what a request rejects with', async () => {
    const good = {
      status: 'mismatched-devices',
      missing: [2],
      extra: [],
      stale: [127],
      more: 'of a later version',
    };
    expect(await over({ sendSealed: () => Promise.resolve(good) }).sendSealed(request)).toEqual(
      good,
    );
    const closed = new SealcastError('ERR_CLOSED', 'closed');
    const bug = new Error('a bug');
    await expect(over({ sendSealed: () => Promise.reject(bug) }).sendSealed(request)).rejects.toBe(
      bug,
    );
    const throwing = (): never => {
      throw closed;
    };
    await expect(over({ sendSealed: throwing }).sendSealed(request)).rejects.toBe(closed);
  });

  it('is the same for the same transport, and calls methods on that one', async () => {
    class Own {
      readonly #answer = { status: 'sent' };
      sendSealed = (): Promise<unknown> => Promise.resolve(this.#answer);
      close(): Promise<unknown> {
        return Promise.resolve(this.#answer.status);
      }
    }
    const own = new Own() as unknown as Transport;
    const transport = checkedTransport(own);
    expect(checkedTransport(own)).toBe(transport);
    expect(checkedTransport(transport)).toBe(transport);
    const closed: unknown = await (transport.close as () => Promise<unknown>)();
    expect(closed).toBe('sent');
    expect(await transport.sendSealed(request)).toEqual({ status: 'sent' });
  });
});
