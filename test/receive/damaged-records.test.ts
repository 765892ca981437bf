import type { Receiver, Store, TableName } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findContacts, isReadable } from '#dist/src/store/tables/contacts.js';
import { untilTrue } from '../harness/await-condition.js';
import { DamagedStore, STORE_KINDS } from '../harness/damaged-stores.js';
import { bodiesOf, openReceiverScene, take, text, untilDelivered } from '../harness/receivers.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

describe.each(STORE_KINDS)('with damaged records in a %s store', (kind) => {
  let kept: DamagedStore;
  let service: MailboxService;
  let senders: Subscriber[];
  let receiver: Receiver;

  const open = async (store: Store): Promise<void> => {
    ({ receiver } = await openReceiverScene({ store }, service));
  };
  beforeEach(async () => {
    service = new MailboxService();
    kept = await DamagedStore.make(kind);
    await service.publishPreKeys(kept.store);
    senders = await Promise.all(Array.from({ length: 3 }, () => service.subscribe()));
    await open(kept.store);
    for (const sender of senders) await service.send(sender, text('first'));
  });
  afterEach(async () => {
    await receiver.close();
    await kept.remove();
  });

  async function damage(...records: [TableName, string][]): Promise<Store> {
    await receiver.close();
    const store = await kept.damage(records);
    await open(store);
    return store;
  }

  it('a contact keeps its messages and those of others from nothing, and stays as it is', async () => {
    await take(receiver, 3);
    const { aci } = senders[0]!;
    const store = await damage(['contact', aci]);
    for (const sender of senders) await service.send(sender, text('second'));
    expect(bodiesOf(await take(receiver, 3))).toEqual(['second', 'second', 'second']);
    await untilDelivered({ service });
    const [contact] = await findContacts(store, [aci]);
    expect(isReadable(contact!)).toBe(false);
  });

  it('a session fails the messages that need it, and no others', async () => {
    await take(receiver, 3);
    await damage(['session', `${senders[0]!.aci}.1`]);
    for (const sender of senders) await service.send(sender, text('second'));
    const messages = await take(receiver, 2);
    expect(messages.map(({ sender }) => sender).sort()).toEqual(
      senders
        .slice(1)
        .map(({ aci }) => aci)
        .sort(),
    );
    await untilTrue(() => receiver.stats().undecryptable === 1);
  });

  it('a message that was received is left out, and the others come', async () => {
    await untilDelivered({ service });
    const [row] = await kept.store.list('inbox', { prefix: 'm/', limit: 1 });
    const store = await damage(['inbox', row!.key]);
    expect(bodiesOf(await take(receiver, 2))).toEqual(['first', 'first']);
    await service.send(senders[0]!, text('second'));
    expect(bodiesOf(await take(receiver, 1))).toEqual(['second']);
    await receiver.close();
    // It is still there, in its place.
    const others = kind === 'plain' ? [row!.key] : [];
    const left = await store.list('inbox', { prefix: 'm/', limit: 10 });
    expect(left.map(({ key }) => key)).toEqual(others);
  });
});
