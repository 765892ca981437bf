import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Sealer, type SealRequest } from 'sealcast';
import { expectNoSecrets } from '../harness/secrets-in-errors.js';
import { seededBytes } from '../harness/seeded-random.js';
import { createWorld, keyPairBytes } from '../harness/signal-fixtures.js';

const MAX_CONTENT_BYTES = 262_144;

const world = createWorld(2);
const random = seededBytes('sealer-arguments');
const goodKey = world.recipients[0]?.identity.publicKey.serialize() ?? new Uint8Array();
const trustRoot = world.authority.trustRoot;
const sender = keyPairBytes(world.sender);
const content = random(300);
const envelope = random(300);

let sealer: Sealer;
beforeAll(async () => {
  sealer = await Sealer.create({ identityKeyPair: world.sender, threads: 1 });
});
afterAll(() => sealer.close());

const throwing = {
  serialize: () => {
    throw new Error(`a key that says too much: ${Buffer.from(goodKey).toString('hex')}`);
  },
};

/** Whatever is no public key, and what the refusal must say. */
const badKeys: readonly (readonly [string, unknown, RegExp])[] = [
  ['32 bytes', goodKey.subarray(1), /33 bytes.*not 32/],
  ['34 bytes', Uint8Array.of(...goodKey, 0), /33 bytes.*not 34/],
  ['no bytes', new Uint8Array(), /33 bytes.*not 0/],
  ['65 bytes', Uint8Array.of(5, ...random(64)), /33 bytes.*not 65/],
  ['another type byte', Uint8Array.of(6, ...goodKey.subarray(1)), /key type 0x05/],
  ['type byte zero', Uint8Array.of(0, ...goodKey.subarray(1)), /key type 0x05/],
  ['text', Buffer.from(goodKey).toString('hex'), /PublicKey/],
  ['undefined', undefined, /PublicKey/],
  ['null', null, /PublicKey/],
  ['a number', 5, /PublicKey/],
  ['a plain array', [...goodKey], /PublicKey/],
  ['an ArrayBuffer', goodKey.buffer, /PublicKey/],
  ['a Uint16Array', new Uint16Array(33).fill(5), /PublicKey/],
  ['a DataView', new DataView(goodKey.buffer), /PublicKey/],
  ['an empty object', {}, /PublicKey/],
  ['serialize that throws', throwing, /PublicKey/],
  ['serialize that gives text', { serialize: () => 'x'.repeat(33) }, /PublicKey/],
  ['serialize that gives nothing', { serialize: () => undefined }, /PublicKey/],
  ['serialize that gives an array', { serialize: () => [...goodKey] }, /PublicKey/],
  ['serialize that gives a promise', { serialize: () => Promise.resolve(goodKey) }, /PublicKey/],
  ['serialize that gives too little', { serialize: () => goodKey.subarray(1) }, /33 bytes.*not 32/],
  ['serialize that is no function', { serialize: goodKey }, /PublicKey/],
  ['a libsignal PrivateKey', world.sender.privateKey, /33 bytes.*not 32/],
];

const badContents: readonly (readonly [string, unknown, RegExp])[] = [
  ['undefined', undefined, /Uint8Array/],
  ['null', null, /Uint8Array/],
  ['text', 'text', /Uint8Array/],
  ['a plain array', [1, 2, 3], /Uint8Array/],
  ['an ArrayBuffer', content.buffer, /Uint8Array/],
  ['a Uint16Array', new Uint16Array(3), /Uint8Array/],
  ['no bytes', new Uint8Array(), /1 to 262144 bytes, not 0/],
  ['one byte too many', new Uint8Array(MAX_CONTENT_BYTES + 1), /1 to 262144 bytes, not 262145/],
];

const badEntries: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['undefined', undefined],
  ['a number', 7],
  ['text', 'text'],
  ['a function', () => undefined],
];

/** The error with which a call is refused; nothing of the call may have been begun. */
async function refusal(call: Promise<unknown>): Promise<unknown> {
  expect(sealer.stats()).toMatchObject({ queueLength: 0, cachedRecipients: 0 });
  const error: unknown = await call.then(
    () => 'not refused',
    (thrown: unknown) => thrown,
  );
  expect(sealer.stats()).toMatchObject({ queueLength: 0, cachedRecipients: 0 });
  expectNoSecrets(error, { goodKey, content, envelope, privateKey: sender.privateKey });
  return error;
}

