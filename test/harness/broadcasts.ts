// Broadcasts of a Sealer whose every envelope is opened with libsignal: tables of another's key
// must not go unnoticed.
import { expect } from 'vitest';
import type { Sealer, SealRequest, SealResult } from 'sealcast';
import { toHex, type Bytes } from '../reference/bytes.js';
import { cyclic, openWithLibsignal } from './opening.js';
import { seededBytes } from './seeded-random.js';
import {
  createWorld,
  usmcOfSize,
  type SignalRecipient,
  type SignalWorld,
} from './signal-fixtures.js';

/** How many envelopes a call was served with by tables, and by the ladder. */
export interface Served {
  readonly byTable: number;
  readonly byLadder: number;
}

export class Broadcasts {
  readonly world: SignalWorld;
  readonly #contents: readonly Bytes[];

  constructor(recipientCount: number, seed: string) {
    this.world = createWorld(recipientCount);
    const random = seededBytes(seed);
    const { senderCertificate } = this.world;
    // Lengths of 0 to 3 modulo 4 around a block's end: neighbours in a chunk never have the same
    // content.
    this.#contents = Array.from({ length: 5 }, (_, i) =>
      usmcOfSize(senderCertificate, 380 + i, random).serialize(),
    );
  }

  recipients(begin: number, end: number): readonly SignalRecipient[] {
    return this.world.recipients.slice(begin, end);
  }

  requests(recipients: readonly SignalRecipient[]): SealRequest[] {
    return recipients.map(({ identity }, i) => ({
      recipientIdentityKey: identity.publicKey,
      content: cyclic(this.#contents, i),
    }));
  }

  /** Opens all results but those whose worker was lost, for whose number it gives. */
  async open(
    recipients: readonly SignalRecipient[],
    results: readonly SealResult[],
  ): Promise<number> {
    expect(results).toHaveLength(recipients.length);
    let lostCount = 0;
    for (const [i, recipient] of recipients.entries()) {
      const result = results[i];
      if (result?.ok === false && result.error.code === 'ERR_WORKER_LOST') lostCount += 1;
      else
        expect(toHex(await openWithLibsignal(recipient, result))).toBe(
          toHex(cyclic(this.#contents, i)),
        );
    }
    return lostCount;
  }

  /** Seals to all of them, each once, and opens it. */
  async send(sealer: Sealer, recipients: readonly SignalRecipient[]): Promise<Served> {
    const before = sealer.stats();
    const results = await sealer.seal(this.requests(recipients));
    const after = sealer.stats();
    expect(await this.open(recipients, results)).toBe(0);
    return {
      byTable: after.servedByTable - before.servedByTable,
      byLadder: after.servedByLadder - before.servedByLadder,
    };
  }

  /**
   * Sends to as many newcomers as there are tables until these have them all. Tables that anybody
   * still had pinned would never be theirs.
   */
  async takeOver(sealer: Sealer, newcomers: readonly SignalRecipient[]): Promise<void> {
    for (let lap = 0; lap < 40; lap++) {
      const { byTable } = await this.send(sealer, newcomers);
      if (byTable === newcomers.length && sealer.stats().tables === newcomers.length) return;
    }
    expect(sealer.stats()).toMatchObject({ tables: newcomers.length });
    throw new Error('some tables can be had no more');
  }
}

export const keysOf = (
  recipients: readonly SignalRecipient[],
): SignalRecipient['identity']['publicKey'][] =>
  recipients.map(({ identity }) => identity.publicKey);
