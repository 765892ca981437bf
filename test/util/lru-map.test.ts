import { LruMap } from '#dist/src/util/lru-map.js';
import { expect, it } from 'vitest';

it('a full LruMap drops the entry that was used longest ago, and gives it back', () => {
  const map = new LruMap<string, number>(2);
  expect(map.set('a', 1)).toBeUndefined();
  map.set('b', 2);
  expect(map.get('a')).toBe(1);
  expect(map.set('c', 3)).toEqual(['b', 2]);
  expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([1, undefined, 3, 2]);
});

it('an LruMap counts a new value as a use, and a peek as none', () => {
  const map = new LruMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  expect(map.peek('b')).toBe(2);
  expect(map.set('c', 4)).toEqual(['b', 2]);
  expect(map.peek('a')).toBe(3);
});
