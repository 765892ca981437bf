import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { InboxCleanup } from '#dist/src/receive/inbox-cleanup.js';

/** Rows that were taken out in transactions of their own, one list each. */
function observed(fail?: Error): {
  rows: InboxCleanup;
  removed: (readonly string[])[];
  errors: unknown[];
} {
  const removed: (readonly string[])[] = [];
  const errors: unknown[] = [];
  const rows = new InboxCleanup({
    remove: async (keys) => {
      await nextTurn();
      if (fail !== undefined) throw fail;
      removed.push(keys);
    },
    failed: (error) => void errors.push(error),
  });
  return { rows, removed, errors };
}

async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

describe('rows that were dealt with', () => {
  it('go together in a transaction of their own where no batch is in work', async () => {
    const { rows, removed } = observed();
    rows.add('a');
    rows.add('b');
    await turns();
    expect(removed).toEqual([['a', 'b']]);
  });

  it('wait for the batch in work, and go with it', async () => {
    const { rows, removed } = observed();
    const taker = rows.expectTaker();
    rows.add('a');
    await turns();
    expect(removed).toEqual([]);
    expect(taker.take()).toEqual(['a']);
    taker.committed();
    taker.end();
    await turns();
    expect(removed).toEqual([]);
  });

  it('go with the next transaction where that of the batch failed', async () => {
    const { rows, removed } = observed();
    const taker = rows.expectTaker();
    rows.add('a');
    expect(taker.take()).toEqual(['a']);
    taker.end();
    await turns();
    expect(removed).toEqual([['a']]);
  });

  it('that come after the batch took its own go alone', async () => {
    const { rows, removed } = observed();
    const taker = rows.expectTaker();
    expect(taker.take()).toEqual([]);
    rows.add('a');
    await turns();
    expect(removed).toEqual([['a']]);
  });

  it('go alone when the last batch in work has ended without them', async () => {
    const { rows, removed } = observed();
    const [first, second] = [rows.expectTaker(), rows.expectTaker()];
    rows.add('a');
    first.end();
    first.end();
    await turns();
    expect(removed).toEqual([]);
    second.end();
    await turns();
    expect(removed).toEqual([['a']]);
  });

  it('are gone when it is closed, even those in work', async () => {
    const { rows, removed } = observed();
    rows.expectTaker();
    rows.add('a');
    await rows.close();
    rows.add('b');
    await turns();
    expect(removed).toEqual([['a']]);
  });

  it('that cannot go are told of', async () => {
    const failure = new Error('the disk is full');
    const { rows, errors } = observed(failure);
    rows.add('a');
    await rows.close();
    expect(errors).toEqual([failure]);
  });
});
