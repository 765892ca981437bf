import { Broadcaster, MemoryStore, openAccount, type Account } from 'sealcast';
import { expect, it } from 'vitest';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { acis, failTest } from '../harness/broadcasters.js';
import { MailboxService, ratchetType } from '../fakes/mailbox-service.js';

/**
 * Turns of the event loop between a request's arrival and the close: from none to more than
 * answering takes.
 */
const TURNS = [...Array(24).keys()];

/**
 * An account whose subscribers ask, one for each of {@link TURNS}, for the message that they got;
 * the account is closed with `close` while it takes the request in.
 *
 * @returns subscribers whose requests were acknowledged and whose message did not come again after
 *   `resume()`.
 */
async function unanswered(close: (account: Account) => Promise<void>): Promise<number[]> {
  const service = new MailboxService();
  const store = new MemoryStore();
  await service.publishPreKeys(store);
  const options = {
    store,
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
    maintainPreKeys: false,
  };
  const subscribers = await Promise.all(TURNS.map(() => service.subscribe()));
  let account = await openAccount(options);
  for (const { aci, profileKey } of subscribers)
    await account.broadcaster.setProfileKey(aci, profileKey);
  await account.broadcaster
    .broadcast({ body: 'first' }, acis(subscribers), { id: 'first' })
    .summary();
  const acknowledged: number[] = [];
  for (const turns of TURNS) {
    const subscriber = subscribers[turns] ?? failTest('subscriber');
    const { ciphertext, type, timestamp } =
      service.arrivals.find(({ recipient }) => recipient === subscriber.aci) ?? failTest('arrival');
    const facts = { ciphertext: Uint8Array.from(ciphertext), type: ratchetType(type) };
    const { plaintext } = service.retryRequestFor(subscriber, timestamp, facts);
    const number = await service.post(subscriber, plaintext);
    await manyTurns(turns * turns);
    await neverHangs(close(account), 'close');
    if (service.acknowledged.includes(number)) acknowledged.push(turns);
    account = await openAccount(options);
    // Not acknowledged: it comes again, now.
    await untilTrue(() => service.queueLength === 0);
  }
  await account.close();
  await using broadcaster = await Broadcaster.open(options);
  await broadcaster.resume();
  const missed = TURNS.filter((turns) => {
    const aci = subscribers[turns]?.aci;
    return service.arrivals.filter(({ recipient }) => recipient === aci).length < 2;
  });
  expect(acknowledged.length).toBeGreaterThan(0);
  return missed;
}

it('an Account that is closed at any moment answers every request to send again that it acknowledged', async () => {
  expect(await unanswered((account) => account.close())).toEqual([]);
});

it('so does a Broadcaster that is closed before the Receiver on the same store', async () => {
  expect(
    await unanswered(async (account) => {
      await account.broadcaster.close();
      await account.close();
    }),
  ).toEqual([]);
});
