import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ChunkQueue } from '#dist/src/broadcast/chunk-queue.js';

async function drain(backlog: ChunkQueue, count: number): Promise<string[][]> {
  const chunks: string[][] = [];
  for (;;) {
    const chunk = await backlog.next(count);
    if (chunk.length === 0) return chunks;
    chunks.push(chunk);
  }
}

describe('recipients that wait', () => {
  it('come out once each, those who wait together in the order of the store', async () => {
    const backlog = new ChunkQueue();
    const serviceIds: string[] = [
      ...Array.from({ length: 3_000 }, () => randomUUID()),
      `PNI:${randomUUID()}`,
    ];
    await backlog.add(serviceIds);
    backlog.end();
    const chunks = await drain(backlog, 256);
    expect(chunks.slice(0, -1).every((chunk) => chunk.length === 256)).toBe(true);
    expect(chunks.flat()).toEqual(serviceIds.toSorted((a, b) => (a < b ? 1 : -1)).reverse());
  });

  it('come out while others still come in', async () => {
    const backlog = new ChunkQueue();
    const first = backlog.next(10);
    await backlog.add(['b', 'a']);
    expect(await first).toEqual(['a', 'b']);
    const second = backlog.next(10);
    await backlog.add(['0']);
    expect(await second).toEqual(['0']);
    const last = backlog.next(10);
    backlog.end();
    expect(await last).toEqual([]);
  });

  it('hold up the writer once they are very many, until they are fewer, or the end', async () => {
    const many = Array.from({ length: 262_145 }, (_, i) => String(i).padStart(6, '0'));
    const makeRoom = async (backlog: ChunkQueue): Promise<unknown> => backlog.next(1);
    const end = async (backlog: ChunkQueue): Promise<void> => {
      await Promise.resolve();
      backlog.end();
    };
    for (const goOn of [makeRoom, end]) {
      const backlog = new ChunkQueue();
      let added = false;
      const adding = backlog.add(many).then(() => (added = true));
      await new Promise((resolve) => setImmediate(resolve));
      expect(added).toBe(false);
      await goOn(backlog);
      await adding;
      expect(added).toBe(true);
    }
  });
});
