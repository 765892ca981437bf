import { SharedTimeout } from '#dist/src/util/shared-timeout.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../fakes/manual-clock.js';

describe('a SharedTimeout', () => {
  let clock: ManualClock;
  let timeout: SharedTimeout;
  const ended: string[] = [];
  beforeEach(() => {
    ended.length = 0;
    clock = new ManualClock();
    timeout = new SharedTimeout(clock, 1_000);
  });
  const add = (name: string): (() => void) => timeout.add(() => ended.push(name));

  it('ends each timeout at its own time, and not before', () => {
    add('a');
    clock.pass(400);
    add('b');
    clock.pass(599);
    expect(ended).toEqual([]);
    clock.pass(1);
    expect(ended).toEqual(['a']);
    clock.pass(400);
    expect(ended).toEqual(['a', 'b']);
    expect(timeout.size).toBe(0);
  });

  it('does not end one that was canceled, and keeps nothing of it', () => {
    const cancel = add('a');
    add('b');
    cancel();
    expect(timeout.size).toBe(1);
    clock.pass(5_000);
    expect(ended).toEqual(['b']);
  });

  it('goes on after all have ended or were canceled', () => {
    add('a')();
    clock.pass(5_000);
    add('b');
    clock.pass(999);
    expect(ended).toEqual([]);
    clock.pass(1);
    expect(ended).toEqual(['b']);
  });

  it('has one timer for all of them', () => {
    let timers = 0;
    const counting = {
      monotonicMs: () => clock.monotonicMs(),
      setTimeout: (callback: () => void, ms: number) => {
        timers += 1;
        return clock.setTimeout(callback, ms);
      },
    };
    timeout = new SharedTimeout(counting, 1_000);
    for (let i = 0; i < 100; i++) add(String(i));
    expect(timers).toBe(1);
    clock.pass(1_000);
    expect(ended).toHaveLength(100);
  });
});
