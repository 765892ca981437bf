// A hotline on the mock service: two callers write, and one of two members of staff answers the
// second. The texts are printed because everyone here is made up. A service must not log what it is
// sent, or by whom.
import { join } from 'node:path';
import { Demo } from '../support/demo.js';
import { CaseFile } from './case-file.js';
import { serveHotline } from './hotline.js';

await using demo = await Demo.open(4);
const { account, service, directory } = demo;
const [dana = '', eli = '', caller = '', otherCaller = ''] = demo.subscribers;
const names = new Map([
  [dana, 'Dana (staff)'],
  [eli, 'Eli (staff)'],
  [caller, 'the first caller'],
  [otherCaller, 'the second caller'],
]);
const cases = await CaseFile.open(join(directory, 'cases.json'));
const serving = serveHotline(account, cases, new Set([dana, eli]));

/** Someone writes to the hotline; waits until each of `readers` has decrypted what that becomes. */
async function write(
  writer: string,
  text: string,
  relayed: string,
  readers: readonly string[],
): Promise<void> {
  await service.subscriberSends(writer, text);
  const decryptions = await service.waitForDecrypted(relayed, { subscribers: readers });
  for (const { subscriber, text: textSeen } of decryptions) {
    if (textSeen === relayed && readers.includes(subscriber))
      console.log(`${names.get(subscriber)} reads "${textSeen}"`);
  }
}

const help = 'Begin an answer with the number of an open case: "#1 ...".';
const staff = [dana, eli];
for (const member of staff) await write(member, 'hello', help, [member]);
const question = 'Does the ferry run today?';
const answer = 'It does, until ten.';
await write(caller, 'The lift is stuck.', '#1: The lift is stuck.', staff);
await write(otherCaller, question, `#2: ${question}`, staff);
await write(dana, `#2 ${answer}`, answer, [otherCaller]);
await service.waitForDecrypted(`Answered #2: ${answer}`, { subscribers: [eli] });
console.log('Eli (staff) sees that #2 is answered');

await account.receiver.close();
await serving;
