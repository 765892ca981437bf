import { EventEmitter } from 'node:events';
import { EventRelay } from '#dist/src/util/event-relay.js';
import { afterEach, expect, it, vi } from 'vitest';

interface Events {
  added: [{ readonly name: string }];
  emptied: [];
}

afterEach(() => vi.restoreAllMocks());

it('an EventRelay holds events until it has a target, then forwards them in order', () => {
  const relay = new EventRelay<Events>();
  const target = new EventEmitter();
  const heard: unknown[] = [];
  target.on('added', (facts) => heard.push(facts));
  target.on('emptied', (...facts: unknown[]) => heard.push(facts));
  relay.emit('added', { name: 'a' });
  relay.emit('emptied');
  expect(heard).toEqual([]);
  relay.forwardTo(target);
  relay.emit('added', { name: 'b' });
  expect(heard).toEqual([{ name: 'a' }, [], { name: 'b' }]);
});

it('an EventRelay throws the exception of a listener in a microtask of its own', () => {
  const thrown: unknown[] = [];
  vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((callback) => {
    try {
      callback();
    } catch (error) {
      thrown.push(error);
    }
  });
  const relay = new EventRelay<Events>();
  const target = new EventEmitter();
  const failure = new Error('the listener fails');
  target.on('emptied', () => {
    throw failure;
  });
  relay.forwardTo(target);
  relay.emit('emptied');
  expect(thrown).toEqual([failure]);
});
