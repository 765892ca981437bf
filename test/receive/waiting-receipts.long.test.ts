import { beforeEach, describe, expect, it } from 'vitest';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { MailboxService, serviceEnvelope } from '../fakes/mailbox-service.js';
import { openReceiverScene, untilDelivered } from '../harness/receivers.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

let service: MailboxService;
let senders: Subscriber[];

beforeEach(async () => {
  service = new MailboxService();
  senders = await Promise.all(Array.from({ length: 4 }, () => service.subscribe()));
});

describe('without a loop that iterates', () => {
  const receiptOf = ({ aci }: Subscriber, timestamp: number): Uint8Array<ArrayBuffer> =>
    serviceEnvelope({
      type: 5,
      sourceServiceId: aci,
      sourceDeviceId: 1,
      clientTimestamp: timestamp,
      serverTimestamp: 1,
    });

  it.each([256, Infinity])(
    '100,000 receipts take a bounded room (window %d), and come in order, once',
    async (window) => {
      const count = 100_000;
      service.window = window;
      await using scene = await openReceiverScene({}, service);
      const { receiver } = scene;
      const used = (): number => {
        globalThis.gc?.();
        const { heapUsed, external, arrayBuffers } = process.memoryUsage();
        return heapUsed + external + arrayBuffers;
      };
      const envelopes = Array.from({ length: count }, (_, i) => receiptOf(senders[i % 4]!, i + 1));
      const before = used();
      for (const envelope of envelopes) service.queue(envelope);
      // The service's own queue of it, in this process, is some 150 bytes a message.
      await untilTrue(() => receiver.stats().ready >= 1024);
      await manyTurns();
      const { ready, waiting } = receiver.stats();
      expect(ready).toBeLessThan(1024 + 4 * 256);
      expect(waiting).toBeLessThanOrEqual(Math.min(window, 4096));
      expect(used() - before).toBeLessThan(96 * 1024 * 1024);
      const timestamps: number[] = [];
      for await (const { timestamp } of receiver) if (timestamps.push(timestamp) === count) break;
      expect(timestamps).toEqual(Array.from({ length: count }, (_, i) => i + 1));
      await untilDelivered({ service });
      expect(receiver.stats()).toMatchObject({ messages: count, duplicates: 0 });
      expect(service.redeliveries > 0).toBe(window === Infinity);
    },
  );
});
