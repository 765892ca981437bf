import { IdentityKeyPair, sealedSenderEncrypt } from '@signalapp/libsignal-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Sealer, type SealRequest } from 'sealcast';
import { RECIPIENT_TABLES_BYTES } from '#dist/assembly/abi.js';
import { planMemory, SLOT_COST_BYTES, TABLES_COST_BYTES } from '#dist/src/kernel/control.js';
import { toHex, type Bytes } from '../reference/bytes.js';
import { cyclic, openWithLibsignal } from '../harness/opening.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import {
  createAuthority,
  createWorld,
  MemoryIdentityStore,
  usmcOfSize,
} from '../harness/signal-fixtures.js';

// Slots and tables for far fewer parties than there are: workers read and fill them while the host
// gives them to others. Were one party's DH(S, R), or tables, ever taken for another's, an envelope
// would not open.

const FEW_SLOTS = 5;
const TIMESTAMP_MS = 1_700_000_000_000;

describe('sealing to 200 recipients', () => {
  const world = createWorld(200);
  const random = seededBytes('slot-eviction');
  const contents = Array.from({ length: 5 }, (_, i) =>
    usmcOfSize(world.senderCertificate, 380 + i, random).serialize(),
  );

  test.each([
    ['5 slots', FEW_SLOTS * SLOT_COST_BYTES],
    ['1 slot', SLOT_COST_BYTES],
    ['tables for 1', TABLES_COST_BYTES],
    ['tables for 3', 3 * TABLES_COST_BYTES],
    ['tables for 40', 40 * TABLES_COST_BYTES],
  ])('with room for %s never mixes what belongs to them', async (_room, recipientCacheBytes) => {
    const { slotCount, tablesCount } = planMemory(recipientCacheBytes, 0);
    const sealer = await Sealer.create({
      identityKeyPair: world.sender,
      threads: 2,
      recipientCacheBytes,
    });
    let mostCached = 0;
    let mostTables = 0;
    for (let round = 0; round < 12; round++) {
      // Several batches at once, so that chunks for the same recipients are in both workers' hands.
      const chosen = [0, 1, 2].map(() =>
        Array.from({ length: 150 }, () => seededInteger(random, 200)),
      );
      const batches = chosen.map((indices) =>
        sealer.seal(
          indices.map((index): SealRequest => ({
            recipientIdentityKey: cyclic(world.recipients, index).identity.publicKey,
            content: cyclic(contents, index),
          })),
        ),
      );
      const preparing = sealer.prepare(
        world.recipients.slice(0, 50).map(({ identity }) => identity.publicKey),
      );
      const sealed = await Promise.all(batches);
      expect((await preparing).filter((result) => result.ok)).toHaveLength(50);
      for (const [which, indices] of chosen.entries()) {
        for (const [place, index] of indices.entries()) {
          const opened = await openWithLibsignal(
            cyclic(world.recipients, index),
            sealed[which]?.[place],
          );
          expect(toHex(opened)).toBe(toHex(cyclic(contents, index)));
        }
      }
      const { cachedRecipients, cachedBytes, tables } = sealer.stats();
      expect(cachedBytes).toBe(
        cachedRecipients * SLOT_COST_BYTES + tables * RECIPIENT_TABLES_BYTES,
      );
      expect(cachedBytes).toBeLessThanOrEqual(recipientCacheBytes);
      mostCached = Math.max(mostCached, cachedRecipients);
      mostTables = Math.max(mostTables, tables);
    }
    expect(mostCached).toBe(Math.min(slotCount, 200));
    expect(mostTables).toBe(tablesCount);
    const { servedByTable, servedByLadder } = sealer.stats();
    expect(servedByTable + servedByLadder).toBe(12 * 3 * 150);
    expect(servedByTable > 0).toBe(tablesCount > 0);
    await sealer.close();
  });
});

describe('unsealing', () => {
  const authority = createAuthority();
  const recipient = IdentityKeyPair.generate();
  const random = seededBytes('many-senders');
  const senders = Array.from({ length: 120 }, () => IdentityKeyPair.generate());
  let envelopes: Bytes[];
  let contents: Bytes[];
  let receiver: Sealer;

  beforeAll(async () => {
    const usmcs = senders.map((sender, i) =>
      usmcOfSize(authority.issueSenderCertificate(sender.publicKey), 400 + i, random),
    );
    contents = usmcs.map((usmc) => usmc.serialize());
    envelopes = await Promise.all(
      usmcs.map((usmc, i) => {
        const store = new MemoryIdentityStore(cyclic(senders, i));
        return sealedSenderEncrypt(usmc, store.meet(recipient.publicKey, 'recipient'), store);
      }),
    );
    receiver = await Sealer.create({
      identityKeyPair: recipient,
      threads: 2,
      recipientCacheBytes: FEW_SLOTS * SLOT_COST_BYTES,
    });
  });
  afterAll(() => receiver.close());

  async function unsealAtRandom(
    count: number,
    options: { trustRoots?: Bytes[]; timestamp?: number },
  ): Promise<void> {
    const indices = Array.from({ length: count }, () => seededInteger(random, senders.length));
    const results = await receiver.unseal(
      indices.map((index) => cyclic(envelopes, index)),
      options,
    );
    expect(results).toHaveLength(count);
    for (const [place, index] of indices.entries()) {
      const result = results[place];
      if (result?.ok !== true) throw result?.error ?? new Error('no result');
      expect(toHex(result.content)).toBe(toHex(cyclic(contents, index)));
      expect(toHex(result.senderIdentityKey)).toBe(
        toHex(cyclic(senders, index).publicKey.serialize()),
      );
    }
  }

  test('gives no slot to senders whose certificate was not validated', async () => {
    await unsealAtRandom(300, {});
    expect(receiver.stats().cachedRecipients).toBe(0);

    const stranger = createAuthority().trustRoot.serialize();
    const results = await receiver.unseal(envelopes, {
      trustRoots: [stranger],
      timestamp: TIMESTAMP_MS,
    });
    expect(results.map((result) => !result.ok && result.error.code)).toEqual(
      envelopes.map(() => 'ERR_INVALID_CERTIFICATE'),
    );
    expect(receiver.stats().cachedRecipients).toBe(0);
  });

  test('from 120 validated senders with 5 slots never mixes their secrets', async () => {
    const options = { trustRoots: [authority.trustRoot.serialize()], timestamp: TIMESTAMP_MS };
    for (let round = 0; round < 20; round++) {
      await Promise.all([
        unsealAtRandom(150, options),
        unsealAtRandom(150, options),
        unsealAtRandom(40, {}),
      ]);
    }
    expect(receiver.stats().cachedRecipients).toBe(FEW_SLOTS);
  });
});
