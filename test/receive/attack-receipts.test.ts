import { BatchItem, readContents } from '#dist/src/receive/batch-contents.js';
import type { OpenedEnvelope } from '#dist/src/receive/envelope-opener.js';
import type { IncomingEnvelope } from '#dist/src/receive/envelope-queue.js';
import { encodeContent, padPlaintext } from '#dist/src/content/index.js';
import { TURN_MS } from '#dist/src/util/time-slicer.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spin } from '../harness/count-turns.js';
import {
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

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
});

it('contents that take long to read leave the event loop its turn before the next one', async () => {
  const plaintext = padPlaintext(encodeContent({ dataMessage: { body: 'long' } }));
  let turn = 0;
  let isCounting = true;
  const count = (): void => {
    turn += 1;
    if (isCounting) setImmediate(count);
  };
  const turns: number[] = [];
  class SlowItem extends BatchItem {
    override readContent(): void {
      turns.push(turn);
      spin(TURN_MS);
      super.readContent();
    }
  }
  const opened = { envelopeType: 'whisper', sender: '', senderDevice: 1 } as OpenedEnvelope;
  const items = Array.from({ length: 30 }, (): BatchItem => {
    const item = new SlowItem({} as IncomingEnvelope, opened);
    item.takeDecrypted({ status: 'ok', plaintext });
    return item;
  });
  count();
  await readContents(items);
  isCounting = false;
  for (const { content } of items) expect(content?.dataMessage?.body).toBe('long');
  expect(new Set(turns).size).toBe(items.length);
});
