import { randomUUID } from 'node:crypto';
import { MemoryStore, type BroadcastMessage } from 'sealcast';
import { afterEach, describe, expect, it } from 'vitest';
import { readMessage } from '#dist/src/content/index.js';
import {
  acis,
  changeContact,
  contactOf,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';

const author = randomUUID();
const pointer = {
  cdnKey: 'a-key',
  cdnNumber: 3,
  key: new Uint8Array(64).fill(1),
  digest: new Uint8Array(32).fill(2),
  size: 5_000,
  contentType: 'image/png',
};
const MESSAGES: readonly [string, BroadcastMessage][] = [
  [
    'a text with styles, a mention, a quote and a preview',
    {
      body: 'Hello \uFFFC, see https://example.org/',
      bodyRanges: [{ start: 0, length: 5, style: 'bold' }],
      mentions: [{ start: 6, length: 1, aci: author }],
      quote: { author, timestamp: 5, text: 'What is new?' },
      preview: { url: 'https://example.org/', title: 'News' },
    },
  ],
  ['an attachment with a caption', { body: 'The quay', attachments: [pointer] }],
  ['an image to be seen once', { attachments: [pointer], viewOnce: true }],
  ['a reaction', { reaction: { emoji: '🎉', author, timestamp: 5 } }],
  ['a poll', { poll: { question: 'When?', options: ['now', 'later'], allowMultiple: true } }],
];

let scene: Scene | undefined;
afterEach(() => scene?.[Symbol.asyncDispose]());

/** Messages that a subscriber's device has decrypted, in the shapes in which they are received. */
function readBy({ service }: Scene, aci: string): unknown[] {
  return service.arrivals
    .filter(({ recipient }) => recipient === aci)
    .map(({ contentBytes }) => {
      const { attachments, ...message } = readMessage(contentBytes) ?? {};
      const pointers = attachments?.map((attachment) => attachment.pointer);
      return { ...message, ...(pointers && { attachments: pointers }) };
    });
}

describe('a broadcast', () => {
  it.each(MESSAGES)('of %s brings each recipient all of it', async (_, message) => {
    scene = await openScene();
    const subscribers = await subscribeKnown(scene, 3);
    const { sealed } = await scene.broadcaster.broadcast(message, acis(subscribers)).summary();
    expect(sealed).toBe(3);
    for (const { aci } of subscribers) expect(readBy(scene, aci)).toEqual([message]);
  });

  it('of Markdown brings its text and styles', async () => {
    scene = await openScene();
    const subscribers = await subscribeKnown(scene, 1);
    const markdown = '**The bridge** is ||open||.';
    await scene.broadcaster.broadcast({ markdown }, acis(subscribers)).summary();
    expect(readBy(scene, subscribers[0]?.aci ?? '')).toEqual([
      {
        body: 'The bridge is open.',
        bodyRanges: [
          { start: 0, length: 10, style: 'bold' },
          { start: 14, length: 4, style: 'spoiler' },
        ],
      },
    ]);
  });

  it('goes on with the same message, and is refused with another style', async () => {
    const opened = await openScene();
    scene = opened;
    const [first, second] = await subscribeKnown(scene, 2);
    if (first === undefined || second === undefined) throw new Error('no subscribers');
    const send = (message: BroadcastMessage): Promise<unknown> =>
      opened.broadcaster
        .broadcast(message, acis([first, second]), { id: 'b', timestamp: 1_795_000_000_000 })
        .summary();
    const bold = { start: 0, length: 3, style: 'bold' } as const;
    await send({ body: 'The bridge is open.', bodyRanges: [bold] });
    await send({ body: 'The bridge is open.', bodyRanges: [bold] });
    expect(readBy(scene, first.aci)).toHaveLength(1);
    await expect(
      send({ body: 'The bridge is open.', bodyRanges: [{ ...bold, style: 'italic' }] }),
    ).rejects.toMatchObject({ code: 'ERR_BROADCAST_MISMATCH' });
  });

  it('with a timer of its own changes that of the conversation, by the next version', async () => {
    scene = await openScene();
    const [subscriber] = await subscribeKnown(scene, 1);
    if (subscriber === undefined) throw new Error('no subscriber');
    await changeContact(scene, subscriber, { expireTimer: 60, expireTimerVersion: 4 });
    const timerAfter = async (message: BroadcastMessage): Promise<unknown> => {
      await scene?.broadcaster.broadcast(message, [subscriber.aci]).summary();
      const { expireTimer, expireTimerVersion } = scene?.service.arrivals.at(-1)?.message ?? {};
      return [expireTimer, expireTimerVersion];
    };
    expect(await timerAfter({ body: 'as it is' })).toEqual([60, 4]);
    expect(await timerAfter({ body: 'a week', expireTimer: 604_800 })).toEqual([604_800, 5]);
    expect(await timerAfter({ body: 'the same', expireTimer: 60 })).toEqual([60, 4]);
    expect(await timerAfter({ body: 'for good', expireTimer: 0 })).toEqual([0, 5]);
    expect(await contactOf(scene, subscriber)).toMatchObject({ expireTimerVersion: 4 });
  });

  it('is resumed from the store with all of its message', async () => {
    const store = new MemoryStore();
    scene = await openScene({ store });
    const { service } = scene;
    const [subscriber] = await subscribeKnown(scene, 1);
    if (subscriber === undefined) throw new Error('no subscriber');
    const [[, message] = ['', {}]] = MESSAGES;
    service.intercepts.set('sendSealed', () => {
      void scene?.broadcaster.close();
      return Promise.resolve({ status: 'unavailable' } as const);
    });
    const run = scene.broadcaster.broadcast(message, [subscriber.aci], { id: 'b' });
    await expect(run.summary()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    service.intercepts.delete('sendSealed');
    scene = await openScene({ store }, service);
    expect(await scene.broadcaster.resume()).toMatchObject([{ id: 'b', status: 'finished' }]);
    expect(readBy(scene, subscriber.aci)).toEqual([message]);
  });
});
