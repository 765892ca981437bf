import { join } from 'node:path';
import { deriveAccessKey, openList, SUBSCRIPTION_ANSWERS, type ReceivedMessage } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CaseFile } from '../../examples/hotline/case-file.js';
import { serveHotline } from '../../examples/hotline/hotline.js';
import { serveNewsletter } from '../../examples/newsletter/newsletter.js';
import { MockService, type Decryption, type LoggedRequest } from '../mock-service/mock-service.js';
import { itemsOf } from '../lists/list-scene.js';
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
const readersOf = (decryptions: readonly Decryption[], text: string): string[] =>
  decryptions
    .filter((decryption) => decryption.text === text)
    .map(({ subscriber }) => subscriber)
    .toSorted();
const accessKeysOf = (
  requests: readonly LoggedRequest[],
  recipient: string,
): (string | undefined)[] =>
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
    const receiving = take(account.receiver, 2 * SUBSCRIBERS).then((taken) =>
      messages.push(...taken),
    );
    for (const text of ['one', 'two']) {
      for (const [i, way] of ways.entries())
        await service.subscriberSends(nth(i), `${text} of ${i}`, way);
      if (text === 'two') continue;
      // Whoever is answered goes on with ratchet messages; the service lets us write sealed to who
      // gave us a profile key.
      await account.broadcaster.broadcast({ body: 'an answer' }, answered).summary();
      await service.waitForDecrypted('an answer', { subscribers: answered });
    }
    await receiving;
    expect(textsOf(messages)).toEqual(
      ['one', 'two'].flatMap((text) =>
        ways.map(({ sealed }, i) => [nth(i), sealed, `${text} of ${i}`]),
      ),
    );
    expect(messages.map(({ envelopeType }) => envelopeType)).toEqual([
      ...ways.map(() => 'prekey'),
      ...ways.map(({ withProfileKey }) => (withProfileKey ? 'whisper' : 'prekey')),
    ]);
    expect(account.receiver.stats()).toMatchObject({
      messages: 8,
      undecryptable: 0,
      duplicates: 0,
    });
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

describe('the newsletter', () => {
  test('subscribes by HELLO, unsubscribes by STOP, and sends an editor’s text to all, after a restart too', async () => {
    const [editor, ...people] = [nth(0), nth(1), nth(2), nth(3)];
    const editors = new Set([editor]);
    const { joined = '', left = '' } = SUBSCRIPTION_ANSWERS['en'] ?? {};
    const list = await openList(opened.store, 'news');
    const serving = serveNewsletter(opened.account, list, editors);

    for (const person of people) await service.subscriberSends(person, 'HELLO');
    await service.waitForDecrypted(joined, { subscribers: people });
    await service.subscriberSends(nth(3), 'STOP');
    await service.waitForDecrypted(left, { subscribers: [nth(3)] });
    expect((await itemsOf(list)).toSorted()).toEqual([nth(1), nth(2)].toSorted());
    await service.subscriberSends(nth(3), 'What do I miss?');

    // What is in hand is finished, and nothing more taken.
    await opened.account.receiver.close();
    await serving;
    await opened[Symbol.asyncDispose]();
    opened = await NetworkAccount.open(service, directory.path);
    const servingAgain = serveNewsletter(
      opened.account,
      await openList(opened.store, 'news'),
      editors,
    );
    await service.subscriberSends(editor, 'The bridge is closed.');
    const heard = await service.waitForDecrypted('The bridge is closed.', {
      subscribers: [nth(1), nth(2)],
    });
    expect(readersOf(heard, 'The bridge is closed.')).toEqual([nth(1), nth(2)].toSorted());
    expect(heard.map(({ text }) => text)).not.toContain('What do I miss?');
    await opened.account.receiver.close();
    await servingAgain;
  });
});

describe('the hotline', () => {
  test('relays what callers write to all staff, and an answer to its caller and the other staff', async () => {
    const { account } = opened;
    const [dana, eli, caller, otherCaller] = [nth(0), nth(1), nth(2), nth(3)];
    const staff = [dana, eli];
    const cases = await CaseFile.open(join(directory.path, 'cases.json'));
    const serving = serveHotline(account, cases, new Set(staff));

    // From what they write the hotline has their profile keys, and with them the right to send to
    // them sealed.
    const help = 'Begin an answer with the number of an open case: "#1 ...".';
    for (const member of staff) await service.subscriberSends(member, 'hello');
    await service.waitForDecrypted(help, { subscribers: staff });
    await service.subscriberSends(caller, 'The lift is stuck.');
    await service.waitForDecrypted('#1: The lift is stuck.', { subscribers: staff });
    await service.subscriberSends(otherCaller, 'And the ferry?');
    await service.waitForDecrypted('#2: And the ferry?', { subscribers: staff });
    await service.subscriberSends(caller, 'Hurry, please.');
    await service.waitForDecrypted('#1: Hurry, please.', { subscribers: staff });

    await service.subscriberSends(dana, '#3 It runs.');
    await service.subscriberSends(dana, '#2 It runs.');
    await service.waitForDecrypted('It runs.', { subscribers: [otherCaller] });
    const heard = await service.waitForDecrypted('Answered #2: It runs.', { subscribers: [eli] });
    expect(new Set(readersOf(heard, help))).toEqual(new Set(staff));
    expect(readersOf(heard, 'It runs.')).toEqual([otherCaller]);
    expect(readersOf(heard, 'Answered #2: It runs.')).toEqual([eli]);
    expect(readersOf(heard, '#2: And the ferry?')).toEqual(staff.toSorted());
    // A number outlives the process.
    const casesAgain = await CaseFile.open(join(directory.path, 'cases.json'));
    expect([casesAgain.callerOf(1), casesAgain.callerOf(2), casesAgain.callerOf(3)]).toEqual([
      caller,
      otherCaller,
      undefined,
    ]);

    await account.receiver.close();
    await serving;
  });
});
