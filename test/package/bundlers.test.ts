import { join } from 'node:path';
import { build } from 'esbuild';
import webpack from 'webpack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConsumerProject } from '../harness/consumer-project.js';
import { runNode } from '../harness/run-node.js';

/**
 * Seals to a recipient and unseals the envelope as that recipient; the kernel and a worker thread
 * take part.
 */
const PROGRAM = `
  import { Sealer, deriveAccessKey } from 'sealcast';
  import { loadKernel } from 'sealcast/kernel';
  const kernel = await loadKernel();
  const newPair = () => {
    const privateKey = crypto.getRandomValues(new Uint8Array(32));
    return { privateKey, publicKey: Uint8Array.of(5, ...kernel.x25519Base(privateKey)) };
  };
  const recipient = newPair();
  const sealer = await Sealer.create({ identityKeyPair: newPair(), threads: 1 });
  const [sealed] = await sealer.seal([{ recipientIdentityKey: recipient.publicKey, content: new Uint8Array(600) }]);
  await sealer.close();
  console.log(sealed.ok, sealed.envelope[0], deriveAccessKey(new Uint8Array(32)).length);
`;
const EXPECTED = 'true 17 16';

let project: ConsumerProject;
beforeAll(() => {
  project = new ConsumerProject();
  project.write('main.js', PROGRAM);
});
afterAll(() => project.remove());

/** Runs a bundle in the project, whose node_modules has sealcast. */
function outputOf(file: string): string {
  const { exitCode, stdout, stderr } = runNode(project.directory, [join('out', file)]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout.trim();
}

function runWebpack(configuration: webpack.Configuration): Promise<webpack.Stats> {
  return new Promise((resolve, reject) => {
    webpack(configuration, (error, stats) => {
      if (stats === undefined) reject(error ?? new Error('webpack gave no result'));
      else resolve(stats);
    });
  });
}

describe('a program that a bundler makes one file of, sealcast kept out of it as the docs say', () => {
  test('runs when esbuild made it', async () => {
    await build({
      absWorkingDir: project.directory,
      entryPoints: ['main.js'],
      outfile: 'out/esbuild.mjs',
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['sealcast'],
      logLevel: 'silent',
    });
    expect(outputOf('esbuild.mjs')).toBe(EXPECTED);
  });

  test('runs when webpack made it', async () => {
    const stats = await runWebpack({
      context: project.directory,
      entry: './main.js',
      mode: 'production',
      target: 'node20',
      experiments: { outputModule: true },
      output: { path: join(project.directory, 'out'), filename: 'webpack.mjs', module: true },
      externals: { sealcast: 'module sealcast', 'sealcast/kernel': 'module sealcast/kernel' },
    });
    expect(stats.compilation.errors).toEqual([]);
    expect(outputOf('webpack.mjs')).toBe(EXPECTED);
  });
});

describe('the modules that a bundler may leave out, by sideEffects', () => {
  /** The modules of the package that are left of a program when esbuild has made one file of it. */
  async function modulesLeft(program: string): Promise<string[]> {
    project.write('shaken.js', program);
    const { metafile } = await build({
      absWorkingDir: project.directory,
      entryPoints: ['shaken.js'],
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      format: 'esm',
      external: ['@signalapp/*', 'lmdb', 'piscina', 'protobufjs'],
      logLevel: 'silent',
    });
    const [output] = Object.values(metafile.outputs);
    return Object.entries(output?.inputs ?? {})
      .filter(([path, { bytesInOutput }]) => path.includes('sealcast/') && bytesInOutput > 0)
      .map(([path]) => path.slice(path.indexOf('sealcast/')));
  }

  test('all of it where nothing of it is used', async () => {
    expect(await modulesLeft(`import 'sealcast';`)).toEqual([]);
  });

  test('the worker’s entry never: it is there for what it does', async () => {
    const worker = './node_modules/sealcast/dist/workers/worker.js';
    expect(await modulesLeft(`import '${worker}';`)).toContain('sealcast/dist/workers/worker.js');
  });
});
