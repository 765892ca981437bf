import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Queue } from '#dist/src/util/queue.js';

test('a Queue gives what was put in, in its order, whatever is done to it in between', () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 6000 }) }),
    fc.record({ shift: fc.integer({ min: 1, max: 6000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const fifo = new Queue<{ id: number }>();
      let [pushed, shifted] = [0, 0];
      for (const action of steps) {
        if ('push' in action) {
          for (let i = 0; i < action.push; i++) fifo.push({ id: pushed++ });
        } else {
          for (let i = 0; i < action.shift && shifted < pushed; i++) {
            const [seen, given] = [fifo.peek()?.id, fifo.shift()?.id];
            // An assertion each of hundreds of thousands would take seconds.
            if (seen !== shifted || given !== shifted)
              expect([seen, given]).toEqual([shifted, shifted]);
            shifted++;
          }
        }
        expect(fifo.length).toBe(pushed - shifted);
      }
      fifo.clear();
      expect([fifo.length, fifo.peek(), fifo.shift()]).toEqual([0, undefined, undefined]);
    }),
    { numRuns: 30 },
  );
});
