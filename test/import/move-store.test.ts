import { existsSync } from 'node:fs';
import { MemoryStore } from 'sealcast';
import { describe, expect, test } from 'vitest';
import { acis, openScene } from '../harness/broadcasters.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { WatchedStore } from '../fakes/watched-store.js';
import { openReceiverScene } from '../harness/receivers.js';
import { SignalCliFolder } from '../harness/signal-cli-folder.js';
import {
  service,
  folder,
  store,
  move,
  moveWritten,
  contactOf,
  useMoveScene,
} from './move-scene.js';

useMoveScene();

describe('the store of a move', () => {
  test('that has another account is refused', async () => {
    const other = new MailboxService();
    await (await openReceiverScene({ store }, other)).receiver.close();
    await expect(move()).rejects.toMatchObject({ code: 'ERR_ACCOUNT_MISMATCH' });
    expect(existsSync(folder.jsonPath)).toBe(true);
  });

  test('that has sent for the same account is refused, before it has it is taken', async () => {
    const scene = await openScene({ store }, service);
    await scene.broadcaster.close();
    const sent = new MemoryStore();
    {
      await using other = await openScene({ store: sent }, service);
      await other.broadcaster.broadcast({ body: 'x' }, acis([await service.subscribe()])).summary();
    }
    await expect(move({ store: sent })).rejects.toMatchObject({ code: 'ERR_IMPORT_REFUSED' });
    expect(await moveWritten()).toMatchObject({ aci: service.sender.aci });
  });

  test('must not be open', async () => {
    await using scene = await openScene({ store }, service);
    expect(scene.broadcaster).toBeDefined();
    await expect(move()).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
  });

  test('keeps what it knows of contacts that the source does not have', async () => {
    const known = await service.subscribe();
    {
      await using scene = await openScene({ store }, service);
      await scene.broadcaster.setProfileKey(known.aci, known.profileKey);
    }
    await move();
    expect((await contactOf(known)).profileKey).toEqual(known.profileKey);
  });
});

describe('a move that is aborted', () => {
  test('leaves the source as it was, and a store that opens no account until it is repeated', async () => {
    const old = await service.subscribe();
    await folder.addContact(old);
    folder.addPreKeys();
    const controller = new AbortController();
    const watched = new WatchedStore(store, {
      before: (changes) => {
        if (changes.some(({ table }) => table === 'contact')) controller.abort();
        return undefined;
      },
    });
    await expect(move({ store: watched, signal: controller.signal })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(existsSync(folder.jsonPath)).toBe(true);
    await expect(openScene({ store }, service)).rejects.toMatchObject({
      code: 'ERR_IMPORT_UNFINISHED',
    });
    await expect(moveWritten({ mode: 'contacts' })).rejects.toMatchObject({
      code: 'ERR_IMPORT_UNFINISHED',
    });
    expect(await moveWritten()).toMatchObject({ imported: { sessions: 1, preKeys: 40 } });
    await using scene = await openScene({ store }, service);
    expect(await scene.broadcaster.status('none')).toBeUndefined();
  });

  test('takes no session of before, where signal-cli ran in between', async () => {
    const [first, second] = [await service.subscribe(), await service.subscribe()];
    await folder.addContact(first);
    const controller = new AbortController();
    const watched = new WatchedStore(store, {
      before: (changes) => {
        if (changes.some(({ table }) => table === 'contact')) controller.abort();
        return undefined;
      },
    });
    await expect(move({ store: watched, signal: controller.signal })).rejects.toThrow();
    const later = new SignalCliFolder(folder.path, service);
    await later.addContact(second);
    later.write();
    await moveWritten();
    const sessions = await store.list('session', { limit: 10 });
    expect(sessions.map(({ key }) => key)).toEqual([`${second.aci}.1`]);
  });
});
