import { openList, subscriptions, SUBSCRIPTION_ANSWERS } from 'sealcast';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MockService } from '../mock-service/mock-service.js';
import { NetworkAccount } from '../harness/network-account.js';
import { temporaryDirectory } from '../harness/store-files.js';

const SUBSCRIBERS = 4;
const [ISSUE, NEXT] = ['The bridge is closed.', 'The bridge is open.'];

let service: MockService;
let directory: ReturnType<typeof temporaryDirectory>;
let opened: NetworkAccount;
beforeEach(async () => {
  directory = temporaryDirectory();
  service = await MockService.start({ subscribers: SUBSCRIBERS });
  opened = await NetworkAccount.open(service, directory.path);
});
afterEach(async () => {
  await opened[Symbol.asyncDispose]();
  await service.close();
  directory.remove();
});

test('a subscriber who says STOP while a broadcast is under way gets the answer, and not the rest', async () => {
  const { broadcaster, receiver } = opened.account;
  const { subscribers } = service.description;
  const [leaver = '', ...others] = subscribers;
  const list = await openList(opened.store, 'news');
  const serving = (async () => {
    for await (const message of subscriptions({ list, receiver, broadcaster }))
      throw new Error(`a message of ${message.sender} is no word`);
  })();
  const { joined = '', left = '' } = SUBSCRIPTION_ANSWERS['en'] ?? {};
  for (const person of subscribers) await service.subscriberSends(person, 'HELLO');
  await service.waitForDecrypted(joined, { subscribers });
  expect(await list.count()).toBe(SUBSCRIBERS);

  const run = broadcaster.broadcast({ body: ISSUE }, list, { id: 'issue' });
  run.pause();
  await expect.poll(() => run.progress.ingested).toBe(true);
  await service.subscriberSends(leaver, 'Stop!');
  // The answer comes while the broadcast is still held.
  await service.waitForDecrypted(left, { subscribers: [leaver] });
  run.resume();
  expect(await run.summary()).toMatchObject({ sealed: SUBSCRIBERS - 1, failed: 1 });
  for await (const { recipient, errorCode } of broadcaster.deliveries('issue', {
    status: 'failed',
  }))
    expect({ recipient, errorCode }).toEqual({
      recipient: leaver,
      errorCode: 'ERR_RECIPIENT_UNSUBSCRIBED',
    });
  await broadcaster.broadcast({ body: NEXT }, list).summary();
  const heard = await service.waitForDecrypted(NEXT, { subscribers: others });
  const toLeaver = heard.filter(({ subscriber }) => subscriber === leaver);
  expect(toLeaver.map(({ text }) => text)).not.toContain(ISSUE);
  expect(toLeaver.map(({ text }) => text)).not.toContain(NEXT);
  await receiver.close();
  await serving;
});
