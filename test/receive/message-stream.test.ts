import { expect, test } from 'vitest';
import { MessageStream } from '#dist/src/receive/message-stream.js';

const timers = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

test('a loop that waits for a message keeps the process alive, and no longer', async () => {
  const stream = new MessageStream({ add: () => undefined });
  const before = timers();
  const next = stream.iterate().next();
  // Timers that keep the process alive are counted alone.
  expect(timers()).toBe(before + 1);
  stream.end();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(timers()).toBe(before);
});
