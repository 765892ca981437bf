// Builds everything: the kernels (asc), the library (tsc, to dist/), and what tests, examples and
// benchmarks run from (build/). Prints the size and SHA-256 of every kernel. `--quiet` prints only
// what goes wrong.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { baseTableSource } from './assembly/curve/base-table.mjs';

const root = fileURLToPath(new URL('.', import.meta.url));
// asc and tsc resolve from the working directory.
process.chdir(root);
const quiet = process.argv.includes('--quiet');
const say = (line) => quiet || console.log(line);

/** First address that hosts use; the module's constants must end below it. abi.ts says the same. */
const CONTROL_PTR = 65536;

// One source, a kernel for each field, in the order in which hosts try them. The optimization
// levels are those that were fastest, assembly/notes/field.md has the figures: from level 2 on
// Binaryen spoils the order of the fma field's instructions, which V8 keeps from version 13 on.
const KERNELS = [
  {
    name: 'fma',
    features: ['simd', 'relaxed-simd', 'threads', 'bulk-memory'],
    optimize: ['--optimizeLevel', '1'],
  },
  { name: 'int', features: ['simd', 'threads', 'bulk-memory'], optimize: ['-O3'] },
];

/**
 * Has asc write `load(ptr + constant)` as one instruction: below the constants, which begin at
 * 1024, is nothing, so that such a sum does not wrap. asc itself assumes as much only where it
 * chooses --memoryBase.
 */
class FoldedOffsets {
  afterCompile() {
    this.binaryen.setLowMemoryUnused(true);
  }
}

/**
 * Compiles one kernel; gives the module's bytes. `release` is what ships; `inner` exports the inner
 * functions too, at the release's settings, for benchmarks and the timing test; `debug` exports
 * them and keeps the asserts.
 */
async function compileKernel({ name, features, optimize }, kind) {
  const output = {};
  const { error, stderr } = await asc.main(
    [
      kind === 'release' ? 'assembly/index.ts' : 'assembly/testing.ts',
      ...[
        '--outFile',
        'kernel.wasm',
        '--runtime',
        'stub',
        '--use',
        'abort=',
        '--memoryBase',
        '1024',
      ],
      // Shared by all workers of a Sealer; the host makes it, and lays everything but constants
      // behind CONTROL_PTR.
      ...['--importMemory', '--sharedMemory', '--initialMemory', '2', '--maximumMemory', '65536'],
      ...features.flatMap((feature) => ['--enable', feature]),
      ...(kind === 'debug' ? ['-O2'] : ['--noAssert', ...optimize]),
    ],
    {
      readFile(path, baseDir) {
        // The field that assembly/field/field.ts passes on is the one thing in which the kernels'
        // sources differ.
        if (path === 'assembly/field/field.ts') return `export * from './${name}';\n`;
        if (path === 'assembly/curve/base-table.ts') return baseTableSource(name);
        const source = join(baseDir, path);
        return existsSync(source) ? readFileSync(source, 'utf8') : null;
      },
      writeFile(path, contents) {
        output[basename(path)] = contents;
      },
      listFiles: (directory, baseDir) =>
        readdirSync(join(baseDir, directory)).filter((file) => file.endsWith('.ts')),
      transforms: [FoldedOffsets],
    },
  );
  if (error) throw new Error(`kernel ${name}: ${error.message}\n${stderr}`);
  const bytes = output['kernel.wasm'];
  if (!WebAssembly.validate(bytes) && !features.includes('relaxed-simd'))
    throw new Error(`kernel ${name} is not valid`);
  return bytes;
}

/** Where the module's constants end: the highest address of its active data segments. */
function constantsEnd(bytes) {
  const module = new WebAssembly.Module(bytes);
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true });
  new WebAssembly.Instance(module, { env: { memory } });
  const view = new Uint8Array(memory.buffer);
  let end = view.length;
  while (end > 0 && view[end - 1] === 0) end--;
  return end;
}

