import { AbortWatch } from '#dist/src/util/abort-watch.js';
import { Semaphore } from '#dist/src/util/semaphore.js';
import { expect, it } from 'vitest';
import { manyTurns } from '../harness/await-condition.js';

const { signal } = new AbortController();

it('a Semaphore grants its permits to waiters in order', async () => {
  const semaphore = new Semaphore(1, new AbortWatch());
  const granted: string[] = [];
  await semaphore.acquire(signal);
  void semaphore.acquire(signal).then(() => granted.push('first'));
  void semaphore.acquire(signal).then(() => granted.push('second'));
  semaphore.release();
  await manyTurns(2);
  expect(granted).toEqual(['first']);
  semaphore.release();
  await manyTurns(2);
  expect(granted).toEqual(['first', 'second']);
});

it('a Semaphore passes over a waiter whose signal has fired', async () => {
  const semaphore = new Semaphore(1, new AbortWatch());
  const controller = new AbortController();
  const reason = new Error('gone');
  await semaphore.acquire(signal);
  const gone = semaphore.acquire(controller.signal);
  const next = semaphore.acquire(signal);
  controller.abort(reason);
  await expect(gone).rejects.toBe(reason);
  semaphore.release();
  await next;
});

it('a Semaphore lends the permit of a caller that waits to others, and gives it one again', async () => {
  const semaphore = new Semaphore(1, new AbortWatch());
  await semaphore.acquire(signal);
  let end = (): void => undefined;
  let isBack = false;
  const work = (): Promise<void> => new Promise((resolve) => (end = resolve));
  void semaphore.releaseWhile(work, signal).then(() => (isBack = true));
  await semaphore.acquire(signal);
  end();
  await manyTurns(2);
  expect(isBack).toBe(false);
  semaphore.release();
  await manyTurns(2);
  expect(isBack).toBe(true);
});
