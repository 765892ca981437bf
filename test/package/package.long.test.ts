import { readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ConsumerProject,
  installedByNpm,
  npmPack,
  packageRoot,
  type PackedPackage,
} from '../harness/consumer-project.js';
import { runNode } from '../harness/run-node.js';

let project: ConsumerProject;
let packed: PackedPackage;
let paths: string[];
beforeAll(() => {
  project = new ConsumerProject();
  packed = npmPack('--dry-run');
  paths = packed.files.map(({ path }) => path);
});
afterAll(() => project.remove());

describe('the packed package', () => {
  test('contains entry points, types, worker, every kernel, and what explains it', () => {
    const kernels = JSON.parse(
      readFileSync(join(packageRoot, 'dist/kernel/manifest.json'), 'utf8'),
    ) as {
      file: string;
    }[];
    expect(kernels.length).toBeGreaterThan(0);
    expect(paths).toEqual(
      expect.arrayContaining([
        'package.json',
        'README.md',
        'LICENSE',
        'SECURITY.md',
        'docs/errors.md',
        'docs/guide/seal.md',
        'dist/src/index.js',
        'dist/src/index.d.ts',
        'dist/src/cli/main.js',
        'dist/src/kernel/index.js',
        'dist/src/kernel/index.d.ts',
        'dist/workers/worker.js',
        'dist/kernel/manifest.json',
        ...kernels.map(({ file }) => `dist/kernel/${file}`),
      ]),
    );
  });

  test('contains only these: no tests, no benchmarks, no sources, no debug kernel', () => {
    const expected =
      /^(dist\/(src|workers|kernel|assembly)\/.+|docs\/(guide\/[a-z-]+|errors)\.md|[A-Z]+(\.md)?|package\.json)$/;
    expect(paths.filter((path) => !expected.test(path))).toEqual([]);
    const unwanted =
      /debug|\.test\.|(^|\/)(test|bench|build|node_modules)\/|[^d]\.ts$|\.wat$|\.tsbuildinfo$/;
    expect(paths.filter((path) => unwanted.test(path))).toEqual([]);
  });

  test('has no source map, and no file that names one', () => {
    expect(paths.filter((path) => path.endsWith('.map'))).toEqual([]);
    const scripts = paths.filter((path) => path.endsWith('.js') || path.endsWith('.d.ts'));
    const naming = scripts.filter((path) =>
      readFileSync(join(project.installed, path), 'utf8').includes('sourceMappingURL'),
    );
    expect(naming).toEqual([]);
  });

  test('is under 900 KB as a tarball', () => {
    expect(packed.size).toBeGreaterThan(0);
    expect(packed.size).toBeLessThan(900_000);
  });

  test('has nothing that publint finds fault with', async () => {
    const { messages, pkg } = await publint({
      pkgDir: project.installed,
      pack: false,
      strict: true,
    });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  test('has types that every module resolution finds, and that are those of ES modules', async () => {
    const tarball = new Uint8Array(readFileSync(project.tarball));
    const analysis = await checkPackage(createPackageFromTarballData(tarball));
    if (analysis.types === false) throw new Error('are-the-types-wrong finds no types');
    // ES modules alone: `require` of them is what Node 20.19 and newer can do, and older ones could
    // not.
    const problems = analysis.problems.filter(({ kind }) => kind !== 'CJSResolvesToESM');
    expect(problems).toEqual([]);
    expect(Object.keys(analysis.entrypoints)).toEqual(['.', './kernel', './package.json']);
  });

  test('says who wrote it and what it is, and names no home that it does not have', () => {
    const manifest = JSON.parse(
      readFileSync(join(project.installed, 'package.json'), 'utf8'),
    ) as Record<string, unknown>;
    expect(manifest).toMatchObject({ author: 'The sealcast authors', license: 'AGPL-3.0-only' });
    expect(manifest['keywords']).toEqual(expect.arrayContaining(['signal', 'sealed-sender']));
    for (const name of ['homepage', 'bugs', 'repository'])
      expect(manifest).not.toHaveProperty(name);
  });

  test('names no path of the machine that built it', () => {
    const files = readdirSync(project.installed, {
      recursive: true,
      encoding: 'utf8',
      withFileTypes: true,
    });
    const named = files
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name))
      .filter((file) => readFileSync(file).includes(packageRoot + sep));
    expect(named).toEqual([]);
  });
});

