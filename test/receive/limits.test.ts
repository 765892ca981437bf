import { MAX_ENVELOPE_BYTES } from '#dist/src/receive/types.js';
import { EnvelopeQueue } from '#dist/src/receive/envelope-queue.js';
import { EnvelopeOpener } from '#dist/src/receive/envelope-opener.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countTurns } from '../harness/count-turns.js';
import { serviceEnvelope } from '../fakes/mailbox-service.js';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';

let scene: ReceiverScene;
beforeEach(async () => {
  scene = await openReceiverScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

describe('an envelope above the limit', () => {
  it('is refused unread, acknowledged and counted, and the next message is read', async () => {
    const { service, receiver } = scene;
    // It is whole, and of a type that nobody knows: it is its length that it is refused for.
    const overhead = serviceEnvelope({
      type: 99,
      content: new Uint8Array(MAX_ENVELOPE_BYTES),
    }).length;
    const content = new Uint8Array(2 * MAX_ENVELOPE_BYTES - overhead);
    const largest = serviceEnvelope({ type: 99, content });
    expect(largest).toHaveLength(MAX_ENVELOPE_BYTES);
    service.queue(largest);
    service.queue(serviceEnvelope({ type: 99, content: new Uint8Array(content.length + 1) }));
    await service.send(await service.subscribe(), text('after'));
    expect(bodiesOf(await take(receiver, 1))).toEqual(['after']);
    await untilDelivered(scene);
    expect(receiver.stats().refused).toMatchObject({ 'too-large': 1, 'unknown-type': 1 });
  });
});

describe('envelopes that wait', () => {
  const intakeOf = (lengths: readonly number[]): EnvelopeQueue => {
    const intake = new EnvelopeQueue({
      settled: () => Promise.resolve(),
      request: () => undefined,
    });
    for (const length of lengths) {
      intake.push({
        bytes: new Uint8Array(length),
        deliveredMs: length,
        ack: { send: () => undefined },
      });
    }
    return intake;
  };

  it('are given in batches up to a number of bytes, and one at least', async () => {
    const intake = intakeOf([40, 50, 20, 500, 10]);
    const batches = [];
    while (intake.length > 0)
      batches.push((await intake.next(10, 100)).map(({ bytes }) => bytes.length));
    expect(batches).toEqual([[40, 50], [20], [500], [10]]);
  });
});

it('opened envelopes are read in turns of the event loop', async () => {
  let nowMs = 0;
  // Each look at the clock is a long time after the one before.
  const opener = new EnvelopeOpener(
    { unseal: () => Promise.resolve([]) },
    [],
    { aci: '', deviceId: 1, identityPublicKey: new Uint8Array(33), pni: () => undefined },
    () => (nowMs += 10),
  );
  const bytes = serviceEnvelope({ type: 99, content: Uint8Array.of(1) });
  const letters = Array.from({ length: 128 }, () => ({
    bytes,
    deliveredMs: 0,
    ack: { send: () => undefined },
  }));
  expect(await countTurns(opener.open(letters))).toBeGreaterThanOrEqual(letters.length - 1);
});
