// Positive controls: the kernel's own routines, each made leaky in one line. What goes through the
// timing test and does not catch these proves nothing by what else it does not catch. Not
// TypeScript: it reads the kernel's source, as build.mjs does.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { baseTableSource } from '../../assembly/curve/base-table.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

const LEAKS = [
  {
    says: 'two field multiplications more, of some 2,550, where bit 128 of a scalar is set',
    file: 'assembly/curve/montgomery.ts',
    line: 'swapX2(x2, x3, mask);',
    leaky:
      'swapX2(x2, x3, mask); if (t == 128 && bitA) { mulX2(scratch + 3 * ELEMENT_X2_BYTES, x1, x1); mulX2(scratch + 3 * ELEMENT_X2_BYTES, x1, x1); }',
  },
  {
    says: 'the scan of a table ends with the entry that it looks for',
    file: 'assembly/curve/look-up.ts',
    line: 'scanTable(scratch, tableA, entryCount, indexA);',
    leaky: 'scanTable(scratch, tableA, indexA + 1, indexA);',
  },
  {
    says: 'the comparison ends with the first byte that differs',
    file: 'assembly/envelope/steps.ts',
    line: 'difference |= <u32>(load<u8>(a + i) ^ load<u8>(b + i));',
    leaky: 'if (load<u8>(a + i) != load<u8>(b + i)) return 0;',
  },
];

/** Only what is timed, and what makes inputs for it: the compiler leaves out all else. */
const ENTRY = 'assembly/leaky.ts';
const ENTRY_SOURCE = `
export { ladderX2 } from './curve/montgomery';
export { fixedBaseX2 } from './curve/fixed-base';
export { buildTablesX2, multiplyByTablesX2 } from './curve/recipient-tables';
export { x25519Batch } from './curve/x25519';
export { macsEqual } from './envelope/steps';
`;

function leakySource(path, source) {
  return LEAKS.filter(({ file }) => file === path).reduce((text, { line, leaky }) => {
    if (text.split(line).length !== 2)
      throw new Error(`${path} has no longer one line to make leaky: ${line}`);
    return text.replace(line, () => leaky);
  }, source);
}

/** The leaky twin of the kernel on a field (`fma`, `int`): the module's bytes. */
export async function compileLeakyKernel(field) {
  let bytes;
  const features = field === 'fma' ? ['simd', 'relaxed-simd'] : ['simd'];
  const { error, stderr } = await asc.main(
    [
      ...[
        ENTRY,
        '--baseDir',
        root,
        '--outFile',
        'leaky.wasm',
        '--runtime',
        'stub',
        '--use',
        'abort=',
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
      ...[...features, 'threads', 'bulk-memory'].flatMap((feature) => ['--enable', feature]),
      ...['--noAssert', '-O3'],
    ],
    {
      readFile(path, baseDir) {
        if (path === ENTRY) return ENTRY_SOURCE;
        if (path === 'assembly/field/field.ts') return `export * from './${field}';\n`;
        if (path === 'assembly/curve/base-table.ts') return baseTableSource(field);
        const file = join(baseDir, path);
        return existsSync(file) ? leakySource(path, readFileSync(file, 'utf8')) : null;
      },
      writeFile(_path, contents) {
        bytes = contents;
      },
      listFiles: (directory, baseDir) =>
        readdirSync(join(baseDir, directory)).filter((file) => file.endsWith('.ts')),
    },
  );
  if (error) throw new Error(`the leaky twin of kernel ${field}: ${error.message}\n${stderr}`);
  return bytes;
}
