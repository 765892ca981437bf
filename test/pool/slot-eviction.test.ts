import { IdentityKeyPair, sealedSenderEncrypt } from '@signalapp/libsignal-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Sealer, type SealRequest } from 'sealcast';
import { SLOT_COST_BYTES } from '#dist/src/kernel/control.js';
import { toHex, type Bytes } from '../reference/bytes.js';
import { cyclic, openWithLibsignal } from '../support/opening.js';
import { seededBytes, seededInteger } from '../support/seeded-random.js';
import { createAuthority, createWorld, MemoryIdentityStore, usmcOfSize } from '../support/signal-fixtures.js';

// Slots for far fewer parties than there are: workers read and fill slots while the host gives them to others. Were one
// party's DH(S, R) ever taken for another's, an envelope would not open.

const FEW_SLOTS = 5;
const TIMESTAMP_MS = 1_700_000_000_000;

describe('sealing to 200 recipients', () => {
  const world = createWorld(200);
  const random = seededBytes('slot-eviction');
  const contents = Array.from({ length: 5 }, (_, i) =>
    usmcOfSize(world.senderCertificate, 380 + i, random).serialize(),
  );

  test.each([FEW_SLOTS, 1, 40])('with %i slot(s) never mixes their secrets', async (slotCount) => {
    const sealer = await Sealer.create({
      identityKeyPair: world.sender,
      threads: 2,
      recipientCacheBytes: slotCount * SLOT_COST_BYTES,
    });
    let mostCached = 0;
    for (let round = 0; round < 12; round++) {
      // Several batches at once, so that chunks for the same recipients are in both workers' hands.
      const chosen = [0, 1, 2].map(() => Array.from({ length: 150 }, () => seededInteger(random, 200)));
      const batches = chosen.map((indices) =>
        sealer.seal(
          indices.map((index): SealRequest => ({
            recipientIdentityKey: cyclic(world.recipients, index).identity.publicKey,
            content: cyclic(contents, index),
          })),
        ),
      );
      const preparing = sealer.prepare(world.recipients.slice(0, 50).map(({ identity }) => identity.publicKey));
      const sealed = await Promise.all(batches);
      expect((await preparing).filter((result) => result.ok)).toHaveLength(50);
      for (const [which, indices] of chosen.entries()) {
        for (const [place, index] of indices.entries()) {
          const opened = await openWithLibsignal(cyclic(world.recipients, index), sealed[which]?.[place]);
          expect(toHex(opened)).toBe(toHex(cyclic(contents, index)));
        }
      }
      const { cachedRecipients, cachedBytes } = sealer.stats();
      expect(cachedBytes).toBe(cachedRecipients * SLOT_COST_BYTES);
      mostCached = Math.max(mostCached, cachedRecipients);
    }
    expect(mostCached).toBe(slotCount);
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

  async function unsealAtRandom(count: number, options: { trustRoots?: Bytes[]; timestamp?: number }): Promise<void> {
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
      expect(toHex(result.senderIdentityKey)).toBe(toHex(cyclic(senders, index).publicKey.serialize()));
    }
  }

  test('gives no slot to senders whose certificate was not validated', async () => {
    await unsealAtRandom(300, {});
    expect(receiver.stats().cachedRecipients).toBe(0);

    const stranger = createAuthority().trustRoot.serialize();
    const results = await receiver.unseal(envelopes, { trustRoots: [stranger], timestamp: TIMESTAMP_MS });
    expect(results.map((result) => !result.ok && result.error.code)).toEqual(
      envelopes.map(() => 'ERR_INVALID_CERTIFICATE'),
    );
    expect(receiver.stats().cachedRecipients).toBe(0);
  });

  test('from 120 validated senders with 5 slots never mixes their secrets', async () => {
    const options = { trustRoots: [authority.trustRoot.serialize()], timestamp: TIMESTAMP_MS };
    for (let round = 0; round < 20; round++) {
      await Promise.all([unsealAtRandom(150, options), unsealAtRandom(150, options), unsealAtRandom(40, {})]);
    }
    expect(receiver.stats().cachedRecipients).toBe(FEW_SLOTS);
  });
});
