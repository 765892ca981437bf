// A project of somebody who installed the packed package, in a folder of its own.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const packageRoot = dirname(createRequire(import.meta.url).resolve('sealcast/package.json'));

export interface PackedPackage {
  readonly filename: string;
  /** Of the tarball, bytes. */
  readonly size: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Runs npm pack without its scripts: the tests run what is built already. */
export function npmPack(...args: readonly string[]): PackedPackage {
  const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts', ...args], {
    cwd: packageRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const [packed] = JSON.parse(output) as PackedPackage[];
  if (packed === undefined) throw new Error('npm pack packed nothing');
  return packed;
}

export class ConsumerProject {
  readonly directory = mkdtempSync(join(tmpdir(), 'sealcast-consumer-'));
  /** Where the package is installed. */
  readonly installed = join(this.directory, 'node_modules/sealcast');
  readonly tarball: string;

  constructor() {
    const { filename } = npmPack('--pack-destination', this.directory);
    this.tarball = join(this.directory, filename);
    mkdirSync(this.installed, { recursive: true });
    execFileSync('tar', ['-xzf', this.tarball, '-C', this.installed, '--strip-components=1']);
    this.write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
    const manifest = JSON.parse(readFileSync(join(this.installed, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    // What the package names as its dependencies, and the types of Node, which every TypeScript
    // project on Node has.
    for (const name of [...Object.keys(manifest.dependencies), '@types/node']) {
      const link = join(this.directory, 'node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(packageRoot, 'node_modules', name), link, 'junction');
    }
  }

  write(path: string, contents: string | Uint8Array): void {
    writeFileSync(join(this.directory, path), contents);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/**
 * A folder into which npm installed the tarball, without a network: the dependencies are links to
 * those that are installed here.
 */
export function installedByNpm(tarball: string): {
  readonly directory: string;
  readonly remove: () => void;
} {
  const directory = mkdtempSync(join(tmpdir(), 'sealcast-installed-'));
  const { dependencies } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const overrides = Object.fromEntries(
    Object.keys(dependencies).map((name) => [
      name,
      `file:${join(packageRoot, 'node_modules', name)}`,
    ]),
  );
  const manifest = {
    name: 'empty',
    private: true,
    dependencies: { sealcast: `file:${tarball}` },
    overrides,
  };
  writeFileSync(join(directory, 'package.json'), JSON.stringify(manifest));
  execFileSync(
    'npm',
    ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    },
  );
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
