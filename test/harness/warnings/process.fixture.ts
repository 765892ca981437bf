import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';

test('adds too many listeners in this process', () => {
  const emitter = new EventEmitter();
  for (let i = 0; i <= EventEmitter.defaultMaxListeners; i++) emitter.on('event', () => undefined);
  expect(emitter.listenerCount('event')).toBeGreaterThan(EventEmitter.defaultMaxListeners);
});
