import { IdentityKeyPair } from '@signalapp/libsignal-client';
import { MemoryStore, openAccount, type Account } from 'sealcast';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MailboxService } from '../fakes/mailbox-service.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { untilTrue } from '../harness/await-condition.js';
import { collect } from '../harness/broadcasters.js';
import { text } from '../harness/receivers.js';

let service: MailboxService | StandInAccountService;
let account: Account;
let store: MemoryStore;
let contact: Subscriber;
const events: unknown[] = [];

async function open(): Promise<void> {
  events.length = 0;
  contact = await service.subscribe();
  account = await openAccount({
    store,
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
    maintainPreKeys: false,
  });
  account.receiver.discard();
  account.on('identityChange', (change) => events.push(change));
  await account.broadcaster.setProfileKey(contact.aci, contact.profileKey);
  await collect(account.broadcaster.broadcast({ body: 'welcome' }, [contact.aci]));
  expect(events).toEqual([]);
}
beforeEach(() => {
  store = new MemoryStore();
});
afterEach(() => account.close());

const ONE_CHANGE = (): unknown[] => [{ serviceId: contact.aci, accepted: true }];

it('identityChange of an Account is emitted once for a change that a broadcast finds', async () => {
  service = new StandInAccountService();
  await open();
  await service.reregister(contact);
  await collect(account.broadcaster.broadcast({ body: 'again' }, [contact.aci]));
  expect(events).toEqual(ONE_CHANGE());
});

it('identityChange of an Account is emitted once for a change that a received message shows', async () => {
  const mailbox = (service = new MailboxService());
  await mailbox.publishPreKeys(store);
  await open();
  await service.reregister(contact);
  await mailbox.send(contact, text('new'));
  await untilTrue(() => events.length > 0);
  await collect(account.broadcaster.broadcast({ body: 'again' }, [contact.aci]));
  expect(events).toEqual(ONE_CHANGE());
});

it('identityChange of an Account is emitted once for a change that a fetched profile shows', async () => {
  service = new StandInAccountService();
  await open();
  contact.identity = IdentityKeyPair.generate();
  await account.fetchProfile(contact.aci, { force: true });
  expect(events).toEqual(ONE_CHANGE());
});
