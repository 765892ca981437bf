import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  openReceiverScene,
  take,
  text,
  threadsOf,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';

let scene: ReceiverScene;
beforeEach(async () => {
  scene = await openReceiverScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function reopen(threads: number): Promise<void> {
  await scene.receiver.close();
  scene = await openReceiverScene({ store: scene.store, threads }, scene.service);
}

describe('messages', () => {
  it.each([1, 2])(
    'of many senders and devices keep their order over many batches (%i threads)',
    async (threads) => {
      await reopen(threads);
      const { service, receiver } = scene;
      const senders = await Promise.all(
        Array.from({ length: 150 }, (_, i) => service.subscribe(i % 5 ? [1] : [1, 2])),
      );
      const devices = senders.flatMap((sender) =>
        [...sender.devices.keys()].map((deviceId) => ({ sender, deviceId })),
      );
      const texts = Array.from({ length: 6 }, (_, round) => `text ${round}`);
      const taking = take(receiver, devices.length * texts.length);
      // Interleaved: a batch has many senders, and a sender many batches.
      for (const [round, body] of texts.entries()) {
        for (const [i, { sender, deviceId }] of devices.entries()) {
          await service.send(sender, text(body), { deviceId, sealed: (i + round) % 3 > 0 });
        }
      }
      const messages = await taking;
      const threadsByName = threadsOf(messages);
      expect(threadsByName.size).toBe(devices.length);
      for (const bodies of threadsByName.values()) expect(bodies).toEqual(texts);
      await untilDelivered(scene);
      expect(receiver.stats()).toMatchObject({
        messages: messages.length,
        undecryptable: 0,
        duplicates: 0,
        deferred: 0,
      });
    },
  );
});