function refused(field: string, message: RegExp, index?: number): object {
  const facts = index === undefined ? { field } : { field, index };
  return {
    name: 'SealcastError',
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringMatching(message) as string,
    ...facts,
  };
}

/** A batch in which all but one entry are good. */
function around(bad: unknown): SealRequest[] {
  const good = { recipientIdentityKey: goodKey, content };
  return [good, good, bad as SealRequest, good];
}

describe('seal()', () => {
  test.each(badKeys)('refuses a key that is %s', async (_name, recipientIdentityKey, message) => {
    const error = await refusal(sealer.seal(around({ recipientIdentityKey, content })));
    expect(error).toMatchObject(refused('recipientIdentityKey', message, 2));
    expect((error as Error).message).toContain('entry 2');
  });

  test.each(badContents)('refuses a content that is %s', async (_name, bad, message) => {
    const error = await refusal(
      sealer.seal(around({ recipientIdentityKey: goodKey, content: bad })),
    );
    expect(error).toMatchObject(refused('content', message, 2));
    expect((error as Error).message).toContain('entry 2');
  });

  test.each(badEntries)('refuses an entry that is %s', async (_name, bad) => {
    expect(await refusal(sealer.seal(around(bad)))).toMatchObject(
      refused('entry', /entry 2: entry must be an obj/, 2),
    );
  });

  test('names the hole of a sparse array', async () => {
    const sparse = new Array<SealRequest>(3);
    sparse[0] = { recipientIdentityKey: goodKey, content };
    expect(await refusal(sealer.seal(sparse))).toMatchObject(refused('entry', /entry 1/, 1));
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['one entry', { recipientIdentityKey: goodKey, content }],
    ['a Set', new Set([{ recipientIdentityKey: goodKey, content }])],
    ['text', 'entries'],
    ['array-like', { length: 0 }],
  ])('refuses entries that are %s', async (_name, entries) => {
    const call = sealer.seal(entries as unknown as SealRequest[]);
    expect(await refusal(call)).toMatchObject(refused('entries', /entries must be an array/));
  });

  test('takes a content of exactly 256 KiB', async () => {
    const largest = await Sealer.create({ identityKeyPair: world.sender, threads: 1 });
    const results = await largest.seal([
      { recipientIdentityKey: goodKey, content: new Uint8Array(MAX_CONTENT_BYTES) },
    ]);
    await largest.close();
    // 1 version byte, 35 for the ephemeral key, 45 for the sender's, 1 + 3 for tag and length, 10
    // for the MAC.
    expect(results.map((result) => result.ok && result.envelope.length)).toEqual([
      MAX_CONTENT_BYTES + 95,
    ]);
  });
});

describe('prepare()', () => {
  test.each(badKeys)('refuses a key that is %s', async (_name, key, message) => {
    const error = await refusal(sealer.prepare([goodKey, key as Uint8Array]));
    expect(error).toMatchObject(refused('recipientIdentityKey', message, 1));
  });

  test('refuses what is no array', async () => {
    expect(await refusal(sealer.prepare(goodKey as unknown as Uint8Array[]))).toMatchObject(
      refused('recipientIdentityKeys', /an array/),
    );
  });
});

