import { describe, expect, test } from 'vitest';
import { Sealer } from 'sealcast';
import { loadKernel } from 'sealcast/kernel';
import { packageRoot } from '../harness/consumer-project.js';
import { allBuilds } from '../harness/kernel-builds.js';
import { runNode } from '../harness/run-node.js';
import { createWorld } from '../harness/signal-fixtures.js';

/**
 * V8 needs SSE4.1 and SSSE3 for WebAssembly SIMD; told to do without them, it is an engine without
 * SIMD.
 */
const WITHOUT_SIMD = ['--no-enable-sse4-1', '--no-enable-ssse3'];

const IS_VALIDATED = `
  import { readFileSync } from 'node:fs';
  console.log(WebAssembly.validate(readFileSync('dist/kernel/int.wasm')));`;
const evaluate = (script: string): string[] => ['--input-type=module', '--eval', script];

const hasFma = allBuilds.some(({ name }) => name === 'fma');

/** Whether the flags do so here: V8 knows them on x64 only, and a later one may drop them. */
function canTakeSimdAway(): boolean {
  const { exitCode, stdout } = runNode(packageRoot, [...WITHOUT_SIMD, ...evaluate(IS_VALIDATED)]);
  return exitCode === 0 && stdout.trim() === 'false';
}
const isTestable = canTakeSimdAway();

test('this test’s own engine has SIMD', () => {
  expect(runNode(packageRoot, evaluate(IS_VALIDATED)).stdout.trim()).toBe('true');
});

const skipReason = isTestable ? '' : ' (skipped: no flag takes SIMD away from this engine)';
describe.skipIf(!isTestable)(`on an engine without SIMD${skipReason}`, () => {
  test('Sealer.create() and loadKernel() fail with one ERR_KERNEL_UNSUPPORTED that names what is missing', () => {
    const script = `
      import { IdentityKeyPair } from '@signalapp/libsignal-client';
      import { Sealer, SealcastError } from 'sealcast';
      import { loadKernel } from 'sealcast/kernel';
      const identityKeyPair = IdentityKeyPair.generate();
      let workers = 0;
      process.on('worker', () => (workers += 1));
      const errors = [];
      for (const kernel of [undefined, 'auto', 'int', ...${JSON.stringify(hasFma ? ['fma'] : [])}]) {
        for (const call of [() => Sealer.create({ identityKeyPair, kernel }), () => loadKernel({ kernel })]) {
          const error = await call().catch((thrown) => thrown);
          errors.push({ isOurs: error instanceof SealcastError, code: error.code, message: error.message });
        }
      }
      console.log(JSON.stringify({ errors, workers }));`;
    const { exitCode, stdout, stderr } = runNode(packageRoot, [
      ...WITHOUT_SIMD,
      ...evaluate(script),
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { errors, workers } = JSON.parse(stdout) as { errors: object[]; workers: number };
    expect(errors).toHaveLength(hasFma ? 8 : 6);
    for (const error of errors) {
      expect(error).toEqual({
        isOurs: true,
        code: 'ERR_KERNEL_UNSUPPORTED',
        message: expect.stringMatching(
          /no kernel can run here.*(int|fma): this engine lacks.*SIMD/,
        ) as string,
      });
    }
    expect(workers).toBe(0);
  });
});

describe('a kernel that the build does not contain', () => {
  test.skipIf(hasFma)('is refused with ERR_KERNEL_UNSUPPORTED', async () => {
    const refused = {
      name: 'SealcastError',
      code: 'ERR_KERNEL_UNSUPPORTED',
      field: 'kernel',
      message: expect.stringMatching(/fma: this build does not contain it/) as string,
    };
    const identityKeyPair = createWorld(0).sender;
    await expect(Sealer.create({ identityKeyPair, kernel: 'fma' })).rejects.toMatchObject(refused);
    await expect(loadKernel({ kernel: 'fma' })).rejects.toMatchObject(refused);
  });

  test('of a name that there is not is an invalid argument', async () => {
    const refused = { code: 'ERR_INVALID_ARGUMENT', field: 'kernel' };
    await expect(loadKernel({ kernel: 'x' as 'int' })).rejects.toMatchObject(refused);
  });
});

test('an engine without any WebAssembly gets the same one clear error', () => {
  const script = `
    import { IdentityKeyPair } from '@signalapp/libsignal-client';
    import { Sealer } from 'sealcast';
    const error = await Sealer.create({ identityKeyPair: IdentityKeyPair.generate() }).catch((thrown) => thrown);
    console.log(error.name, error.code);`;
  const { stdout } = runNode(packageRoot, ['--jitless', ...evaluate(script)]);
  expect(stdout.trim()).toBe('SealcastError ERR_KERNEL_UNSUPPORTED');
});

test('a kernel that could not be read once is read the next time', () => {
  // A copy of the kernel room, whose .wasm comes only after the first attempt.
  const script = `
    import { cpSync, mkdtempSync, rmSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { join } from 'node:path';
    import { pathToFileURL } from 'node:url';
    const copy = mkdtempSync(join(tmpdir(), 'sealcast-'));
    try {
      cpSync('package.json', join(copy, 'package.json'));
      for (const part of ['src/kernel', 'src/util', 'src/errors.js', 'assembly']) {
        cpSync(join('dist', part), join(copy, 'dist', part), { recursive: true });
      }
      const { loadKernel } = await import(pathToFileURL(join(copy, 'dist/src/kernel/index.js')));
      const first = await loadKernel().catch((thrown) => thrown);
      cpSync('dist/kernel', join(copy, 'dist/kernel'), { recursive: true });
      const second = await loadKernel();
      console.log(first.name, first.code, second.name);
    } finally {
      rmSync(copy, { recursive: true });
    }`;
  const { stdout } = runNode(packageRoot, evaluate(script));
  expect(stdout.trim()).toMatch(/^SealcastError ERR_KERNEL_FAULT (int|fma)$/);
});