async function buildKernels() {
  mkdirSync(join(root, 'dist/kernel'), { recursive: true });
  mkdirSync(join(root, 'build/kernel'), { recursive: true });
  const manifest = [];
  for (const kernel of KERNELS) {
    const release = await compileKernel(kernel, 'release');
    const inner = await compileKernel(kernel, 'inner');
    const debug = await compileKernel(kernel, 'debug');
    for (const bytes of [release, inner, debug]) {
      if (WebAssembly.validate(bytes) && constantsEnd(bytes) > CONTROL_PTR) {
        throw new Error(`the constants of kernel ${kernel.name} reach beyond ${CONTROL_PTR}`);
      }
    }
    writeFileSync(join(root, `dist/kernel/${kernel.name}.wasm`), release);
    writeFileSync(join(root, `build/kernel/${kernel.name}.inner.wasm`), inner);
    writeFileSync(join(root, `build/kernel/${kernel.name}.debug.wasm`), debug);
    const sha256 = createHash('sha256').update(release).digest('hex');
    manifest.push({
      name: kernel.name,
      file: `${kernel.name}.wasm`,
      bytes: release.length,
      sha256,
    });
  }
  writeFileSync(join(root, 'dist/kernel/manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function compileTypeScript(project) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** Digest of files and folders, so that what did not change is not built again. */
function digestOf(names) {
  const hash = createHash('sha256');
  const visit = (path) => {
    const full = join(root, path);
    if (!existsSync(full)) return;
    if (statSync(full).isDirectory()) {
      for (const name of readdirSync(full).sort()) if (name !== 'results') visit(join(path, name));
    } else {
      hash.update(path).update('\0').update(readFileSync(full)).update('\0');
    }
  };
  for (const name of names) visit(name);
  return hash.digest('hex');
}
const KERNEL_INPUTS = ['assembly', 'build.mjs', 'package-lock.json', 'package.json'];
const TSCONFIGS = ['tsconfig.base.json', 'tsconfig.json', 'tsconfig.dev.json'];
const ALL_INPUTS = [...KERNEL_INPUTS, 'src', 'workers', 'bench', 'examples', 'test', ...TSCONFIGS];

/** Empties a folder of everything but its kernels. */
function keepKernels(folder) {
  if (!existsSync(join(root, folder))) return;
  for (const name of readdirSync(join(root, folder))) {
    if (name !== 'kernel') rmSync(join(root, folder, name), { recursive: true, force: true });
  }
}

/**
 * Fault of the outputs, or null: kernels that are not those of the manifest, or a missing
 * entry point.
 */
function outputsFault() {
  const entryPoints = [
    'dist/src/index.js',
    'dist/src/kernel/index.js',
    'dist/workers/worker.js',
    'build/bench/main.js',
  ];
  const missing = entryPoints.find((path) => !existsSync(join(root, path)));
  return missing === undefined ? kernelsFault() : `${missing} is missing`;
}

function kernelsFault() {
  const manifestFile = join(root, 'dist/kernel/manifest.json');
  if (!existsSync(manifestFile)) return 'dist/kernel/manifest.json is missing';
  for (const { file, sha256 } of JSON.parse(readFileSync(manifestFile, 'utf8'))) {
    const path = join(root, 'dist/kernel', file);
    const found = existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex');
    if (found !== sha256) return `dist/kernel/${file} is not what the manifest says`;
  }
  for (const { name } of KERNELS) {
    for (const kind of ['inner', 'debug']) {
      const file = `build/kernel/${name}.${kind}.wasm`;
      if (!existsSync(join(root, file))) return `${file} is missing`;
    }
  }
  return null;
}

function sayKernels() {
  for (const { file, bytes, sha256 } of JSON.parse(
    readFileSync(join(root, 'dist/kernel/manifest.json'), 'utf8'),
  )) {
    say(`${file.padEnd(10)} ${String(bytes).padStart(6)} bytes  sha256 ${sha256}`);
  }
}

const isForced = process.argv.includes('--force');
const isStamped = (stamp, digest) =>
  !isForced && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
const stamp = join(root, 'build/.inputs');
const digest = digestOf(ALL_INPUTS);
const kernelStamp = join(root, 'build/kernel/.inputs');
const kernelDigest = digestOf(KERNEL_INPUTS);
if (isStamped(stamp, digest) && outputsFault() === null) {
  say('Nothing changed since the last build.');
} else {
  // The stamp goes first and comes last: a build that is cut short anywhere in between is never
  // taken for a whole one.
  rmSync(stamp, { force: true });
  keepKernels('dist');
  keepKernels('build');
  if (!isStamped(kernelStamp, kernelDigest) || kernelsFault() !== null) {
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    rmSync(join(root, 'build'), { recursive: true, force: true });
    await buildKernels();
    writeFileSync(kernelStamp, kernelDigest);
  }
  compileTypeScript('tsconfig.json');
  compileTypeScript('tsconfig.dev.json');
  const fault = outputsFault();
  if (fault !== null) throw new Error(`${fault}: was another build under way?`);
  writeFileSync(stamp, digest);
}
sayKernels();
