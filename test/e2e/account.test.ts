import { deriveAccessKey, type ReceivedMessage } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { announce } from '../../examples/newsletter/newsletter.js';
import { MockService, type LoggedRequest } from '../mock-service/mock-service.js';
import { NetworkAccount } from '../harness/network-account.js';
import { take } from '../harness/receivers.js';
import { temporaryDirectory } from '../harness/store-files.js';

const SUBSCRIBERS = 4;

let service: MockService;
let directory: ReturnType<typeof temporaryDirectory>;
let opened: NetworkAccount;
let subscribers: readonly string[];

beforeEach(async () => {
  directory = temporaryDirectory();
  service = await MockService.start({ subscribers: SUBSCRIBERS });
  ({ subscribers } = service.description);
  opened = await NetworkAccount.open(service, directory.path);
});
afterEach(async () => {
  await opened[Symbol.asyncDispose]();
  await service.close();
  directory.remove();
});

const nth = (i: number): string => subscribers[i] ?? '';
const textsOf = (messages: readonly ReceivedMessage[]): unknown[] =>
  messages.map(({ sender, sealed, content }) => [sender, sealed, content.dataMessage?.body]);
const accessKeysOf = (requests: readonly LoggedRequest[], recipient: string): (string | undefined)[] =>
  requests
    .filter(({ verb, path }) => verb === 'PUT' && path.startsWith(`/v1/messages/${recipient}`))
    .map(({ headers }) => headers.find(([name]) => name === 'unidentified-access-key')?.[1]);

describe('an account over the network', () => {
  test('takes prekey and ratchet messages of subscribers, sealed and unsealed, with and without profile keys', async () => {
    const { account, store } = opened;
    const ways = [
      { sealed: true, withProfileKey: true },
      { sealed: false, withProfileKey: true },
      { sealed: true, withProfileKey: false },
      { sealed: false, withProfileKey: false },
    ];
    const answered = [nth(0), nth(1)];
    const messages: ReceivedMessage[] = [];
    const receiving = take(account.receiver, 2 * SUBSCRIBERS).then((taken) => messages.push(...taken));
    for (const text of ['one', 'two']) {
      for (const [i, way] of ways.entries()) await service.subscriberSends(nth(i), `${text} of ${i}`, way);
      if (text === 'two') continue;
      // Whoever is answered goes on with ratchet messages; the service lets us write sealed to who gave us a profile key.
      await account.broadcaster.broadcast({ body: 'an answer' }, answered).summary();
      await service.waitForDecrypted('an answer', { subscribers: answered });
    }
    await receiving;
    expect(textsOf(messages)).toEqual(
      ['one', 'two'].flatMap((text) => ways.map(({ sealed }, i) => [nth(i), sealed, `${text} of ${i}`])),
    );
    expect(messages.map(({ envelopeType }) => envelopeType)).toEqual([
      ...ways.map(() => 'prekey'),
      ...ways.map(({ withProfileKey }) => (withProfileKey ? 'whisper' : 'prekey')),
    ]);
    expect(account.receiver.stats()).toMatchObject({ messages: 8, undecryptable: 0, duplicates: 0 });
    await account.close();
    expect(await store.list('inbox', { limit: 10 })).toEqual([]);
  });

  test('sends with the access key of the profile key that a contact told it last', async () => {
    const { account } = opened;
    const contact = nth(0);
    const changes: string[] = [];
    account.receiver.on('profileKey', ({ serviceId }) => changes.push(serviceId));
    account.receiver.discard();
    await service.subscriberSends(contact, 'hello');
    await account.broadcaster.broadcast({ body: 'first' }, [contact]).summary();
    const before = (await service.requests()).length;
    const profileKey = await service.rotateProfileKey(contact);
    await service.subscriberSends(contact, 'I have another profile key');
    const summary = await account.broadcaster.broadcast({ body: 'second' }, [contact]).summary();
    expect(summary).toMatchObject({ sealed: 1 });
    const accessKey = Buffer.from(deriveAccessKey(profileKey)).toString('base64');
    expect(accessKeysOf((await service.requests()).slice(before), contact)).toEqual([accessKey]);
    expect(changes).toEqual([contact, contact]);
  });

  test('goes on after a restart: sessions, prekeys and what was not dealt with are in the store', async () => {
    const contact = nth(0);
    await service.subscriberSends(contact, 'before');
    await opened[Symbol.asyncDispose]();
    opened = await NetworkAccount.open(service, directory.path);
    await service.subscriberSends(contact, 'after');
    const messages = await take(opened.account.receiver, 2);
    expect(textsOf(messages)).toEqual([
      [contact, true, 'before'],
      [contact, true, 'after'],
    ]);
  });
});

describe('the announcement service', () => {
  test('subscribes by HELLO, lets go by GOODBYE, sends an admin’s message to all, and hands on what others write', async () => {
    const { account } = opened;
    const [admin, ...people] = [nth(0), nth(1), nth(2), nth(3)];
    const list = new Set<string>();
    const serving = announce(account, list, new Set([admin]));

    for (const person of people) await service.subscriberSends(person, 'HELLO');
    await service.waitForDecrypted('You are subscribed. Send GOODBYE to leave.', { subscribers: people });
    await service.subscriberSends(nth(3), 'GOODBYE');
    await service.waitForDecrypted('You are no longer subscribed.', { subscribers: [nth(3)] });
    expect([...list]).toEqual([nth(1), nth(2)]);

    await service.subscriberSends(admin, 'The bridge is closed.');
    const heard = await service.waitForDecrypted('The bridge is closed.', { subscribers: [nth(1), nth(2)] });
    expect(heard.filter(({ text }) => text === 'The bridge is closed.').map(({ subscriber }) => subscriber)).toEqual(
      expect.not.arrayContaining([nth(3)]),
    );
    await service.subscriberSends(nth(2), 'And the ferry?');
    await service.waitForDecrypted('A subscriber writes: And the ferry?', { subscribers: [admin] });

    // What is in hand is finished, and nothing more taken.
    await account.receiver.close();
    await serving;
  });
});
