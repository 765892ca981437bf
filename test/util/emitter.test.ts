import { Emitter } from '#dist/src/util/event-relay.js';
import { expect, it } from 'vitest';

it('an Emitter tells every listener, in the order of subscription', () => {
  const emitter = new Emitter<number>();
  const heard: string[] = [];
  emitter.subscribe((event) => heard.push(`first ${event}`));
  emitter.subscribe((event) => heard.push(`second ${event}`));
  emitter.emit(1);
  expect(heard).toEqual(['first 1', 'second 1']);
});

it('an Emitter tells a function that subscribed twice twice, and once after one subscription ended', () => {
  const emitter = new Emitter<number>();
  const heard: number[] = [];
  const listener = (event: number): void => void heard.push(event);
  const unsubscribe = emitter.subscribe(listener);
  emitter.subscribe(listener);
  emitter.emit(1);
  unsubscribe();
  unsubscribe();
  emitter.emit(2);
  expect(heard).toEqual([1, 1, 2]);
});

it('an Emitter tells those that were subscribed when the event began', () => {
  const emitter = new Emitter<number>();
  const heard: number[] = [];
  emitter.subscribe(() => emitter.subscribe((event) => heard.push(event)));
  emitter.emit(1);
  expect(heard).toEqual([]);
});
