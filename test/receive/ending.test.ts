import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SealcastError, type ReceivedMessage } from 'sealcast';
import { untilTrue } from '../harness/await-condition.js';
import { openReceiverScene, text, type ReceiverScene } from '../harness/receivers.js';

const refused = new SealcastError(
  'ERR_TRANSPORT_REFUSED',
  'the service refuses this client for good',
);

let scene: ReceiverScene;
let stopped: unknown[];
beforeEach(async () => {
  scene = await openReceiverScene();
  stopped = [];
  scene.receiver.on('stopped', ({ error }) => stopped.push(error));
});
afterEach(() => scene.receiver.close());

async function sendTexts(count: number): Promise<void> {
  const subscriber = await scene.service.subscribe();
  await scene.service.beginSession(subscriber);
  for (let i = 0; i < count; i++) await scene.service.send(subscriber, text(`message ${i}`));
}

/** Messages that the loop was given, and the error that ended it. */
async function iterate(): Promise<{ bodies: (string | undefined)[]; error: unknown }> {
  const bodies: (string | undefined)[] = [];
  try {
    for await (const { content } of scene.receiver as AsyncIterable<ReceivedMessage>)
      bodies.push(content.dataMessage?.body);
  } catch (error) {
    return { bodies, error };
  }
  return { bodies, error: undefined };
}

describe('a receiver whose connection the service ends for good', () => {
  it('throws out of a loop that waits, and emits stopped', async () => {
    const loop = iterate();
    await untilTrue(() => scene.receiver.listenerCount('stopped') === 1);
    scene.service.endConnection(refused);
    expect(await loop).toEqual({ bodies: [], error: refused });
    await untilTrue(() => stopped.length > 0);
    expect(stopped).toEqual([refused]);
  });

  it('gives what was taken before it throws', async () => {
    await sendTexts(3);
    await untilTrue(() => scene.receiver.stats().ready === 3);
    scene.service.endConnection(refused);
    await untilTrue(() => stopped.length === 1);
    expect(await iterate()).toEqual({
      bodies: ['message 0', 'message 1', 'message 2'],
      error: refused,
    });
    expect((await iterate()).error).toBe(refused);
  });

  it('emits stopped where messages are discarded', async () => {
    scene.receiver.discard();
    scene.service.endConnection(refused);
    await untilTrue(() => stopped.length === 1);
    expect(stopped).toEqual([refused]);
  });

  it('emits stopped once, and closes as ever', async () => {
    scene.service.endConnection(refused);
    scene.service.endConnection(refused);
    await untilTrue(() => stopped.length > 0);
    await scene.receiver.close();
    expect(stopped).toEqual([refused]);
    expect(
      await scene.receiver[Symbol.asyncIterator]()
        .next()
        .catch((error: unknown) => error),
    ).toBe(refused);
  });

  it('keeps for the next receiver what was ready and not dealt with', async () => {
    await sendTexts(2);
    await untilTrue(() => scene.receiver.stats().ready === 2);
    scene.service.endConnection(refused);
    await untilTrue(() => stopped.length === 1);
    await scene.receiver.close();
    const { service, store } = scene;
    scene = await openReceiverScene({ store }, service);
    expect(scene.receiver.stats().ready).toBe(2);
  });
});
