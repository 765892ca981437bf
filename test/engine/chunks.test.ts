import { beforeEach, describe, expect, test } from 'vitest';
import { MAX_CONTENT_BYTES } from '#dist/assembly/abi.js';
import type { SealcastError } from '#dist/src/errors.js';
import { ARENA_BYTES, Arena } from '#dist/src/kernel/arena.js';
import { chooseChunkEntries, nextChunkEntries, Scheduler } from '#dist/src/engine/scheduler.js';
import type { Recipients } from '#dist/src/engine/recipient-cache/cache.js';
import { SealBatch } from '#dist/src/engine/seal-batch.js';
import type { Workers } from '#dist/src/engine/workers.js';
import { ARENAS, CountingBatch, FakeWorkers, memory } from '../fakes/fake-workers.js';
import { seededBytes } from '../harness/seeded-random.js';
import { countTurns, spin } from '../harness/count-turns.js';

describe('chooseChunkEntries()', () => {
  const sizes = [
    1, 2, 15, 16, 17, 63, 64, 65, 128, 600, 1000, 1023, 1024, 1025, 2047, 2049, 10_000, 1_000_000,
  ];

  test.each([1, 2, 3, 7, 8, 16, 64])('for %i threads is 16 to 256, and whole lanes', (threads) => {
    for (const size of sizes) {
      const entries = chooseChunkEntries(size, threads);
      expect(entries).toBeGreaterThanOrEqual(16);
      expect(entries).toBeLessThanOrEqual(256);
      expect(entries % 4).toBe(0);
    }
  });

  test('gives every thread a part of a batch that is large enough', () => {
    for (const threads of [1, 2, 3, 7, 8, 16, 64]) {
      for (const size of sizes.filter((entries) => entries >= threads * 16)) {
        expect(Math.ceil(size / chooseChunkEntries(size, threads))).toBeGreaterThanOrEqual(threads);
      }
    }
  });

  test('never shrinks as batches grow', () => {
    for (let size = 1; size < 3000; size++) {
      expect(chooseChunkEntries(size + 1, 2)).toBeGreaterThanOrEqual(chooseChunkEntries(size, 2));
    }
  });
});

describe('nextChunkEntries()', () => {
  const chunksOf = (size: number, threads: number): number[] => {
    const chunks: number[] = [];
    const chunkEntries = chooseChunkEntries(size, threads);
    let left = size;
    while (left > 0) {
      const entries = Math.min(left, nextChunkEntries(chunkEntries, left, threads));
      chunks.push(entries);
      left -= entries;
    }
    return chunks;
  };

  test.each([1, 2, 7, 64])('for %i threads never grows, and ends with small ones', (threads) => {
    for (const size of [1, 31, 64, 500, 1024, 5000, 20_000]) {
      const chunks = chunksOf(size, threads);
      expect(chunks.toSorted((a, b) => b - a)).toEqual(chunks);
      expect(chunks.at(-1)).toBeLessThanOrEqual(48);
      expect(chunks.slice(0, -1).every((entries) => entries % 4 === 0)).toBe(true);
    }
  });

  test("is half of a thread's share of what is left", () => {
    expect(chunksOf(1024, 2)).toEqual([256, 192, 144, 108, 84, 60, 48, 48, 48, 36]);
    expect(chunksOf(1024, 1)).toEqual([256, 256, 256, 128, 64, 48, 16]);
    expect(chunksOf(40, 2)).toEqual([16, 16, 8]);
  });
});

/** ES2024, which Node has and the library's own target does not name. */
const ResizableBuffer = ArrayBuffer as unknown as new (
  lengthBytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(lengthBytes: number): void };

let workers: FakeWorkers;
let scheduler: Scheduler;
beforeEach(() => {
  workers = new FakeWorkers();
  workers.arenas.push(
    ...Array.from({ length: ARENAS }, (_, i) => new Arena(memory, i * ARENA_BYTES)),
  );
  scheduler = new Scheduler(workers as unknown as Workers, workers.arenas, 2);
});

