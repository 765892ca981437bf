import { randomBytes } from 'node:crypto';
import { openStore } from 'sealcast';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StoreChild } from '../harness/store-child.js';
import { temporaryDirectory } from '../harness/store-files.js';

/** Values of a commit: some fill a page of LMDB's, some take several. */
const VALUES = 20;
const SIZES_BYTES = [50, 2500, 20_000];
/** Of what the process has said to be on the disk, so much is waited for before it is killed. */
const KILLED_AFTER = [1, 2, 7, 30, 61];

let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await StoreChild.killAll();
  directory.remove();
});

test.each([
  ['in the clear', undefined],
  ['encrypted', randomBytes(32)],
])(
  'every commit that a store, %s, confirmed is there after kill -9, and no commit is there by half',
  async (_how, key) => {
    const { path } = directory;
    /** Numbers of commits that were acknowledged, in all rounds. */
    const acknowledged = new Set<number>();
    let from = 0;
    for (const [round, killedAfter] of KILLED_AFTER.entries()) {
      const child = new StoreChild();
      const open = {
        ask: 'open',
        path,
        ...(key && { encryptionKey: key.toString('hex') }),
      } as const;
      expect(await child.ask(open)).toEqual({ did: 2 * round + 1 });
      child.tell({
        ask: 'stream',
        from,
        count: VALUES,
        sizeBytes: SIZES_BYTES[round % SIZES_BYTES.length]!,
      });
      const saidBefore = acknowledged.size;
      while (acknowledged.size < saidBefore + killedAfter)
        acknowledged.add((await child.nextAnswer())!.did as number);
      await child.kill();
      // What it said before its end counts, too; its last line may be cut off.
      for (;;) {
        const answer = await child.nextAnswer().catch(() => undefined);
        if (answer === undefined) break;
        acknowledged.add(answer.did as number);
      }

      const store = await openStore({ path, ...(key && { encryptionKey: key }) });
      const found = new Map<number, number>();
      for (const { key: entry, value } of await store.list('outbox', { limit: 1_000_000 })) {
        const number = Number(entry.split('.')[0]);
        found.set(number, (found.get(number) ?? 0) + 1);
        expect(value.every((byte) => byte === number % 256)).toBe(true);
      }
      for (const [number, values] of found) expect([number, values]).toEqual([number, VALUES]);
      expect([...acknowledged].filter((number) => !found.has(number))).toEqual([]);
      await store.close();
      from = Math.max(...found.keys()) + 1;
    }
  },
);
