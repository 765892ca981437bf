import { describe, expect, it } from 'vitest';
import { debugKernels } from '../harness/debug-kernel.js';
import { FIELDS, limbsOf, writeLimbs } from '../harness/field-forms.js';
import { seededBytes } from '../harness/seeded-random.js';

const [F, G, OUT] = [0x20000, 0x20100, 0x20200] as const;
const OPERANDS = [F, G] as const;
const LANES = [0, 1] as const;

// The bounds that a field's comments prove are asserted where a limb enters: here they are, limb by
// limb and lane by lane.
describe.each(debugKernels())('the asserts of $title', (kernel) => {
  const { exports } = kernel;
  const field = FIELDS[kernel.name];

  it.each([
    ['mulX2', () => exports.mulX2(OUT, F, G)],
    ['mulLooseX2', () => exports.mulLooseX2(OUT, F, G)],
    ['squareX2', () => exports.squareX2(OUT, F)],
    ['squareLooseX2', () => exports.squareLooseX2(OUT, F)],
    ['carryX2', () => exports.carryX2(OUT, F)],
    ['addX2', () => exports.addX2(OUT, F, G)],
    ['subX2', () => exports.subX2(OUT, F, G)],
  ] as const)(
    'let %s have limbs at their very ends, and trap on a single one beyond',
    (name, call) => {
      const ranges = field.asserted[name];
      const view = new DataView(kernel.memory.buffer);
      for (const end of ['lowest', 'highest'] as const) {
        const limbs = ranges.flatMap((range, operand) => {
          // A difference is largest where its two are farthest apart.
          const isLowest = (end === 'lowest') !== (name === 'subX2' && operand === 1);
          return LANES.flatMap((lane) =>
            Array.from({ length: field.limbCount }, (_, i) => {
              const ptr = (OPERANDS[operand] ?? F) + field.offset(lane, i);
              const title = `${end}, operand ${operand}, lane ${lane}, limb ${i}`;
              const { lowest, highest } = range(i);
              // One below zero is the largest of a field whose limbs have no sign.
              return isLowest
                ? { ptr, title, limb: lowest, beyond: lowest - 1n }
                : { ptr, title, limb: highest, beyond: highest + 1n };
            }),
          );
        });
        for (const { ptr, limb } of limbs) field.write(view, ptr, limb);
        expect(call, end).not.toThrow();
        for (const { ptr, limb, beyond, title } of limbs) {
          field.write(view, ptr, beyond);
          expect(call, title).toThrow(WebAssembly.RuntimeError);
          field.write(view, ptr, limb);
        }
        expect(call, end).not.toThrow();
      }
    },
  );

  it.each(field.products)('let random limbs pass into a product of %s and %s', (formF, formG) => {
    const random = seededBytes('asserts');
    for (let round = 0; round < 200; round++) {
      for (const lane of LANES) {
        writeLimbs(field, kernel, F, lane, limbsOf(field, formF, random));
        writeLimbs(field, kernel, G, lane, limbsOf(field, formG, random));
      }
      expect(() => exports.mulX2(OUT, F, G)).not.toThrow();
    }
  });
});
