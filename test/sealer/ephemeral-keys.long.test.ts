import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sealer, type SealRequest } from 'sealcast';
import { cyclic } from '../harness/opening.js';
import { createWorld } from '../harness/signal-fixtures.js';

// An ephemeral key used twice towards one recipient repeats both key streams: the worst thing that
// can happen here.

const BATCH_ENTRIES = 10_000;
/** 100,000 envelopes in all, half of them to one recipient. */
const BATCHES = 5;
/** 0x11, the tag of e_pub, its length. */
const EPHEMERAL_OFFSET_BYTES = 3;
const PUBLIC_KEY_BYTES = 33;

const world = createWorld(250);
const content = Uint8Array.of(1);
let sealer: Sealer;
beforeAll(async () => {
  sealer = await Sealer.create({ identityKeyPair: world.sender, threads: 2 });
});
afterAll(() => sealer.close());

const toOne: SealRequest = {
  recipientIdentityKey: cyclic(world.recipients, 0).identity.publicKey,
  content,
};
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

test('no ephemeral key is in two of 100,000 envelopes, to one recipient and to many, from two threads', async () => {
  const toMany = Array.from({ length: BATCH_ENTRIES }, (_, i) => ({
    recipientIdentityKey: cyclic(world.recipients, i).identity.publicKey,
    content,
  }));
  const ephemeralKeys = new Set<string>();
  for (let batch = 0; batch < BATCHES; batch++) {
    const both = await Promise.all([
      sealer.seal(Array.from({ length: BATCH_ENTRIES }, () => toOne)),
      sealer.seal(toMany),
    ]);
    for (const result of both.flat()) {
      if (!result.ok) throw result.error;
      const key = result.envelope.subarray(
        EPHEMERAL_OFFSET_BYTES,
        EPHEMERAL_OFFSET_BYTES + PUBLIC_KEY_BYTES,
      );
      expect(key[0]).toBe(5);
      ephemeralKeys.add(latin1(key));
    }
  }
  expect(ephemeralKeys.size).toBe(2 * BATCHES * BATCH_ENTRIES);
});

test('the same content sealed twice to the same key gives envelopes that differ in every part', async () => {
  const results = await sealer.seal(
    Array.from({ length: 64 }, () => ({ ...toOne, content: new Uint8Array(64) })),
  );
  const envelopes = results.map((result) => (result.ok ? result.envelope : new Uint8Array()));
  // e_pub, CTR(S) with its MAC, CTR(content) with its MAC
  for (const [begin, end] of [
    [4, 36],
    [38, 81],
    [83, 147],
    [147, 157],
  ] as const) {
    expect(new Set(envelopes.map((envelope) => latin1(envelope.subarray(begin, end)))).size).toBe(
      64,
    );
  }
});

test('Sealers with the same identity never share an ephemeral key', async () => {
  const twin = await Sealer.create({ identityKeyPair: world.sender, threads: 2 });
  const requests = Array.from({ length: 2000 }, () => toOne);
  const both = await Promise.all([sealer.seal(requests), twin.seal(requests)]);
  await twin.close();
  const keys = both
    .flat()
    .map((result) => (result.ok ? latin1(result.envelope.subarray(3, 36)) : ''));
  expect(keys).not.toContain('');
  expect(new Set(keys).size).toBe(4000);
});
