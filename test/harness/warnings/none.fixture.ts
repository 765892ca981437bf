import { expect, test } from 'vitest';

test('causes no warning', () => {
  expect(process.listenerCount('warning')).toBeGreaterThan(0);
});