describe('unseal()', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['text', 'envelope'],
    ['a plain array', [0x11, 1, 2]],
    ['an ArrayBuffer', envelope.buffer],
    ['a Uint16Array', new Uint16Array(100)],
    ['an object', { envelope }],
  ])('refuses an envelope that is %s', async (_name, bad) => {
    const call = sealer.unseal([envelope, bad as unknown as Uint8Array, envelope]);
    expect(await refusal(call)).toMatchObject(
      refused('envelope', /entry 1: envelope must be a Uint8Array/, 1),
    );
  });

  test('names the hole of a sparse array', async () => {
    const sparse = new Array<Uint8Array>(3);
    sparse[0] = envelope;
    expect(await refusal(sealer.unseal(sparse))).toMatchObject(refused('envelope', /entry 1/, 1));
  });

  test('refuses what is no array', async () => {
    const call = sealer.unseal(envelope as unknown as Uint8Array[]);
    expect(await refusal(call)).toMatchObject(refused('envelopes', /an array/));
  });

  const now = 1_700_000_000_000;
  test.each([
    ['trust roots without a timestamp', { trustRoots: [trustRoot] }, 'timestamp'],
    ['a timestamp without trust roots', { timestamp: now }, 'trustRoots'],
    ['no trust root', { trustRoots: [], timestamp: now }, 'trustRoots'],
    ['trust roots null', { trustRoots: null, timestamp: now }, 'trustRoots'],
    ['a trust root that is no array', { trustRoots: trustRoot, timestamp: now }, 'trustRoots'],
    ['timestamp null', { trustRoots: [trustRoot], timestamp: null }, 'timestamp'],
    ['timestamp NaN', { trustRoots: [trustRoot], timestamp: Number.NaN }, 'timestamp'],
    [
      'an infinite timestamp',
      { trustRoots: [trustRoot], timestamp: Number.POSITIVE_INFINITY },
      'timestamp',
    ],
    ['a timestamp before 1970', { trustRoots: [trustRoot], timestamp: -1 }, 'timestamp'],
    [
      'a timestamp in parts of a ms',
      { trustRoots: [trustRoot], timestamp: now + 0.5 },
      'timestamp',
    ],
    ['a timestamp beyond 2^53', { trustRoots: [trustRoot], timestamp: 2 ** 53 }, 'timestamp'],
    ['a Date', { trustRoots: [trustRoot], timestamp: new Date(now) }, 'timestamp'],
    ['a bigint timestamp', { trustRoots: [trustRoot], timestamp: BigInt(now) }, 'timestamp'],
    [
      'timestamps in a typed array',
      { trustRoots: [trustRoot], timestamp: Float64Array.of(now) },
      'timestamp',
    ],
    ['timestamps without trust roots', { timestamp: [now] }, 'trustRoots'],
  ])('refuses %s', async (_name, options, field) => {
    expect(await refusal(sealer.unseal([envelope], options as object))).toMatchObject(
      refused(field, /./),
    );
  });

  test.each<[string, unknown[], number]>([
    ['none', [], 0],
    ['one too few', [now, now], 2],
    ['one too many', [now, now, now, now], 3],
    ['one that is null', [now, null, now], 1],
    ['one that is missing', [now, , now], 1], // eslint-disable-line no-sparse-arrays
    ['one before 1970', [now, now, -1], 2],
    ['one in parts of a ms', [now + 0.5, now, now], 0],
    ['a Date', [now, now, new Date(now)], 2],
  ])('refuses timestamps for three envelopes: %s', async (_name, timestamp, index) => {
    const options = { trustRoots: [trustRoot], timestamp: timestamp as number[] };
    const call = sealer.unseal([envelope, envelope, envelope], options);
    expect(await refusal(call)).toMatchObject(
      refused('timestamp', new RegExp(`entry ${index}: timestamp must be`), index),
    );
  });

  test.each(badKeys)('refuses a trust root that is %s', async (_name, key, message) => {
    const options = { trustRoots: [trustRoot, key as Uint8Array], timestamp: now };
    expect(await refusal(sealer.unseal([envelope], options))).toMatchObject(
      refused('trustRoots', message, 1),
    );
  });
});

describe('options of every call', () => {
  const calls = [
    ['seal()', (options: unknown) => sealer.seal(around(around([])[0]), options as object)],
    ['unseal()', (options: unknown) => sealer.unseal([envelope], options as object)],
    ['prepare()', (options: unknown) => sealer.prepare([goodKey], options as object)],
  ] as const;

  test.each(calls)('%s refuses options that are no object', async (_name, call) => {
    for (const bad of [null, 7, 'signal', true]) {
      expect(await refusal(call(bad))).toMatchObject(refused('options', /an object/));
    }
  });

  test.each(calls)('%s refuses a signal that is no AbortSignal', async (_name, call) => {
    for (const signal of [
      Object.create(AbortSignal.prototype) as AbortSignal,
      null,
      {},
      'stop',
      new AbortController(),
      { aborted: true, addEventListener: () => undefined },
    ]) {
      expect(await refusal(call({ signal }))).toMatchObject(refused('signal', /an AbortSignal/));
    }
  });
});
