import { describe, expect, it } from 'vitest';
import { TwoLaneQueue } from '#dist/src/engine/priority-queue.js';

const item = (name: string): { readonly name: string } => ({ name });
const drain = (lanes: TwoLaneQueue<{ name: string }>): string[] => {
  const names: string[] = [];
  for (let next = lanes.shift(); next !== undefined; next = lanes.shift()) names.push(next.name);
  return names;
};

function filled(incoming: number, outgoing: number): TwoLaneQueue<{ name: string }> {
  const lanes = new TwoLaneQueue<{ name: string }>();
  for (let i = 0; i < outgoing; i++) lanes.push('outgoing', item(`out ${i}`));
  for (let i = 0; i < incoming; i++) lanes.push('incoming', item(`in ${i}`));
  return lanes;
}

describe('two lanes', () => {
  it('have the incoming one first, each in its order', () => {
    expect(drain(filled(3, 2))).toEqual(['in 0', 'in 1', 'in 2', 'out 0', 'out 1']);
  });

  it('let an outgoing one through after four incoming ones, so that none waits for ever', () => {
    const names = drain(filled(10, 2));
    expect(names.indexOf('out 0')).toBe(4);
    expect(names.indexOf('out 1')).toBe(9);
    expect(names).toHaveLength(12);
  });

  it('do not count incoming ones that nothing waited behind', () => {
    const lanes = filled(4, 0);
    drain(lanes);
    lanes.push('outgoing', item('out'));
    for (let i = 0; i < 4; i++) lanes.push('incoming', item(`in ${i}`));
    expect(drain(lanes).at(-1)).toBe('out');
  });

  it('put back what was taken as if it had not been', () => {
    const lanes = filled(6, 1);
    for (let i = 0; i < 20; i++) {
      const taken = lanes.shift();
      expect(taken?.name).toBe('in 0');
      if (taken !== undefined) lanes.unshift('incoming', taken);
    }
    expect(lanes.length).toBe(7);
    expect(drain(lanes)).toEqual(['in 0', 'in 1', 'in 2', 'in 3', 'out 0', 'in 4', 'in 5']);
  });

  it('let an outgoing one through also where each shift but one of many found no thread, and was put back', () => {
    const lanes = filled(20, 1);
    const given: string[] = [];
    while (lanes.length > 0) {
      const item = lanes.shift();
      if (item === undefined) break;
      given.push(item.name);
      // As Piscina does it: one more, for which no thread is free.
      const next = lanes.shift();
      if (next !== undefined)
        lanes.unshift(next.name.startsWith('in') ? 'incoming' : 'outgoing', next);
    }
    expect(given.indexOf('out 0')).toBe(4);
  });

  it('give out one lane alone when asked for it', () => {
    const lanes = filled(1, 1);
    expect([lanes.shift('incoming')?.name, lanes.shift('incoming')?.name]).toEqual([
      'in 0',
      undefined,
    ]);
    expect(lanes.shift('outgoing')?.name).toBe('out 0');
  });

  it('are empty once they are cleared', () => {
    const lanes = filled(3, 3);
    lanes.clear();
    expect([lanes.length, lanes.shift()]).toEqual([0, undefined]);
  });
});
