import { describe, expect, it } from 'vitest';
import { PrefetchQueue } from '#dist/src/store/lmdb/prefetch-queue.js';

/** A table whose prefetches end when the test says so. */
class HeldTable {
  readonly calls: { readonly keys: readonly Buffer[]; readonly end: (error?: Error) => void }[] =
    [];

  prefetch(keys: Buffer[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.calls.push({ keys, end: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  }
}

const keysOf = (count: number, first = 0): Buffer[] =>
  Array.from({ length: count }, (_, i) => Buffer.of(first + i));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('PrefetchQueue', () => {
  it('makes two prefetches at once, and one for all callers that wait meanwhile', async () => {
    const table = new HeldTable();
    const queue = new PrefetchQueue(table);
    const ended: number[] = [];
    const all = Array.from({ length: 200 }, (_, i) =>
      queue.fetch([Buffer.of(i)]).then(() => ended.push(i)),
    );
    expect(table.calls).toHaveLength(2);
    table.calls[0]?.end();
    await turn();
    expect(ended).toEqual([0]);
    expect(table.calls).toHaveLength(3);
    expect(table.calls[2]?.keys).toEqual(keysOf(198, 2));
    table.calls[1]?.end();
    table.calls[2]?.end();
    await Promise.all(all);
    expect(table.calls).toHaveLength(3);
  });

  it('shares at most 1,024 keys, but never cuts the keys of one caller', async () => {
    const table = new HeldTable();
    const queue = new PrefetchQueue(table);
    const many = Array.from({ length: 3000 }, () => Buffer.of(1));
    const all = [
      queue.fetch([]),
      queue.fetch([]),
      queue.fetch(many),
      queue.fetch(keysOf(200)),
      queue.fetch(keysOf(3)),
    ];
    for (let i = 0; i < 4; i++) {
      table.calls[i]?.end();
      await turn();
    }
    await Promise.all(all);
    expect(table.calls.map(({ keys }) => keys.length)).toEqual([0, 0, 3000, 203]);
  });

  it('tells each caller that shares a prefetch of its failure, and goes on', async () => {
    const table = new HeldTable();
    const queue = new PrefetchQueue(table);
    const first = [queue.fetch(keysOf(1)), queue.fetch(keysOf(1))];
    const shared = Promise.allSettled([queue.fetch(keysOf(1)), queue.fetch(keysOf(1))]);
    table.calls[0]?.end();
    await turn();
    table.calls[2]?.end(new Error('the disk'));
    expect((await shared).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const next = queue.fetch(keysOf(1));
    await turn();
    table.calls[3]?.end();
    await next;
    table.calls[1]?.end();
    await Promise.all(first);
  });

  it('is idle once none is under way', async () => {
    const table = new HeldTable();
    const queue = new PrefetchQueue(table);
    const all = [queue.fetch(keysOf(1)), queue.fetch(keysOf(1)), queue.fetch(keysOf(1))];
    let isIdle = false;
    const idle = queue.idle().then(() => (isIdle = true));
    for (let i = 0; i < 3; i++) {
      expect(isIdle).toBe(false);
      table.calls[i]?.end();
      await turn();
    }
    await Promise.all([...all, idle]);
  });
});
