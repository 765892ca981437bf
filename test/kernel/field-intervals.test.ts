import asc from 'assemblyscript/asc';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { seededBytes } from '../harness/seeded-random.js';

// The fma field's products are exact as long as no two limbs that meet are too large: here the
// curve's own source is compiled on a field of bounds (test/harness/interval-field.as), and every
// formula is walked through with the worst that can come.

interface IntervalExports {
  x25519Batch(...parameters: number[]): void;
  buildTablesX2(tablesA: number, tablesB: number, uA: number, uB: number, scratch: number): number;
  invertX2(out: number, f: number, scratch: number): void;
  mulX2(out: number, f: number, g: number): void;
  worstProduct(): number;
}

const [SCALARS, POINTS, OUTS, TABLES_PTRS] = [0x20000, 0x21000, 0x22000, 0x23000] as const;
const [ELEMENT, TABLES, PAIRS, SCRATCH] = [0x24000, 0x30000, 0x50000, 0x60000] as const;
const [BY_LADDER, BY_BASE, BY_TABLES] = [0, 1, 2] as const;

const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: true });
let exports: IntervalExports;

async function compile(): Promise<Uint8Array<ArrayBuffer>> {
  const field = readFileSync('test/harness/interval-field.as', 'utf8');
  const generator = (await import(
    new URL('../../assembly/curve/base-table.mjs', import.meta.url).href
  )) as {
    readonly baseTableSource: (field: string) => string;
  };
  const entry =
    `export { x25519Batch } from './curve/x25519';\nexport { buildTablesX2 } from './curve/recipient-tables';\n` +
    `export { invertX2 } from './field/invert';\nexport { mulX2, worstProduct } from './field/field';\n`;
  const virtual = new Map([
    ['assembly/intervals.ts', entry],
    ['assembly/field/field.ts', field],
    ['assembly/curve/base-table.ts', generator.baseTableSource('fma')],
  ]);
  const output: Record<string, unknown> = {};
  const stderr = asc.createMemoryStream();
  const { error } = await asc.main(
    [
      ...[
        'assembly/intervals.ts',
        '--outFile',
        'intervals.wasm',
        '--runtime',
        'stub',
        '--use',
        'abort=',
        '-O2',
      ],
      ...[
        '--memoryBase',
        '1024',
        '--importMemory',
        '--sharedMemory',
        '--initialMemory',
        '2',
        '--maximumMemory',
        '65536',
      ],
      ...['simd', 'threads', 'bulk-memory'].flatMap((feature) => ['--enable', feature]),
    ],
    {
      stderr,
      readFile(path, baseDir) {
        const source = virtual.get(path);
        const file = join(baseDir, path);
        return source ?? (existsSync(file) ? readFileSync(file, 'utf8') : null);
      },
      writeFile(path, contents) {
        output[basename(path)] = contents;
      },
      listFiles: (directory, baseDir) =>
        readdirSync(join(baseDir, directory)).filter((file) => file.endsWith('.ts')),
    },
  );
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
  return output['intervals.wasm'] as Uint8Array<ArrayBuffer>;
}

beforeAll(async () => {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(await compile()), {
    env: { memory },
  });
  exports = instance.exports as unknown as IntervalExports;
  new Uint8Array(memory.buffer).set(seededBytes('intervals')(4096), SCALARS);
  const view = new DataView(memory.buffer);
  for (const [index, at] of [TABLES, TABLES + 0x4000, TABLES + 0x8000].entries())
    view.setUint32(TABLES_PTRS + 4 * index, at, true);
});

const multiply = (how: number): void => {
  const [points, stride] = how === BY_TABLES ? [TABLES_PTRS, 4] : [POINTS, 32];
  exports.x25519Batch(0, 3, SCALARS, 32, points, stride, OUTS, 32, how, PAIRS, SCRATCH);
};
const largest = (pair: number): number => Math.max(...new Float64Array(memory.buffer, pair, 10));

describe('no product of limbs is beyond 2^102, whatever the limbs,', () => {
  it('in the ladder and the inversions', () => {
    multiply(BY_LADDER);
    expect(exports.worstProduct()).toBe(2 ** 102);
  });

  it('in the fixed-base comb', () => {
    multiply(BY_BASE);
    expect(exports.worstProduct()).toBe(2 ** 102);
  });

  it('in building tables, whose limbs end up tight, and in multiplying by them', () => {
    expect(exports.buildTablesX2(TABLES, TABLES + 0x4000, POINTS, POINTS + 32, SCRATCH)).toBe(3);
    exports.buildTablesX2(TABLES + 0x8000, TABLES + 0x8000, POINTS + 64, POINTS + 64, SCRATCH);
    multiply(BY_TABLES);
    expect(exports.worstProduct()).toBe(2 ** 102);
  });
});

it('a field of bounds traps where a sum of sums meets a sum', () => {
  new Float64Array(memory.buffer, ELEMENT, 10).fill(2 ** 52);
  new Float64Array(memory.buffer, ELEMENT + 80, 10).fill(2 ** 51);
  expect(() => exports.mulX2(ELEMENT, ELEMENT, ELEMENT + 80)).toThrow(WebAssembly.RuntimeError);
  new Float64Array(memory.buffer, ELEMENT + 80, 10).fill(2 ** 50);
  exports.mulX2(ELEMENT, ELEMENT, ELEMENT + 80);
  expect(largest(ELEMENT)).toBe(2 ** 50);
});
