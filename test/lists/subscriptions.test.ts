import {
  openList,
  subscriptions,
  SUBSCRIPTION_ANSWERS,
  type ReceivedMessage,
  type SubscriberList,
  type SubscriptionsOptions,
} from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failTest, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { itemsOf } from './list-scene.js';

let scene: Scene;
let list: SubscriberList;
let people: Subscriber[];
beforeEach(async () => {
  scene = await openScene();
  list = await openList(scene.store, 'news');
  people = await subscribeKnown(scene, 3);
});
afterEach(() => scene[Symbol.asyncDispose]());

const person = (index: number): string => people[index]?.aci ?? failTest('person');
let clock = 1_000;
const message = (sender: string, body: string, rest: object = {}): ReceivedMessage => {
  const fields = {
    sender,
    senderDevice: 1,
    sealed: true,
    timestamp: (clock += 1),
    serverTimestamp: clock,
    content: { dataMessage: { body } },
    contentBytes: new Uint8Array(),
    envelopeType: 'whisper',
    ...rest,
  };
  return fields as unknown as ReceivedMessage;
};

/** Serves these messages; gives those that were handed out. */
function serve(
  messages: readonly ReceivedMessage[],
  options: Partial<SubscriptionsOptions> = {},
): Promise<ReceivedMessage[]> {
  const { broadcaster } = scene;
  return itemsOf(
    subscriptions({ list, receiver: { [Symbol.asyncIterator]: feed }, broadcaster, ...options }),
  );
  async function* feed(): AsyncGenerator<ReceivedMessage> {
    yield* await Promise.resolve(messages);
  }
}

/** Texts of the broadcasts to one person, from what the outbox has. */
async function answersTo(recipient: string): Promise<number> {
  let answers = 0;
  for await (const { id } of scene.broadcaster.broadcasts())
    for await (const delivery of scene.broadcaster.deliveries(id))
      if (delivery.recipient === recipient) answers += 1;
  return answers;
}

describe('messages that are words', () => {
  test('add and remove their senders, and are not handed out', async () => {
    const others = await serve([
      message(person(0), 'HELLO'),
      message(person(1), 'Hola!'),
      message(person(2), 'hello there'),
      message(person(0), 'Stop.'),
    ]);
    expect(others.map(({ content }) => content.dataMessage?.body)).toEqual(['hello there']);
    expect(await itemsOf(list)).toEqual([person(1)]);
    expect(await list.add(person(0))).toBe('suppressed');
  });

  test('are answered in their own language, or in the default one', async () => {
    const bodies: string[] = [];
    const broadcaster: SubscriptionsOptions['broadcaster'] = {
      publicId: (id) => scene.broadcaster.publicId(id),
      broadcast: (content, recipients, options) => {
        bodies.push(content.body ?? '');
        return scene.broadcaster.broadcast(content, recipients, options);
      },
    };
    await serve(
      [message(person(0), 'hola'), message(person(0), 'СТОП'), message(person(0), 'Abmelden')],
      { broadcaster, language: 'fr' },
    );
    expect(bodies).toEqual([
      SUBSCRIPTION_ANSWERS['es']?.joined,
      // Russian and Ukrainian share the word.
      SUBSCRIPTION_ANSWERS['fr']?.left,
      SUBSCRIPTION_ANSWERS['de']?.left,
    ]);
  });

  test('remove their senders where an edit makes them, and add no one', async () => {
    await list.add(person(0));
    const edit = (body: string): object => ({
      content: { editMessage: { dataMessage: { body } } },
    });
    const others = await serve([
      message(person(0), '', edit('STOP')),
      message(person(1), '', edit('HELLO')),
    ]);
    expect(others).toHaveLength(1);
    expect(await list.count()).toBe(0);
    expect(await list.add(person(0))).toBe('suppressed');
  });

  test('of a person who left add them again', async () => {
    await list.remove(person(0), { reason: 'stop' });
    await serve([message(person(0), 'JOIN')]);
    expect(await list.count()).toBe(1);
  });

  test('are answered once, also where the message comes again', async () => {
    const stop = message(person(0), 'stop');
    await serve([stop, stop]);
    await serve([stop]);
    await expect.poll(() => answersTo(person(0))).toBe(1);
  });

  test('can be others, with other answers or none', async () => {
    const words = { en: { join: ['news on'], leave: ['news off'] } };
    const others = await serve([message(person(0), 'NEWS ON'), message(person(0), 'stop')], {
      words,
      answers: null,
    });
    expect(others).toHaveLength(1);
    expect(await list.count()).toBe(1);
    expect(await answersTo(person(0))).toBe(0);
  });
});

test.each([
  ['of a group', { content: { dataMessage: { body: 'STOP', groupV2: {} } } }],
  ['that are cut off', { content: { dataMessage: { body: 'STOP', truncated: true } } }],
  ['of our other devices', { sentTranscript: {} }],
  ['without a text', { content: {} }],
])('messages %s are handed out', async (_what, rest) => {
  await list.add(person(0));
  expect(await serve([message(person(0), 'STOP', rest)])).toHaveLength(1);
  expect(await list.count()).toBe(1);
});

test('an answer that the service limits keeps no other person from leaving', async () => {
  let limited = 0;
  scene.service.intercepts.set('sendSealed', () => {
    limited += 1;
    return Promise.resolve({ status: 'rate-limited', retryAfterMs: 600_000 });
  });
  for (const { aci } of people) await list.add(aci);
  await serve(people.map(({ aci }) => message(aci, 'STOP')));
  expect(await list.count()).toBe(0);
  await expect.poll(() => limited).toBe(3);
});

test('a broadcaster that is closed leaves the message for the next start', async () => {
  await list.add(person(0));
  await scene.broadcaster.close();
  await expect(serve([message(person(0), 'STOP')])).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  expect(await list.count()).toBe(0);
});

describe('options that are refused, at once', () => {
  test.each([
    [
      'answers that are words',
      { answers: { en: { joined: 'Stop', left: 'x' } } },
      'answers.en.joined',
    ],
    ['a blank answer', { answers: { en: { joined: ' ', left: 'x' } } }, 'answers.en.joined'],
    [
      'an answer that is too long',
      { answers: { en: { joined: 'x'.repeat(2_049), left: 'x' } } },
      'answers.en.joined',
    ],
    ['a language without answers', { language: 'xx' }, 'language'],
    ['no language of words', { words: {} }, 'words'],
    ['an unknown name', { lists: [] }, 'lists'],
  ])('%s', (_what, options, field) => {
    expect(() => serve([], options as object)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field }) as Error,
    );
  });
});
