import { sealedSenderEncrypt } from '@signalapp/libsignal-client';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Sealer } from 'sealcast';
import { RECIPIENT_TABLES_BYTES } from '#dist/assembly/abi.js';
import {
  planMemory,
  SLOT_COST_BYTES,
  TABLES_COST_BYTES,
  type MemoryPlan,
} from '#dist/src/kernel/control.js';
import { copyBytes, fromHex, toHex } from '../reference/bytes.js';
import { encodePublicKey } from '../reference/envelope-v1.js';
import { Broadcasts, keysOf } from '../harness/broadcasts.js';
import { drawTwistU, keyOfU } from '../harness/edwards.js';
import { MemoryWatch } from '../harness/memory-watch.js';
import { seededBytes } from '../harness/seeded-random.js';
import {
  MemoryIdentityStore,
  usmcOfSize,
  type SignalRecipient,
} from '../harness/signal-fixtures.js';
import { x25519Points } from '../vectors/index.js';

const TIMESTAMP_MS = 1_700_000_000_000;
const broadcasts = new Broadcasts(1300, 'recipient tables');
const { world } = broadcasts;

let sealer: Sealer;
let plan: MemoryPlan;
const memoryWatch = new MemoryWatch();
afterEach(() => sealer.close());
afterAll(() => memoryWatch.stop());

/** With room for so many recipients' tables, and slots for four times as many recipients. */
async function createSealer(tablesCount: number, threads = 2): Promise<void> {
  const recipientCacheBytes = tablesCount * TABLES_COST_BYTES;
  plan = planMemory(recipientCacheBytes, 2 * threads);
  expect([plan.tablesCount, plan.slotCount]).toEqual([tablesCount, 4 * tablesCount]);
  memoryWatch.memories.length = 0;
  sealer = await Sealer.create({ identityKeyPair: world.sender, threads, recipientCacheBytes });
}

/** What stands in each place for tables. */
function copyTables(): Buffer[] {
  const memory = memoryWatch.memories.find(({ buffer }) => buffer.byteLength >= plan.totalBytes);
  const bytes = Buffer.from(
    new Uint8Array(memory!.buffer, plan.tablesPtr, plan.tablesCount * RECIPIENT_TABLES_BYTES),
  );
  return Array.from({ length: plan.tablesCount }, (_, i) =>
    bytes.subarray(i * RECIPIENT_TABLES_BYTES, (i + 1) * RECIPIENT_TABLES_BYTES),
  );
}

/**
 * Seals to all of them; gives how many were sealed to with tables that stood there before. That
 * they are counted as served does not say so: so are those for whom tables were built, which costs
 * more than the ladder.
 */
async function countHits(recipients: readonly SignalRecipient[]): Promise<number> {
  const before = copyTables();
  const { byTable } = await broadcasts.send(sealer, recipients);
  const builtCount = copyTables().filter(
    (tables, i) => Buffer.compare(tables, before[i]!) !== 0,
  ).length;
  return byTable - builtCount;
}

