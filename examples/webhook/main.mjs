// @ts-check Posts what subscribers of the mock service write to a webhook on this machine, which
// refuses the first request. Plain JavaScript: `await using` is a syntax error on Node 20 and 22,
// so each `finally` closes what was opened before it. Texts are printed because everyone here is
// made up. A service must not log what it is sent, or by whom.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { MemoryStore, openAccount } from 'sealcast';
import { MockService } from '../../test/mock-service/mock-service.js';
import { accountInputOf, connectTo } from '../support/mock-account.js';
import { forwardMessages } from './webhook.mjs';

const TEXTS = ['The lift is stuck.', 'Does the ferry run today?', 'Thank you!'];

let requests = 0;
/** @type {string[]} */
const taken = [];
const webhook = createServer((request, response) => {
  void json(request).then((message) => {
    const { body } = /** @type {{ body: string }} */ (message);
    const status = ++requests === 1 ? 503 : 204;
    if (status === 204) taken.push(body);
    console.log(`the webhook answers ${status} to "${body}"`);
    response.writeHead(status).end();
    if (taken.length === TEXTS.length) webhook.emit('complete');
  });
});
webhook.listen(0, '127.0.0.1');
await once(webhook, 'listening');
const { port } = /** @type {import('node:net').AddressInfo} */ (webhook.address());

try {
  const service = await MockService.start({ subscribers: TEXTS.length });
  try {
    const transport = await connectTo(service);
    try {
      // `openStore({ path })` in a real service: only what is on a disk comes again after a crash.
      const store = new MemoryStore();
      const trustRoots = [service.description.trustRoot];
      const account = await openAccount({
        store,
        transport,
        trustRoots,
        account: accountInputOf(service),
        threads: 1,
      });
      try {
        const complete = once(webhook, 'complete');
        const forwarding = forwardMessages(account.receiver, {
          url: `http://127.0.0.1:${port}/messages`,
          onRetry: (reason, attempt) => console.log(`attempt ${attempt}: ${reason}, trying again`),
        });
        await account.maintainPreKeys(); // from here on others can write to us
        for (const [i, text] of TEXTS.entries()) {
          await service.subscriberSends(service.description.subscribers[i] ?? '', text);
        }
        await Promise.race([complete, forwarding]);
        await account.receiver.close();
        console.log(`${await forwarding} messages posted in ${requests} requests`);
      } finally {
        await account.close();
      }
    } finally {
      await transport.close();
    }
  } finally {
    await service.close();
  }
} finally {
  webhook.close();
  webhook.closeAllConnections();
}
