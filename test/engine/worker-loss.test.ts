import { SealcastError } from 'sealcast';
import { outliveWorkers, unlessWorkersDied } from '#dist/src/engine/worker-loss.js';
import { describe, expect, it } from 'vitest';

const lost = new SealcastError('ERR_WORKER_LOST', 'its worker thread died');
const other = new SealcastError('ERR_CLOSED', 'this Sealer is closed');

/** Work that fails with each of the errors, and then succeeds. */
function failing(...errors: readonly Error[]): {
  work: () => Promise<string>;
  attempts: () => number;
} {
  let attempts = 0;
  const work = (): Promise<string> => {
    const error = errors[attempts];
    attempts += 1;
    return error === undefined ? Promise.resolve('done') : Promise.reject(error);
  };
  return { work, attempts: () => attempts };
}

describe('outliveWorkers()', () => {
  it('does work again whose worker died, three times in all', async () => {
    const twice = failing(lost, lost);
    expect(await outliveWorkers(twice.work)).toBe('done');
    const always = failing(lost, lost, lost, lost);
    await expect(outliveWorkers(always.work)).rejects.toBe(lost);
    expect(always.attempts()).toBe(3);
  });

  it('does work once that fails of something else', async () => {
    const { work, attempts } = failing(other);
    await expect(outliveWorkers(work)).rejects.toBe(other);
    expect(attempts()).toBe(1);
  });
});

describe('unlessWorkersDied()', () => {
  it('gives the fallback only for work that workers died of', async () => {
    expect(await unlessWorkersDied(Promise.resolve(1), 'gone')).toBe(1);
    expect(await unlessWorkersDied(Promise.reject(lost), 'gone')).toBe('gone');
    await expect(unlessWorkersDied(Promise.reject(other), 'gone')).rejects.toBe(other);
  });
});