describe('a batch in the scheduler', () => {
  test.each([1, 15, 16, 17, 255, 600, 5000])(
    'of %i has each entry laid in once and collected once',
    async (count) => {
      const batch = new CountingBatch(count);
      await scheduler.run(batch);
      expect(batch.filled).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(batch.collected).toEqual(new Array(count).fill(1));
      expect(batch.failed).toEqual(new Array(count).fill(0));
      expect(workers.chunks.reduce((sum, entries) => sum + entries, 0)).toBe(count);
      expect(Math.max(...workers.chunks)).toBeLessThanOrEqual(chooseChunkEntries(count, 2));
      expect(scheduler.queueLength).toBe(0);
    },
  );

  test.each([
    ['every other one', (index: number) => index % 2 === 0],
    ['all', () => true],
    ['all but the last', (index: number) => index < 999],
    ['a whole chunk amid the batch', (index: number) => index >= 200 && index < 600],
  ])('may skip %s', async (_name, isSkipped) => {
    const batch = new CountingBatch(1000, isSkipped);
    await scheduler.run(batch);
    expect(batch.filled).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(batch.collected).toEqual(Array.from({ length: 1000 }, (_, i) => (isSkipped(i) ? 0 : 1)));
    expect(batch.failed).toEqual(new Array(1000).fill(0));
    expect(scheduler.queueLength).toBe(0);
    // Nothing of the scheduler got lost: it still takes a batch of every arena's worth.
    const next = new CountingBatch(2000);
    await scheduler.run(next);
    expect(next.collected).toEqual(new Array(2000).fill(1));
  });

  test('fails the entries of lost and faulty chunks once, and collects the others once', async () => {
    workers.lossesLeft = 3;
    const lost = new CountingBatch(2000);
    await scheduler.run(lost);
    workers.faultsLeft = 2;
    const faulty = new CountingBatch(2000);
    await scheduler.run(faulty);
    // Chunks are of all sizes: the last of a batch, and what was laid in when its turn was over.
    expect(workers.dropped).toHaveLength(5);
    for (const [batch, dropped] of [
      [lost, workers.dropped.slice(0, 3)],
      [faulty, workers.dropped.slice(3)],
    ] as const) {
      expect(batch.collected.map((times, i) => times + (batch.failed[i] ?? 0))).toEqual(
        new Array(2000).fill(1),
      );
      const failedCount = batch.failed.filter((times) => times > 0).length;
      expect(failedCount).toBe(dropped.reduce((sum, entries) => sum + entries, 0));
    }
  });

  test('one of whose results cannot be copied out loses that entry alone', async () => {
    const batch = new CountingBatch(40);
    const errors: [number, SealcastError][] = [];
    const collect = batch.collect.bind(batch);
    batch.collect = (arena, place, index) => {
      if (index === 7) throw new RangeError('Array buffer allocation failed');
      collect(arena, place, index);
    };
    batch.fail = (index: number, error?: SealcastError) => {
      if (error !== undefined) errors.push([index, error]);
    };
    await scheduler.run(batch);
    expect(errors).toMatchObject([[7, { code: 'ERR_OUT_OF_MEMORY' }]]);
    expect(batch.collected).toEqual(Array.from({ length: 40 }, (_, i) => (i === 7 ? 0 : 1)));
  });

  test('goes on when an entry cannot be laid in: that entry fails, no arena is lost', async () => {
    const batch = new CountingBatch(3000);
    const fill = batch.fill.bind(batch);
    const errors: [number, SealcastError][] = [];
    batch.fill = (arena: Arena, index: number) => {
      if (index % 100 === 42) throw new TypeError('a detached buffer, say');
      return fill(arena, index);
    };
    batch.fail = (index: number, error?: SealcastError) => {
      if (error !== undefined) errors.push([index, error]);
    };
    await scheduler.run(batch);
    expect(errors).toHaveLength(30);
    for (const [index, error] of errors) {
      expect(index % 100).toBe(42);
      expect(error.code).toBe('ERR_INVALID_ARGUMENT');
    }
    expect(batch.collected.reduce((sum, count) => sum + count, 0)).toBe(2970);
    expect(scheduler.queueLength).toBe(0);
    await scheduler.close();
  });

  test('matches results with entries even when laying one in failed half-way', async () => {
    const batch = new CountingBatch(600);
    const fill = batch.fill.bind(batch);
    batch.fill = (arena: Arena, index: number) => {
      const outcome = fill(arena, index);
      // Its record stands in the arena by now; collect() holds the key of every other one against
      // its index.
      if (index % 50 === 7) throw new RangeError('the end of the stack, say');
      return outcome;
    };
    await scheduler.run(batch);
    const wrong = Array.from({ length: 600 }, (_, i) => (i % 50 === 7 ? 1 : 0));
    expect(batch.failed).toEqual(wrong);
    expect(batch.collected).toEqual(wrong.map((failed) => 1 - failed));
  });

  test('of entries that need no work ends by turns of the event loop, not in one', async () => {
    const batch = new CountingBatch(400);
    batch.fill = () => {
      // Each takes a fifth of a millisecond to look at, as hostile envelopes may.
      spin(0.2);
      return 'skipped';
    };
    expect(await countTurns(scheduler.run(batch))).toBeGreaterThan(5);
  });

  test('shares the arenas with other batches, a chunk each in turn', async () => {
    const batches = Array.from({ length: 9 }, (_, i) => new CountingBatch(100 * (i + 1)));
    const ended: number[] = [];
    await Promise.all(batches.map((batch, i) => scheduler.run(batch).then(() => ended.push(i))));
    for (const batch of batches) expect(batch.collected).toEqual(new Array(batch.count).fill(1));
    expect(ended[0]).toBe(0);
    expect(scheduler.queueLength).toBe(0);
  });

  test('is dropped by close() and by an abort, and nothing of it is collected afterwards', async () => {
    const controller = new AbortController();
    const aborted = Object.assign(new CountingBatch(3000), { signal: controller.signal });
    const aborting = scheduler.run(aborted);
    controller.abort('enough');
    await expect(aborting).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });

    const closed = new CountingBatch(3000);
    const closing = scheduler.run(closed);
    const end = scheduler.close();
    await expect(closing).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await end;
    for (const batch of [aborted, closed]) {
      expect(batch.collected).toEqual(new Array(3000).fill(0));
      expect(batch.failed).toEqual(new Array(3000).fill(0));
      expect(batch.filled.length).toBeLessThan(3000);
    }
    expect(scheduler.queueLength).toBe(0);
    await expect(scheduler.run(new CountingBatch(1))).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });
});

