// A newsletter on the mock service: three people subscribe, one of them leaves, and the editor
// writes an issue. The texts are printed because everyone here is made up. A service must not log
// what it is sent, or by whom.
import { join } from 'node:path';
import { Demo } from '../support/demo.js';
import { serveNewsletter } from './newsletter.js';
import { SubscriberFile } from './subscriber-file.js';

const ISSUE = 'The bridge is closed until Friday.';

await using demo = await Demo.open(4);
const { account, service, directory } = demo;
const [editor = '', ...people] = demo.subscribers;
const leaver = people[2] ?? '';
const subscribers = await SubscriberFile.open(join(directory, 'subscribers.json'));
const serving = serveNewsletter(account, subscribers, new Set([editor]));

for (const person of people) await service.subscriberSends(person, 'HELLO');
await service.waitForDecrypted('You are subscribed. Send STOP to leave.', { subscribers: people });
console.log(`${[...subscribers].length} subscribed by HELLO`);

await service.subscriberSends(leaver, 'stop');
await service.waitForDecrypted('You are no longer subscribed.', { subscribers: [leaver] });
console.log(`1 left by STOP, ${[...subscribers].length} stay`);

await service.subscriberSends(editor, ISSUE);
const decryptions = await service.waitForDecrypted(ISSUE, { subscribers: [...subscribers] });
const readers = decryptions.filter(({ text }) => text === ISSUE);
console.log(`"${ISSUE}" reached ${readers.length}`);

await account.receiver.close();
await serving;
