import type { CiphertextMessage } from '@signalapp/libsignal-client';
import { MemoryStore, type Change } from 'sealcast';
import { preKeyIdsOf } from '#dist/src/content/index.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { bodiesOf, openReceiverScene, take, text, untilDelivered } from '../harness/receivers.js';
import { WatchedStore } from '../fakes/watched-store.js';

let service: MailboxService;
let inner: MemoryStore;
beforeEach(async () => {
  service = new MailboxService();
  inner = new MemoryStore();
  await service.publishPreKeys(inner);
});

const has = async (table: 'preKey' | 'kyberPreKey', key: string | number): Promise<boolean> =>
  (await inner.getMany(table, [String(key)]))[0] !== undefined;

describe('one-time prekeys', () => {
  it('are gone with the commit that keeps the message, and not before', async () => {
    let hold: (() => void) | undefined;
    const before = (changes: readonly Change[]): Promise<void> | undefined =>
      changes.some(({ table }) => table === 'session')
        ? new Promise((resolve) => (hold = resolve))
        : undefined;
    await using scene = await openReceiverScene(
      { store: new WatchedStore(inner, { before }) },
      service,
    );
    await service.send(await service.subscribe(), text('x'));
    const id = service.lastOneTimeId;
    await untilTrue(() => hold !== undefined);
    expect([await has('preKey', id), await has('kyberPreKey', id)]).toEqual([true, true]);
    hold?.();
    await take(scene.receiver, 1);
    expect([await has('preKey', id), await has('kyberPreKey', id)]).toEqual([false, false]);
  });

  it('of a message that cannot be decrypted stay', async () => {
    await using scene = await openReceiverScene({ store: inner }, service);
    const sender = await service.subscribe();
    const bytes = (await service.encrypt(sender, text('x'))).serialize();
    const spoiled = Uint8Array.from(bytes);
    spoiled[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
    await service.post(sender, prekeyMessage(spoiled), { sealed: false });
    await untilDelivered(scene);
    expect(scene.receiver.stats().undecryptable).toBe(1);
    expect(await has('preKey', service.lastOneTimeId)).toBe(true);
    await service.post(sender, prekeyMessage(bytes), { sealed: false });
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['x']);
    expect(await has('preKey', service.lastOneTimeId)).toBe(false);
  });
});

/** As libsignal would hand it out. */
const prekeyMessage = (bytes: Uint8Array<ArrayBuffer>): CiphertextMessage =>
  ({ type: () => 3, serialize: () => bytes }) as unknown as CiphertextMessage;

describe('one-time prekeys that the service hands out twice', () => {
  it('are used once, though the workers and batches that use them work side by side', async () => {
    const bundle = await service.oneTimeBundle();
    const senders = await Promise.all(Array.from({ length: 40 }, () => service.subscribe()));
    for (const sender of senders) {
      await service.beginSession(sender, 1, bundle);
      await service.send(sender, text('with a key of my own'));
    }
    await using scene = await openReceiverScene({ store: inner, threads: 2 }, service);
    expect(await take(scene.receiver, 1)).toMatchObject([{ sender: senders[0]?.aci }]);
    await untilDelivered(scene);
    expect(scene.receiver.stats()).toMatchObject({ messages: 1, undecryptable: 39 });
  });
});

describe('a prekey message that is played again, under other names,', () => {
  it.each([true, false])(
    'is read once (one-time prekeys left: %s), however many play it at once',
    async (areLeft) => {
      const sender = await service.subscribe();
      await service.beginSession(sender, 1, areLeft ? undefined : service.lastResortBundle());
      const message = await service.encrypt(sender, text('mine'));
      const others = await Promise.all(Array.from({ length: 39 }, () => service.subscribe()));
      // Many senders, so that both workers have a share of the batch.
      for (const each of [sender, ...others]) await service.post(each, message, { sealed: false });
      await using scene = await openReceiverScene({ store: inner, threads: 2 }, service);
      expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['mine']);
      await untilDelivered(scene);
      expect(scene.receiver.stats()).toMatchObject({ messages: 1, undecryptable: 39 });
    },
  );

  it('is refused later, too, by what the store has of uses of the last-resort prekey', async () => {
    const sender = await service.subscribe();
    await service.beginSession(sender, 1, service.lastResortBundle());
    const message = await service.encrypt(sender, text('mine'));
    const ids = preKeyIdsOf(message.serialize());
    const use = `${ids?.kyberPreKeyId}/${ids?.signedPreKeyId}/${Buffer.from(ids?.baseKey ?? []).toString('hex')}`;
    await inner.commit([{ table: 'kyberPreKey', key: use, value: Uint8Array.of(1) }]);
    await using scene = await openReceiverScene({ store: inner }, service);
    await service.post(sender, message);
    await untilDelivered(scene);
    expect(scene.receiver.stats()).toMatchObject({ messages: 0, undecryptable: 1 });
  });
});
