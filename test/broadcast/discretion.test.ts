import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import {
  acis,
  changeContact,
  collect,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

const CHANNELS = [
  'broadcast:start',
  'broadcast:end',
  'delivery',
  'stage',
  'refusal',
  'identity-change',
  'certificate',
];
const BODY = 'a text that nobody else is to see';

/** Everything that was logged or published, as one text. */
class Recording {
  readonly entries: unknown[] = [];
  readonly channels = new Set<string | symbol>();
  readonly logger = {
    debug: this.#write.bind(this, 'debug'),
    info: this.#write.bind(this, 'info'),
    warn: this.#write.bind(this, 'warn'),
    error: this.#write.bind(this, 'error'),
  };
  readonly #listen = (message: unknown, name: string | symbol): void => {
    this.channels.add(name);
    this.entries.push([name, message]);
  };

  #write(level: string, facts: object, message: string): void {
    this.entries.push([level, facts, message]);
  }

  constructor() {
    for (const name of CHANNELS) subscribe(`sealcast:${name}`, this.#listen);
  }

  stop(): void {
    for (const name of CHANNELS) unsubscribe(`sealcast:${name}`, this.#listen);
  }

  /** With what JSON leaves out of errors and bytes. */
  text(): string {
    return JSON.stringify(this.entries, (_key, value: unknown) => {
      if (value instanceof Error)
        return [Object.entries(value), value.message, value.stack, value.cause];
      if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
      return value;
    });
  }
}

/** Forms in which bytes may stand in a text. */
function formsOf(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes);
  const base64 = buffer.toString('base64').replace(/=+$/, '');
  return [
    buffer.toString('hex'),
    base64,
    buffer.toString('base64url'),
    [...bytes.slice(0, 6)].join(','),
  ];
}

let scene: Scene;
let recording: Recording;
beforeEach(async () => {
  recording = new Recording();
  scene = await openScene({
    logger: recording.logger,
    unsealedFallback: 'when-denied',
    onIdentityChange: 'fail',
    maxRetryAfterMs: 10,
  });
});
afterEach(async () => {
  recording.stop();
  await scene[Symbol.asyncDispose]();
});

describe('the log, and what is published', () => {
  it('tells of every kind of outcome, and has no key, text or service id in it', async () => {
    const { broadcaster, service } = scene;
    const subscribers = await subscribeKnown(scene, 9);
    const ids = acis(subscribers);
    await broadcaster.broadcast({ body: BODY }, ids).summary();
    const [, denying, gone, blocked, anew, large, limited, rejected, challenged] = subscribers as (
      Subscriber | undefined
    )[];
    if (denying && gone && blocked && anew && large && limited && rejected && challenged) {
      denying.access = 'none';
      gone.registered = false;
      await broadcaster.setBlocked(blocked.aci, true);
      await service.reregister(anew);
      const seen = new Set<string>();
      service.intercepts.set('sendSealed', (aci) => {
        if (aci === large.aci) return { status: 'too-large' };
        if (aci === limited.aci) return { status: 'rate-limited', retryAfterMs: 60_000 };
        if (aci === rejected.aci)
          return { status: 'rejected', httpStatus: 400, cause: new Error(aci) };
        if (aci !== challenged.aci || seen.has(aci)) return undefined;
        seen.add(aci);
        return { status: 'challenge', token: 'secret-token', options: [] };
      });
    } else failTest('subscribers');
    scene.service.certificateFacts = { foreign: true };
    await scene.store.commit([{ table: 'certificate', key: 'without-phone-number', value: null }]);
    await broadcaster.close();
    const { store } = scene;
    scene = await openScene(
      {
        store,
        logger: recording.logger,
        unsealedFallback: 'when-denied',
        onIdentityChange: 'fail',
        maxRetryAfterMs: 10,
      },
      service,
    );
    scene.broadcaster.on('certificateProblem', () => (service.certificateFacts = {}));
    // As a program would build it that names who ordered the broadcast.
    const id = `${ids[0]}:+15550123456`.replace('+', '_');
    const options = { id };
    const run = scene.broadcaster.broadcast(
      { body: BODY },
      [...ids, 'no service id', '+15550123456'],
      options,
    );
    scene.broadcaster.on('challenge', () => setImmediate(() => run.resume()));
    const deliveries = await collect(run);
    expect(
      new Set([...deliveries.values()].map(({ error, status }) => error?.code ?? status)),
    ).toEqual(
      new Set([
        'sealed',
        'unsealed',
        'unregistered',
        'ERR_RECIPIENT_BLOCKED',
        'ERR_IDENTITY_CHANGED',
        'ERR_MESSAGE_TOO_LARGE',
        'ERR_RATE_LIMITED',
        'ERR_SERVICE_REJECTED',
        'ERR_RECIPIENT_INVALID',
      ]),
    );
    expect(recording.channels).toEqual(new Set(CHANNELS.map((name) => `sealcast:${name}`)));

    const { sender } = service;
    const bytes: readonly Uint8Array[] = [
      sender.identityKeyPair.privateKey.serialize(),
      sender.identityKeyPair.publicKey.serialize(),
      sender.profileKey,
      ...subscribers.flatMap(({ identity, profileKey }) => [
        identity.publicKey.serialize(),
        profileKey,
      ]),
      ...service.requests.flatMap(({ accessKey }) => accessKey ?? []),
      ...service.arrivals.map(({ ciphertext }) => ciphertext),
    ];
    const secrets = [
      BODY,
      'secret-token',
      id,
      id.slice(37),
      '+15550123456',
      sender.aci,
      ...ids,
      ...bytes.flatMap(formsOf),
    ];
    const text = recording.text();
    expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
    expect(text).toContain(scene.broadcaster.publicId(id));
  });
});

