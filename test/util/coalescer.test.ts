import { Coalescer, type CoalescerOptions } from '#dist/src/util/coalescer.js';
import { describe, expect, it } from 'vitest';
import { manyTurns } from '../harness/await-condition.js';

/** A coalescer whose batches end when the test says so. */
function observed(options?: CoalescerOptions): {
  coalescer: Coalescer<string>;
  batches: (readonly string[])[];
  end: () => void;
} {
  const batches: (readonly string[])[] = [];
  const ends: (() => void)[] = [];
  const run = (items: readonly string[]): Promise<void> => {
    batches.push(items);
    return new Promise((resolve) => ends.push(resolve));
  };
  return { coalescer: new Coalescer({ run }, options), batches, end: () => ends.shift()?.() };
}

describe('a Coalescer', () => {
  it('has the items of one turn of the event loop share a batch', async () => {
    const { coalescer, batches } = observed();
    coalescer.add('a');
    coalescer.add('b');
    expect(batches).toEqual([]);
    await manyTurns(2);
    expect(batches).toEqual([['a', 'b']]);
  });

  it('has the items that come while a batch is worked on share the next one', async () => {
    const { coalescer, batches, end } = observed();
    coalescer.add('a');
    await manyTurns(2);
    coalescer.add('b');
    await manyTurns(2);
    coalescer.add('c');
    await manyTurns(2);
    expect(batches).toEqual([['a']]);
    end();
    await manyTurns(2);
    expect(batches).toEqual([['a'], ['b', 'c']]);
  });

  it('that overlaps begins a batch while another one is worked on', async () => {
    const { coalescer, batches } = observed({ overlaps: true });
    coalescer.add('a');
    await manyTurns(2);
    coalescer.add('b');
    await manyTurns(2);
    expect(batches).toEqual([['a'], ['b']]);
  });

  it('has items wait while it is held, however often one hold is ended', async () => {
    const { coalescer, batches } = observed();
    const [first, second] = [coalescer.hold(), coalescer.hold()];
    coalescer.add('a');
    first();
    first();
    await manyTurns(2);
    expect(batches).toEqual([]);
    second();
    await manyTurns(2);
    expect(batches).toEqual([['a']]);
  });

  it('gives the items that wait to a taker, and no longer works on them', async () => {
    const { coalescer, batches } = observed();
    coalescer.add('a');
    expect(coalescer.take()).toEqual(['a']);
    await manyTurns(2);
    expect(batches).toEqual([]);
  });

  it('that drains works on all, though it is held, after the batch under way', async () => {
    const { coalescer, batches, end } = observed();
    coalescer.add('a');
    await manyTurns(2);
    coalescer.hold();
    coalescer.add('b');
    let isDrained = false;
    void coalescer.drain().then(() => (isDrained = true));
    await manyTurns(2);
    expect(batches).toEqual([['a']]);
    end();
    await manyTurns(2);
    expect([batches, isDrained]).toEqual([[['a'], ['b']], false]);
    end();
    await manyTurns(2);
    expect(isDrained).toBe(true);
  });
});
