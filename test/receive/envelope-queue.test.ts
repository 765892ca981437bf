import { EnvelopeQueue, type IncomingEnvelope } from '#dist/src/receive/envelope-queue.js';
import { describe, expect, it } from 'vitest';
import { manyTurns } from '../harness/await-condition.js';

const letter = (name: number, lengthBytes = 1): IncomingEnvelope => ({
  bytes: new Uint8Array(lengthBytes),
  deliveredMs: name,
  ack: { send: () => undefined },
});
const namesOf = (letters: readonly IncomingEnvelope[]): number[] =>
  letters.map(({ deliveredMs }) => deliveredMs);

/** An intake in front of a service that delivers all from the first one on that is not taken. */
function openIntake(
  count: number,
  lengthBytes: number,
): { intake: EnvelopeQueue; taken: number[]; redeliveries: () => number } {
  const taken: number[] = [];
  let redeliveries = 0;
  const deliver = (): void => {
    for (let name = taken.length; name < count; name++) intake.push(letter(name, lengthBytes));
  };
  const intake = new EnvelopeQueue({
    settled: () => Promise.resolve(),
    request: () => {
      redeliveries += 1;
      intake.forget();
      setImmediate(deliver);
    },
  });
  deliver();
  return { intake, taken, redeliveries: () => redeliveries };
}

describe('an intake', () => {
  it.each([
    ['many letters', 10_000, 10],
    ['large ones', 200, 1024 * 1024],
    ['ones that are each larger than all room', 3, 40 * 1024 * 1024],
  ])(
    'has %s delivered again that it has no room for, and gives all in order',
    async (_, count, lengthBytes) => {
      const { intake, taken, redeliveries } = openIntake(count, lengthBytes);
      while (taken.length < count) taken.push(...namesOf(await intake.next(256)));
      expect(taken).toEqual(Array.from({ length: count }, (_unused, i) => i));
      expect(redeliveries()).toBeGreaterThan(0);
    },
  );

  it('from which one is given back takes none behind it before that one has come again', async () => {
    let settle = (): void => undefined;
    let redeliveries = 0;
    const settled = new Promise<void>((resolve) => (settle = resolve));
    const intake = new EnvelopeQueue({
      settled: () => settled,
      request: () => void (redeliveries += 1),
    });
    intake.push(letter(1));
    intake.push(letter(2));
    expect(namesOf(await intake.next(1))).toEqual([1]);
    intake.giveBack();
    intake.push(letter(3));
    const next = intake.next(10);
    await manyTurns();
    // What else was taken is still being worked on: it must not come again.
    expect([redeliveries, intake.length]).toEqual([0, 0]);
    settle();
    await manyTurns();
    expect(redeliveries).toBe(1);
    for (const name of [1, 2, 3]) intake.push(letter(name));
    expect(namesOf(await next)).toEqual([1, 2, 3]);
  });

  it('that ends while it waits gives nothing more', async () => {
    const { intake } = openIntake(0, 1);
    const next = intake.next(1);
    intake.end();
    intake.push(letter(1));
    expect(await next).toEqual([]);
    expect(await intake.next(1)).toEqual([]);
  });
});
