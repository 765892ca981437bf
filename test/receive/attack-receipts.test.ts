import type * as ContentIndex from '#dist/src/content/index.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { spin } from '../harness/count-turns.js';
import {
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

/** In which turns of the event loop contents were read, once a test says how to tell them. */
const reads = vi.hoisted(() => ({
  turns: [] as number[],
  turnOf: undefined as (() => number) | undefined,
}));
vi.mock('#dist/src/content/index.js', async (importOriginal) => {
  const original = await importOriginal<typeof ContentIndex>();
  const decodeContent: typeof original.decodeContent = (bytes) => {
    if (reads.turnOf !== undefined) {
      reads.turns.push(reads.turnOf());
      // Longer than a turn: reading what is let through does not take that long by itself.
      spin(5);
    }
    return original.decodeContent(bytes);
  };
  return { ...original, decodeContent };
});

let scene: ReceiverScene;
let sender: Subscriber;
beforeEach(async () => {
  scene = await openReceiverScene();
  sender = await scene.service.subscribe();
});
afterEach(() => scene[Symbol.asyncDispose]());

const receipt = (count: number): object => ({
  receiptMessage: { type: 1, timestamp: new Array<number>(count).fill(1) },
});

describe('a receipt', () => {
  it('for 4,096 messages is given out, for one more it is refused', async () => {
    const { service, receiver } = scene;
    await service.send(sender, receipt(4096));
    await service.send(sender, receipt(4097));
    const [given] = await take(receiver, 1);
    expect(given?.content.receiptMessage?.timestamps).toHaveLength(4096);
    await untilDelivered(scene);
    expect(receiver.stats()).toMatchObject({ messages: 1, refused: { 'invalid-content': 1 } });
  });

  it('as long as a message may be is not kept, and holds up no other', async () => {
    const { service, receiver, store } = scene;
    // Two bytes each: 96 KiB.
    const longest = receipt(48_000);
    for (let i = 0; i < 100; i++) await service.send(sender, longest);
    await service.send(sender, text('the next one'));
    await untilDelivered(scene);
    expect(receiver.stats()).toMatchObject({ ready: 1, refused: { 'invalid-content': 100 } });
    expect(await store.list('inbox', { prefix: '', limit: 10 })).toHaveLength(1);
  });

  it('that takes long to read leaves the event loop its turn before the next one', async () => {
    const { service, store } = scene;
    const messages = 60;
    await scene.receiver.close();
    // They lie there when the account connects, and are read together.
    for (let i = 0; i < messages; i++) await service.send(sender, receipt(48_000));
    let turn = 0;
    let isCounting = true;
    const count = (): void => {
      turn += 1;
      if (isCounting) setImmediate(count);
    };
    count();
    reads.turnOf = () => turn;
    await using next = await openReceiverScene({ store }, service);
    await untilDelivered(next);
    isCounting = false;
    expect(next.receiver.stats().refused['invalid-content']).toBe(messages);
    expect(reads.turns).toHaveLength(messages);
    expect(new Set(reads.turns).size).toBe(messages);
  });
});
