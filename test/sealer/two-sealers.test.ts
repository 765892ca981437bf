import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sealer, type SealRequest, type SealResult } from 'sealcast';
import { toHex } from '../reference/bytes.js';
import { cyclic, openWithLibsignal } from '../harness/opening.js';
import { seededBytes } from '../harness/seeded-random.js';
import { createWorld, usmcOfSize, type SignalWorld } from '../harness/signal-fixtures.js';

// Two senders of different worlds; each sender writes to the other's recipients too, so that a
// shared secret that got into the wrong Sealer would be found there under the same recipient's key.
const worlds = [createWorld(30), createWorld(30)] as const;
const everybody = worlds.flatMap((world) => world.recipients);
const random = seededBytes('two-sealers');
const contents = worlds.map((world) =>
  Array.from({ length: 11 }, (_, i) =>
    usmcOfSize(world.senderCertificate, 400 + 13 * i, random).serialize(),
  ),
);

let sealers: readonly [Sealer, Sealer];
beforeAll(async () => {
  const create = (world: SignalWorld): Promise<Sealer> =>
    Sealer.create({ identityKeyPair: world.sender, threads: 2, recipientCacheBytes: 1_000_000 });
  sealers = [await create(worlds[0]), await create(worlds[1])];
});
afterAll(() => Promise.all(sealers.map((sealer) => sealer.close())));

/** `offset` lets equal batches differ. */
function makeBatch(which: number, entryCount: number, offset = 0): SealRequest[] {
  return Array.from({ length: entryCount }, (_, i) => ({
    recipientIdentityKey: cyclic(everybody, i + offset).identity.publicKey,
    content: cyclic(contents[which] ?? [], i + offset),
  }));
}

async function expectAllGood(
  results: readonly SealResult[],
  which: number,
  entryCount: number,
  offset = 0,
) {
  expect(results).toHaveLength(entryCount);
  for (let index = 0; index < entryCount; index++) {
    const opened = await openWithLibsignal(cyclic(everybody, index + offset), results[index]);
    expect(toHex(opened)).toBe(toHex(cyclic(contents[which] ?? [], index + offset)));
  }
}

test('two Sealers that seal at the same time to the same recipients do not mix their keys', async () => {
  const sizes = [1, 300, 17, 64, 5, 256, 2];
  const runs = sizes.flatMap((size, round) =>
    sealers.map(async (sealer, which) => {
      const results = await sealer.seal(makeBatch(which, size, round));
      await expectAllGood(results, which, size, round);
      return results;
    }),
  );
  expect(await Promise.all(runs)).toHaveLength(2 * sizes.length);
});

test('envelopes that one seals to the other open there, and only there, under the sealer’s own key', async () => {
  const identities = worlds.map((world) => world.sender);
  const rounds = sealers.map(async (sealer, which) => {
    const other = 1 - which;
    const recipientIdentityKey = cyclic(identities, other).publicKey;
    const requests = Array.from({ length: 150 }, (_, i) => ({
      recipientIdentityKey,
      content: cyclic(contents[which] ?? [], i),
    }));
    const envelopes = (await sealer.seal(requests)).map((result) =>
      result.ok ? result.envelope : new Uint8Array(),
    );
    const [there, here] = await Promise.all([
      cyclic(sealers, other).unseal(envelopes),
      sealer.unseal(envelopes),
    ]);

    expect(there).toHaveLength(150);
    there.forEach((result, index) => {
      expect(result).toMatchObject({ ok: true, version: 1 });
      if (!result.ok) return;
      expect(toHex(result.content)).toBe(toHex(cyclic(contents[which] ?? [], index)));
      expect(toHex(result.senderIdentityKey)).toBe(
        toHex(cyclic(identities, which).publicKey.serialize()),
      );
    });
    for (const [index, result] of here.entries()) {
      expect(result).toMatchObject({ ok: false, error: { code: 'ERR_INVALID_ENVELOPE', index } });
    }
  });
  await Promise.all(rounds);
});

test.each([1, 2, 15, 16, 17, 127, 128, 129, 255, 256, 257, 511, 600])(
  'a batch of %i comes back whole and in order from two threads',
  async (entryCount) => {
    const [sealer] = sealers;
    await expectAllGood(await sealer.seal(makeBatch(0, entryCount)), 0, entryCount);
  },
);

test('batches of different sizes at the same time each come back in their own order', async () => {
  const [sealer] = sealers;
  const sizes = [600, 1, 33, 256, 0, 16, 90];
  const all = await Promise.all(
    sizes.map((size, round) => sealer.seal(makeBatch(0, size, 7 * round))),
  );
  for (const [round, size] of sizes.entries())
    await expectAllGood(all[round] ?? [], 0, size, 7 * round);
  expect(all).toHaveLength(sizes.length);
});

test('a small batch does not wait for a large one to end', async () => {
  const [sealer] = sealers;
  const large = sealer.seal(makeBatch(0, 8000));
  const small = await sealer.seal(makeBatch(0, 16, 3));
  // A small batch waits for the chunks that were ready before its own, at most four of 256 entries,
  // and the next in turn.
  expect(sealer.stats().queueLength).toBeGreaterThan(4000);
  await expectAllGood(small, 0, 16, 3);
  await expectAllGood((await large).slice(0, 100), 0, 100);
});

test('closing one Sealer leaves the other at work', async () => {
  const doomed = await Sealer.create({ identityKeyPair: worlds[1].sender, threads: 1 });
  const pending = doomed.seal(makeBatch(1, 3000));
  pending.catch(() => undefined);
  const [sealer] = sealers;
  const sealing = sealer.seal(makeBatch(0, 300));
  await doomed.close();
  await expect(pending).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  await expectAllGood(await sealing, 0, 300);
});
