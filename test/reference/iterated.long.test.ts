import { expect, test } from 'vitest';
import { fromHex, toHex } from './bytes.js';
import { x25519 } from './x25519.js';
import * as vectors from '../vectors/index.js';

test('the twin: X25519 gives the RFC 7748 value after a thousand iterations', () => {
  const { start, after } = vectors.x25519.iterated;
  const expected = new Map(after.map(({ iterationCount, scalar }) => [iterationCount, scalar]));
  let [k, u] = [fromHex(start), fromHex(start)];
  for (let iteration = 1; iteration <= 1000; iteration++) {
    [k, u] = [x25519(k, u), k];
    if (expected.has(iteration)) expect(toHex(k)).toBe(expected.get(iteration));
  }
});