describe('tables', () => {
  test('come at a recipient’s second sealing, and serve all that follow', async () => {
    await createSealer(100);
    const [regulars, others] = [broadcasts.recipients(0, 60), broadcasts.recipients(60, 90)];
    expect(await broadcasts.send(sealer, regulars)).toEqual({ byTable: 0, byLadder: 60 });
    expect(sealer.stats()).toMatchObject({ tables: 0, cachedRecipients: 60 });
    expect(await broadcasts.send(sealer, regulars)).toEqual({ byTable: 60, byLadder: 0 });
    expect(sealer.stats()).toMatchObject({ tables: 60, servedByTable: 60, servedByLadder: 60 });
    expect(await broadcasts.send(sealer, [...others, ...regulars])).toEqual({
      byTable: 60,
      byLadder: 30,
    });
    expect(sealer.stats()).toMatchObject({
      tables: 60,
      cachedRecipients: 90,
      cachedBytes: 60 * RECIPIENT_TABLES_BYTES + 90 * SLOT_COST_BYTES,
    });
  });

  test('come at the second sealing within a batch too', async () => {
    await createSealer(10, 1);
    const [recipient] = broadcasts.recipients(0, 1);
    const { byTable, byLadder } = await broadcasts.send(
      sealer,
      new Array<typeof recipient>(256).fill(recipient) as never,
    );
    // Whoever is in a chunk while another one builds them goes without.
    expect(byTable).toBeGreaterThan(0);
    expect(byTable + byLadder).toBe(256);
    expect(sealer.stats().tables).toBe(1);
  });

  test('never come for those who are written to once', async () => {
    await createSealer(10);
    for (let day = 0; day < 5; day++) {
      expect(
        await broadcasts.send(sealer, broadcasts.recipients(80 * day, 80 * day + 80)),
      ).toMatchObject({
        byTable: 0,
      });
    }
    expect(sealer.stats()).toMatchObject({ tables: 0, servedByTable: 0, servedByLadder: 400 });
  });

  test('come with prepare() before the first sealing, as often as it is called', async () => {
    await createSealer(100);
    const regulars = broadcasts.recipients(0, 80);
    for (let time = 0; time < 3; time++) {
      const keys = keysOf(time === 1 ? [...regulars, ...regulars] : regulars);
      expect((await sealer.prepare(keys)).filter((result) => result.ok)).toHaveLength(keys.length);
      expect(sealer.stats()).toMatchObject({
        tables: 80,
        cachedRecipients: 80,
        servedByTable: 0,
        servedByLadder: 0,
      });
    }
    expect(await broadcasts.send(sealer, regulars)).toEqual({ byTable: 80, byLadder: 0 });
  });

  test('never come of unsealing, and a sender who is answered gets them as others do', async () => {
    await createSealer(100);
    const senders = broadcasts.recipients(0, 30);
    const random = seededBytes('senders');
    const envelopes = await Promise.all(
      senders.map(({ identity }, i) => {
        const certificate = world.authority.issueSenderCertificate(identity.publicKey);
        const store = new MemoryIdentityStore(identity);
        const usmc = usmcOfSize(certificate, 400 + i, random);
        return sealedSenderEncrypt(usmc, store.meet(world.sender.publicKey, 'service'), store);
      }),
    );
    const trustRoots = [world.authority.trustRoot];
    for (let time = 0; time < 4; time++) {
      const results = await sealer.unseal(envelopes.map(copyBytes), {
        trustRoots,
        timestamp: TIMESTAMP_MS,
      });
      expect(results.map((result) => result.ok && toHex(result.senderIdentityKey))).toEqual(
        keysOf(senders).map((key) => toHex(key.serialize())),
      );
      expect(sealer.stats()).toMatchObject({ tables: 0, cachedRecipients: 30 });
    }
    expect(await broadcasts.send(sealer, senders)).toEqual({ byTable: 0, byLadder: 30 });
    expect(await broadcasts.send(sealer, senders)).toEqual({ byTable: 30, byLadder: 0 });
  });

  test('are tried once for a key that can have none, which the ladder serves for ever', async () => {
    await createSealer(40);
    const random = seededBytes('twist');
    const twistKeys = Array.from({ length: 5 }, () => encodePublicKey(keyOfU(drawTwistU(random))));
    const lowOrderKeys = x25519Points.lowOrder.map(({ point }) => encodePublicKey(fromHex(point)));
    const regulars = broadcasts.recipients(0, 3);
    const requests = [...twistKeys, ...lowOrderKeys].map((recipientIdentityKey) => ({
      recipientIdentityKey,
      content: random(50),
    }));
    const expectVerdicts = (results: readonly { ok: boolean; error?: unknown }[]): void => {
      expect(results.slice(0, 5).map(({ ok }) => ok)).toEqual(new Array(5).fill(true));
      for (const result of results.slice(5))
        expect(result).toMatchObject({ error: { code: 'ERR_LOW_ORDER_KEY' } });
    };
    expectVerdicts(
      await sealer.prepare(requests.map(({ recipientIdentityKey }) => recipientIdentityKey)),
    );
    expect(sealer.stats()).toMatchObject({ tables: 0 });
    for (let time = 0; time < 4; time++) {
      // Those that can have tables are not kept from them by those that cannot.
      await broadcasts.send(sealer, regulars);
      const { servedByTable } = sealer.stats();
      expectVerdicts(await sealer.seal(requests));
      expect(sealer.stats()).toMatchObject({ tables: time === 0 ? 0 : 3, servedByTable });
    }
  });

  test('serve any number of batches to the same recipients at once', async () => {
    await createSealer(50);
    const regulars = broadcasts.recipients(0, 40);
    const lists = Array.from({ length: 16 }, (_, i) =>
      Array.from({ length: 90 }, (_, j) => regulars[(i * 7 + j * 3) % 40]!),
    );
    for (const round of [0, 1]) {
      const batches = lists.map((list) => sealer.seal(broadcasts.requests(list)));
      const preparing = sealer.prepare(keysOf(regulars));
      for (const [i, results] of (await Promise.all(batches)).entries()) {
        expect(await broadcasts.open(lists[i]!, results), `round ${round}`).toBe(0);
      }
      expect((await preparing).every(({ ok }) => ok)).toBe(true);
      expect(sealer.stats().tables).toBe(40);
    }
    const { servedByTable, servedByLadder } = sealer.stats();
    expect(servedByTable + servedByLadder).toBe(2 * 16 * 90);
    await broadcasts.takeOver(sealer, broadcasts.recipients(100, 150));
  });
});

describe('tables for 400 of 500 recipients', () => {
  const subscribers = broadcasts.recipients(0, 500);

  test.each([
    ['from the third on', 0],
    ['from the first on after prepare()', 1],
  ])('serve about four fifths of every broadcast to them, %s', async (_when, prepareCalls) => {
    await createSealer(400);
    for (let call = 0; call < prepareCalls; call++) {
      expect((await sealer.prepare(keysOf(subscribers))).every(({ ok }) => ok)).toBe(true);
      expect(sealer.stats().tables).toBe(400);
    }
    for (let broadcast = 1; broadcast <= 10; broadcast++) {
      const hits = await countHits(subscribers);
      expect(sealer.stats().tables).toBeLessThanOrEqual(400);
      if (broadcast < 3 - 2 * prepareCalls) continue;
      expect(hits, `broadcast ${broadcast}`).toBeGreaterThanOrEqual(375);
      expect(hits, `broadcast ${broadcast}`).toBeLessThanOrEqual(400);
    }
  });
});

describe('tables of those who are written to again and again', () => {
  test('are not driven out by strangers, who come twice and never again', async () => {
    await createSealer(80);
    const regulars = broadcasts.recipients(0, 60);
    for (let time = 0; time < 2; time++) await broadcasts.send(sealer, regulars);
    let hits = 0;
    for (let day = 0; day < 6; day++) {
      const strangers = broadcasts.recipients(100 + 200 * day, 300 + 200 * day);
      for (let time = 0; time < 2; time++) await broadcasts.send(sealer, strangers);
      hits += await countHits(regulars);
    }
    expect(hits).toBeGreaterThan(0.7 * 6 * 60);
  });
});
