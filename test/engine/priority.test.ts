import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Sealer, type SealRequest } from 'sealcast';
import { cyclic } from '../harness/opening.js';
import { seededBytes } from '../harness/seeded-random.js';
import { createWorld, usmcOfSize } from '../harness/signal-fixtures.js';
import { WorkerHold } from '../harness/worker-hold.js';

const CALLS = 24;
const world = createWorld(8);
const content = usmcOfSize(world.senderCertificate, 600, seededBytes('lanes')).serialize();
const own = cyclic(world.recipients, 0);

const batch = (entries: number, to = world.recipients): SealRequest[] =>
  Array.from({ length: entries }, (_, i) => ({
    recipientIdentityKey: cyclic(to, i).identity.publicKey,
    content,
  }));

let sealer: Sealer;
let envelopes: readonly Uint8Array[];
beforeEach(async () => {
  sealer = await Sealer.create({ identityKeyPair: own.identity, threads: 1 });
  const sealed = await sealer.seal(batch(8, [own]));
  envelopes = sealed.map((result) => (result.ok ? result.envelope : new Uint8Array()));
});
afterEach(() => sealer.close());

/** Calls that are under way; each says its name when it has ended. */
class Calls {
  readonly ended: string[] = [];
  readonly #all: Promise<unknown>[] = [];

  add(name: string, call: Promise<unknown>): void {
    this.#all.push(call.then(() => this.ended.push(name)));
  }

  all(): Promise<unknown> {
    return Promise.all(this.#all);
  }
}

describe('a pool that has much to seal', () => {
  test('unseals envelopes that come in before it, but not before the work that a worker has begun', async () => {
    const calls = new Calls();
    {
      using hold = new WorkerHold();
      for (let i = 0; i < CALLS; i++) calls.add('seal', sealer.seal(batch(64)));
      // The worker has a chunk, and as many lie ready as may.
      await hold.untilHeld(1);
      await new Promise(setImmediate);
      calls.add('unseal', sealer.unseal(envelopes));
      await new Promise(setImmediate);
    }
    await calls.all();
    expect(calls.ended).toHaveLength(CALLS + 1);
    expect(calls.ended.indexOf('unseal')).toBeLessThanOrEqual(2);
  });

  test('goes on with it while more and more comes in', async () => {
    const calls = new Calls();
    {
      using hold = new WorkerHold();
      for (let i = 0; i < 4 * CALLS; i++) calls.add('unseal', sealer.unseal(envelopes));
      await hold.untilHeld(1);
      calls.add('seal', sealer.seal(batch(16)));
      await new Promise(setImmediate);
    }
    await calls.all();
    // Without a turn of its own it would be the last one.
    expect(calls.ended).toContain('seal');
    expect(calls.ended.indexOf('seal')).toBeLessThan(CALLS);
  });
});

test('a pool that closes, or a call that is aborted, ends what waits in either lane', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  using hold = new WorkerHold();
  const first = sealer.seal(batch(16));
  await hold.untilHeld(1);
  const aborted = [sealer.seal(batch(64), { signal }), sealer.unseal(envelopes, { signal })];
  const closed = [sealer.seal(batch(64)), sealer.unseal(envelopes), first];
  const ends = Promise.allSettled([...aborted, ...closed]);
  await new Promise(setImmediate);
  controller.abort();
  const closing = sealer.close();
  hold.release();
  await closing;
  const codes = (await ends).map((end) =>
    end.status === 'rejected' ? (end.reason as { code: string }).code : 'ended',
  );
  expect(codes).toEqual(['ERR_ABORTED', 'ERR_ABORTED', 'ERR_CLOSED', 'ERR_CLOSED', 'ERR_CLOSED']);
});
