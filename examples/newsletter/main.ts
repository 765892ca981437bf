// A newsletter on the mock service: three people subscribe, one of them leaves, and the editor
// writes an issue. The texts are printed because everyone here is made up. A service must not log
// what it is sent, or by whom.
import { openList, SUBSCRIPTION_ANSWERS } from 'sealcast';
import { Demo } from '../support/demo.js';
import { serveNewsletter } from './newsletter.js';

const ISSUE = 'The bridge is closed until Friday.';

await using demo = await Demo.open(4);
const { account, service, store } = demo;
const [editor = '', ...people] = demo.subscribers;
const leaver = people[2] ?? '';
const { joined = '', left = '' } = SUBSCRIPTION_ANSWERS['en'] ?? {};
const list = await openList(store, 'newsletter');
const serving = serveNewsletter(account, list, new Set([editor]));

for (const person of people) await service.subscriberSends(person, 'HELLO');
await service.waitForDecrypted(joined, { subscribers: people });
console.log(`${await list.count()} subscribed by HELLO`);

await service.subscriberSends(leaver, 'stop');
await service.waitForDecrypted(left, { subscribers: [leaver] });
console.log(`1 left by STOP, ${await list.count()} stay`);

const stayed = people.filter((person) => person !== leaver);
await service.subscriberSends(editor, ISSUE);
const decryptions = await service.waitForDecrypted(ISSUE, { subscribers: stayed });
const readers = decryptions.filter(({ text }) => text === ISSUE);
console.log(`"${ISSUE}" reached ${readers.length}`);

await account.receiver.close();
await serving;
