import { describe, expect, test } from 'vitest';
import { forEachInTurns, Turns } from '#dist/src/engine/turns.js';
import { countTurns, spin } from '../harness/count-turns.js';

describe('Turns', () => {
  test('does its jobs in their order, plain and asynchronous ones, never within push', async () => {
    const turns = new Turns();
    const done: number[] = [];
    const all = new Promise<void>((resolve) => {
      for (let i = 0; i < 10_000; i++) {
        if (i % 3 === 0) turns.push(() => void done.push(i));
        else turns.push(async () => void done.push(await Promise.resolve(i)));
      }
      turns.push(resolve);
    });
    expect(done).toEqual([]);
    expect(turns.length).toBe(10_001);
    await all;
    expect(done).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    expect(turns.length).toBe(0);
  });

  test('lets the event loop turn between jobs that take long', async () => {
    const turns = new Turns();
    const all = new Promise<void>((resolve) => {
      for (let i = 0; i < 20; i++) turns.push(() => spin(3));
      turns.push(resolve);
    });
    expect(await countTurns(all)).toBeGreaterThanOrEqual(20);
  });

  test('goes on when a job throws or rejects', async () => {
    const turns = new Turns();
    const done: string[] = [];
    turns.push(() => {
      throw new Error('thrown');
    });
    turns.push(() => void done.push('after a throw'));
    turns.push(() => Promise.reject(new Error('rejected')));
    await new Promise<void>((resolve) => turns.push(resolve));
    expect(done).toEqual(['after a throw']);
    expect(turns.length).toBe(0);
  });

  test('takes jobs again after it has run dry', async () => {
    const turns = new Turns();
    for (let round = 0; round < 3; round++)
      await new Promise<void>((resolve) => turns.push(resolve));
    expect(turns.length).toBe(0);
  });
});

describe('forEachInTurns', () => {
  test('runs a short loop at once, and a long one in turns', async () => {
    const seen: number[] = [];
    expect(forEachInTurns(10, (i) => void seen.push(i))).toBeUndefined();
    expect(seen).toHaveLength(10);
    const long = forEachInTurns(200, (i) => {
      seen.push(i);
      spin(0.2);
    });
    if (long === undefined) throw new Error('all in one turn');
    expect(seen.length).toBeLessThan(210);
    expect(await countTurns(long)).toBeGreaterThan(1);
    expect(seen.slice(10)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test('ends with the first error', async () => {
    const failAt = (bad: number) => (i: number) => {
      spin(0.2);
      if (i === bad) throw new Error('bad');
    };
    expect(() => forEachInTurns(10, failAt(3))).toThrow('bad');
    await expect(forEachInTurns(200, failAt(190))).rejects.toThrow('bad');
  });
});