describe('the public name of a broadcast', () => {
  it('is the same for as long as the store lives, and another one in another store', async () => {
    const name = scene.broadcaster.publicId('news');
    expect(name).toMatch(/^[\da-f]{32}$/);
    expect(scene.broadcaster.publicId('News')).not.toBe(name);
    await scene.broadcaster.close();
    const { store, service } = scene;
    scene = await openScene({ store }, service);
    expect(scene.broadcaster.publicId('news')).toBe(name);
    const other = await openScene();
    expect(other.broadcaster.publicId('news')).not.toBe(name);
    await other[Symbol.asyncDispose]();
  });

  it.each([undefined, '', 5])('is of a string: not %j', (id) => {
    expect(() => scene.broadcaster.publicId(id as string)).toThrow(
      expect.objectContaining({ field: 'id' }) as Error,
    );
  });
});

describe('a listener that throws', () => {
  const caught: unknown[] = [];
  const note = (error: unknown): number => caught.push(error);
  let others: NodeJS.UncaughtExceptionListener[] = [];
  beforeEach(() => {
    caught.length = 0;
    others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', note);
  });
  afterEach(() => {
    process.off('uncaughtException', note);
    for (const listener of others) process.on('uncaughtException', listener);
  });

  it('stops no broadcast, and is heard of', async () => {
    const [one, anew] = await subscribeKnown(scene, 2);
    if (one === undefined || anew === undefined) return failTest('subscribers');
    await scene.broadcaster.broadcast({ body: 'x' }, acis([one, anew])).summary();
    await scene.service.reregister(anew);
    const bug = new Error('a bug in a listener');
    scene.broadcaster.on('identityChange', () => {
      throw bug;
    });
    expect(
      await scene.broadcaster.broadcast({ body: 'y' }, acis([one, anew])).summary(),
    ).toMatchObject({
      sealed: 1,
      failed: 1,
    });
    await untilTrue(() => caught.length > 0);
    expect(caught).toEqual([bug]);
  });
});

describe('a logger that throws', () => {
  it('stops no broadcast', async () => {
    const fail = (): never => failTest('the disk of the log is full');
    await using scene = await openScene({
      logger: { debug: fail, info: fail, warn: fail, error: fail },
    });
    const subscribers = await subscribeKnown(scene, 2);
    const { sealed } = await scene.broadcaster
      .broadcast({ body: BODY }, acis(subscribers))
      .summary();
    expect(sealed).toBe(2);
  });
});

describe('a transport that rejects instead of answering', () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): number => unhandled.push(error);
  let others: NodeJS.UnhandledRejectionListener[] = [];
  beforeEach(() => {
    unhandled.length = 0;
    others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', note);
  });
  afterEach(() => {
    process.off('unhandledRejection', note);
    for (const listener of others) process.on('unhandledRejection', listener);
  });

  it.each(['sendSealed', 'fetchPreKeys', 'accountExists'] as const)(
    'in %s stops the run with what it rejected with, and nothing is unhandled',
    async (name) => {
      const subscribers = await subscribeKnown(scene, 20);
      for (const subscriber of subscribers)
        subscriber.access = name === 'accountExists' ? 'none' : 'key';
      for (const subscriber of subscribers)
        await changeContact(scene, subscriber, { lastSeenMs: 1 });
      const bug = new Error('a bug in a transport');
      scene.service.intercepts.set(name, () => Promise.reject(bug));
      const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), { id: 'a' });
      await expect(run.summary()).rejects.toBe(bug);
      // One that nobody asks for its end is silent, too.
      const other = scene.broadcaster.broadcast({ body: 'y' }, acis(subscribers));
      await untilTrue(() => other.progress.ingested);
      await scene.broadcaster.close();
      await new Promise(setImmediate);
      expect(unhandled).toEqual([]);
    },
  );
});
