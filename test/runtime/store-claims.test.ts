import { cpSync, rmSync } from 'node:fs';
import type * as Sealcast from 'sealcast';
import { Broadcaster, MemoryStore, Receiver } from 'sealcast';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MailboxService } from '../fakes/mailbox-service.js';

const service = new MailboxService();

/** The package once more, as a second installed version would have it. */
const copyUrl = new URL('../../build/another-copy/dist/', import.meta.url);
beforeAll(() => cpSync(new URL('../../dist/', import.meta.url), copyUrl, { recursive: true }));
afterAll(() => rmSync(new URL('../', copyUrl), { recursive: true }));

async function anotherCopy(): Promise<typeof Sealcast> {
  const copy = (await import(new URL('src/index.js', copyUrl).href)) as typeof Sealcast;
  expect(copy.Broadcaster).not.toBe(Broadcaster);
  return copy;
}

const optionsWith = (
  store: Sealcast.Store,
): Sealcast.BroadcasterOptions & Sealcast.ReceiverOptions => ({
  store,
  transport: service,
  trustRoots: [service.trustRoot],
  account: service.sender,
  threads: 1,
  maintainPreKeys: false,
});

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
});

describe('a store that one copy of the package acts on', () => {
  it('is shared by all that this copy opens', async () => {
    const options = optionsWith(new MemoryStore());
    opened.push(await Broadcaster.open(options), await Receiver.open(options));
  });

  it('is refused to another copy, and given to it once the first has closed', async () => {
    const store = new MemoryStore();
    const broadcaster = await Broadcaster.open(optionsWith(store));
    const copy = await anotherCopy();
    const options = optionsWith(store);
    for (const open of [
      () => copy.Broadcaster.open(options),
      () => copy.Receiver.open(options),
      () => copy.openAccount(options),
    ]) {
      await expect(open()).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
    }
    await broadcaster.close();
    opened.push(await copy.Broadcaster.open(optionsWith(store)));
  });

  it('is free again after an opening that failed', async () => {
    const store = new MemoryStore();
    const { transport, trustRoots } = optionsWith(store);
    await expect(Broadcaster.open({ store, transport, trustRoots })).rejects.toThrow();
    const copy = await anotherCopy();
    opened.push(await copy.Broadcaster.open(optionsWith(store)));
  });

  it('may be a frozen one of the user’s own', async () => {
    const store = Object.freeze(new MemoryStore());
    opened.push(await Broadcaster.open(optionsWith(store)));
    const copy = await anotherCopy();
    await expect(copy.Broadcaster.open(optionsWith(store))).rejects.toMatchObject({
      code: 'ERR_STORE_LOCKED',
    });
  });
});