describe('a batch of contents', () => {
  const ignore = (): undefined => undefined;
  const nobody = {
    useForSealing: ignore,
    release: ignore,
    countSealed: ignore,
  } as unknown as Recipients;
  const sealWith = async (
    contents: Uint8Array[],
    { packed = false, recipients = nobody } = {},
  ): Promise<SealBatch> => {
    const keys = new Uint8Array(contents.length * 32);
    const batch = new SealBatch({ keys, contents, packed }, recipients);
    await scheduler.run(batch);
    return batch;
  };

  test('larger than an arena is cut into smaller chunks, with nothing lost and nothing written beyond', async () => {
    const random = seededBytes('large-contents');
    const sizes = [
      MAX_CONTENT_BYTES,
      1,
      100_000,
      MAX_CONTENT_BYTES - 1,
      5,
      200_000,
      90_000,
      MAX_CONTENT_BYTES,
      16,
    ];
    const contents = Array.from({ length: 90 }, (_, i) => random(sizes[i % sizes.length] ?? 1));
    const batch = await sealWith(contents);
    expect(workers.chunks.length).toBeGreaterThan(10);
    expect(workers.chunks.reduce((sum, entries) => sum + entries, 0)).toBe(90);
    batch.results.forEach((result, index) => {
      // These workers seal nothing: the content still stands at its place in the envelope.
      const content = contents[index] ?? new Uint8Array();
      if (!result.ok) throw result.error;
      expect(Buffer.from(result.envelope).indexOf(content)).toBe(
        result.envelope.length - content.length - 10,
      );
    });
    expect(batch.results).toHaveLength(90);
    expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true);
  });

  test('leaves no content of an entry that was not laid in whole among packed envelopes', async () => {
    let laid = 0;
    const recipients = {
      release: ignore,
      countSealed: ignore,
      useForSealing: () => {
        // The record is in the arena by now.
        if (laid++ % 10 === 3) throw new RangeError('the end of the stack, say');
      },
    } as unknown as Recipients;
    const contents = Array.from({ length: 400 }, (_, i) =>
      new Uint8Array(20 + (i % 50)).fill(i % 10 === 3 ? 0xee : 1),
    );
    const { results } = await sealWith(contents, { packed: true, recipients });
    expect(results.filter((result) => result.ok)).toHaveLength(360);
    const buffers = new Set(
      results.flatMap((result) => (result.ok ? [result.envelope.buffer] : [])),
    );
    expect(buffers.size).toBeLessThan(30);
    for (const buffer of buffers) expect(Buffer.from(buffer).indexOf(0xee)).toBe(-1);
  });

  test('that are transferred or shrunk while they wait fails those entries alone', async () => {
    const contents = Array.from({ length: 2000 }, (_, i) => new Uint8Array(100 + (i % 7)).fill(1));
    const resizable = new ResizableBuffer(64, { maxByteLength: 128 });
    contents[1998] = new Uint8Array(resizable, 0, 64);
    const running = sealWith(contents);
    const transferred = contents[1999] ?? new Uint8Array();
    structuredClone(transferred, { transfer: [transferred.buffer] });
    resizable.resize(63);
    const { results } = await running;
    expect(results.slice(0, 1998).filter((result) => result.ok)).toHaveLength(1998);
    for (const index of [1998, 1999]) {
      const error = {
        name: 'SealcastError',
        code: 'ERR_INVALID_ARGUMENT',
        index,
        field: 'content',
      };
      expect(results[index]).toMatchObject({ ok: false, error });
    }
    expect(workers.chunks.reduce((sum, entries) => sum + entries, 0)).toBe(1998);
  });
});