describe('a project that installed it', () => {
  test('does not load libsignal’s addon before there is something to unseal', () => {
    project.write(
      'lazy.js',
      `import { Sealer } from 'sealcast';
       import { loadKernel } from 'sealcast/kernel';
       const privateKey = crypto.getRandomValues(new Uint8Array(32));
       const publicKey = Uint8Array.of(5, ...(await loadKernel()).x25519Base(privateKey));
       const identityKeyPair = { publicKey, privateKey };
       const addonLoaded = () => process.report.getReport().sharedObjects.some((path) => path.endsWith('.node'));
       const sealer = await Sealer.create({ identityKeyPair, threads: 1 });
       const [sealed] = await sealer.seal([{ recipientIdentityKey: publicKey, content: new Uint8Array(3) }]);
       const before = addonLoaded();
       // Sealed well, but 3 zeros are no USMC: it takes libsignal to say so.
       const [unsealed] = await sealer.unseal([sealed.envelope]);
       const after = addonLoaded();
       await sealer.close();
       console.log(JSON.stringify({ sealed: sealed.ok, before, verdict: unsealed.error.code, after }));`,
    );
    const { stdout, stderr } = runNode(project.directory, ['lazy.js']);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      sealed: true,
      before: false,
      verdict: 'ERR_INVALID_ENVELOPE',
      after: true,
    });
  });

  test('imports both entry points under plain Node, and seals and opens with them', () => {
    project.write(
      'main.js',
      `import { Sealer, SealcastError, deriveAccessKey } from 'sealcast';
       import { loadKernel } from 'sealcast/kernel';
       import { IdentityKeyPair } from '@signalapp/libsignal-client';
       const kernel = await loadKernel();
       const identity = IdentityKeyPair.generate();
       const sealer = await Sealer.create({ identityKeyPair: identity, threads: 2 });
       const recipientIdentityKey = IdentityKeyPair.generate().publicKey;
       const entries = Array.from({ length: 40 }, () => ({ recipientIdentityKey, content: Uint8Array.of(1) }));
       const results = await sealer.seal(entries);
       console.log(JSON.stringify({
         sameKernel: kernel.name === sealer.stats().kernel,
         publicKey: kernel.x25519Base(identity.privateKey.serialize()).length,
         sealed: results.filter((result) => result.ok).length,
         accessKey: deriveAccessKey(new Uint8Array(32)).length,
         error: await sealer.seal([{}]).catch((error) => error instanceof SealcastError && error.code),
       }));
       await sealer.close();`,
    );
    const { exitCode, stdout, stderr } = runNode(project.directory, ['main.js']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      sameKernel: true,
      publicKey: 32,
      sealed: 40,
      accessKey: 16,
      error: 'ERR_INVALID_ARGUMENT',
    });
  });

  test('seals with it where npm installed the tarball into an empty folder', () => {
    const folder = installedByNpm(project.tarball);
    try {
      const script = `
        import { Sealer } from 'sealcast';
        import { loadKernel } from 'sealcast/kernel';
        const privateKey = new Uint8Array(32).fill(7);
        const publicKey = Uint8Array.of(5, ...(await loadKernel()).x25519Base(privateKey));
        const sealer = await Sealer.create({ identityKeyPair: { publicKey, privateKey }, threads: 1 });
        const [sealed] = await sealer.seal([{ recipientIdentityKey: publicKey, content: new Uint8Array(3) }]);
        await sealer.close();
        console.log(sealed.ok);`;
      const { exitCode, stdout, stderr } = runNode(folder.directory, [
        '--input-type=module',
        '--eval',
        script,
      ]);
      expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: 'true\n', stderr: '' });
    } finally {
      folder.remove();
    }
  });

  test('runs the command of a tarball that npm installed', () => {
    const folder = installedByNpm(project.tarball);
    try {
      const run = (...argv: string[]): ReturnType<typeof runNode> =>
        runNode(folder.directory, ['node_modules/.bin/sealcast', ...argv]);
      expect(run('--version')).toMatchObject({ exitCode: 0, stderr: '' });
      const { exitCode, stdout } = run('demo', '--subscribers', '3', '--json');
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ sealed: 3, decrypted: 3 });
    } finally {
      folder.remove();
    }
  });

  test('imports nothing but its entry points and its package.json', () => {
    project.write(
      'inner.js',
      `const inner = await import('sealcast/dist/src/engine/scheduler.js').catch((error) => error.code);
       const manifest = await import('sealcast/package.json', { with: { type: 'json' } });
       console.log(inner, manifest.default.name);`,
    );
    const { stdout } = runNode(project.directory, ['inner.js']);
    expect(stdout.trim()).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED sealcast');
  });

  test('type-checks against it strictly, its declarations too, without the DOM’s', () => {
    project.write('main.ts', CONSUMER_SOURCE);
    project.write(
      'tsconfig.json',
      JSON.stringify({
        compilerOptions: {
          target: 'ES2023',
          lib: ['ES2023', 'ESNext.Disposable'],
          module: 'NodeNext',
          types: ['node'],
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          skipLibCheck: false,
          noEmit: true,
        },
        files: ['main.ts'],
      }),
    );
    const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc');
    const { exitCode, stdout } = runNode(project.directory, [tsc, '-p', '.']);
    expect(stdout).toBe('');
    expect(exitCode).toBe(0);
  });

  test('finds its types with moduleResolution node10 as well', () => {
    project.write(
      'old.ts',
      `import { Sealer } from 'sealcast';
      import { loadKernel } from 'sealcast/kernel';
      export const names: readonly string[] = [Sealer.name, loadKernel.name];
      // @ts-expect-error It has a type, and is no number.
      export const wrong: number = Sealer;`,
    );
    project.write(
      'tsconfig.old.json',
      JSON.stringify({
        compilerOptions: {
          target: 'ES2022',
          lib: ['ES2023', 'ESNext.Disposable'],
          module: 'CommonJS',
          moduleResolution: 'node10',
          ignoreDeprecations: '6.0',
          esModuleInterop: true,
          types: ['node'],
          strict: true,
          // Types of dependencies are theirs.
          skipLibCheck: true,
          noEmit: true,
        },
        files: ['old.ts'],
      }),
    );
    const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc');
    const { exitCode, stdout } = runNode(project.directory, [tsc, '-p', 'tsconfig.old.json']);
    expect(stdout).toBe('');
    expect(exitCode).toBe(0);
  });
});

/** Everything public, used as its documentation says. */
const CONSUMER_SOURCE = `
import { IdentityKeyPair, type PublicKey } from '@signalapp/libsignal-client';
import {
  deriveAccessKey, Sealer, SealcastError,
  type CallOptions, type KernelChoice, type PrepareResult, type PrivateKeyInput,
  type PublicKeyInput, type SealcastErrorCode, type SealcastErrorFacts, type SealerOptions, type SealerStats,
  type SealRequest, type SealResult, type SerializableKey, type UnsealOptions, type UnsealResult,
} from 'sealcast';
import { loadKernel, type KernelName, type LoadKernelOptions, type Primitives } from 'sealcast/kernel';

export async function main(recipient: PublicKey, content: Uint8Array, signal: AbortSignal): Promise<Uint8Array[]> {
  const identityKeyPair = IdentityKeyPair.generate();
  const choice: KernelChoice = 'auto';
  const options: SealerOptions = { identityKeyPair, threads: 2, recipientCacheBytes: 1e6, kernel: choice, maxQueue: 10 };
  await using sealer: Sealer = await Sealer.create(options);
  const call: CallOptions = { signal };
  const key: PublicKeyInput = recipient;
  const privateKey: PrivateKeyInput = identityKeyPair.privateKey;
  const serializable: SerializableKey = privateKey;
  await Sealer.create({ identityKeyPair: { publicKey: new Uint8Array(33), privateKey: serializable } });
  const entries: readonly SealRequest[] = [{ recipientIdentityKey: key, content }];
  const sealed: SealResult[] = await sealer.seal(entries, call);
  const prepared: PrepareResult[] = await sealer.prepare([recipient, new Uint8Array(33)]);
  const trusted: UnsealOptions = { trustRoots: [recipient], timestamp: Date.now(), signal };
  const envelopes = sealed.flatMap((result) => (result.ok ? [result.envelope] : []));
  const opened: UnsealResult[] = await sealer.unseal(envelopes, trusted);
  for (const result of [...sealed, ...prepared, ...opened]) {
    if (result.ok) continue;
    const error: SealcastError = result.error;
    const code: SealcastErrorCode = error.code;
    const facts: SealcastErrorFacts = error;
    console.log(code, facts.index?.toFixed(), facts.field?.trim(), error.cause);
  }
  const [first] = opened;
  if (first?.ok === true) {
    const version: 1 | 2 = first.version;
    const isValid: boolean = first.certificateValidated;
    console.log(first.content, first.senderIdentityKey, version, isValid);
  }
  const stats: SealerStats = sealer.stats();
  const load: LoadKernelOptions = { kernel: 'int' };
  const kernel: Primitives = await loadKernel(load);
  const name: KernelName | string = kernel.name;
  console.log(name, stats.kernel, stats.threads, stats.cachedBytes, stats.cachedRecipients, stats.queueLength);
  const digest: Uint8Array = kernel.hkdfSha256(kernel.sha256(content), content, content, 42);
  // @ts-expect-error It is not part of the package until it is built.
  await sealer.sealMultiRecipient({ content, recipients: [] });
  // @ts-expect-error A text is no key.
  await sealer.prepare(['key']);
  // @ts-expect-error There is no such kernel.
  await loadKernel({ kernel: 'x' });
  return [digest, deriveAccessKey(new Uint8Array(32))];
}
`;
