import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where and with what a result was measured. */
export interface Environment {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly v8: string;
  readonly openssl: string;
  readonly libsignal: string;
  readonly noble: { readonly curves: string; readonly hashes: string; readonly ciphers: string };
  /** Versions of the crates in the Rust peer; null when it is not built. */
  readonly rust: Readonly<Record<string, string>> | null;
  readonly sealcast: string;
}

const CRATES = ['curve25519-dalek', 'aes', 'ctr', 'hkdf', 'hmac', 'sha2'];

/** The directory of sealcast's own package.json, whether this file runs as it is or compiled. */
export const PACKAGE_ROOT = findPackageRoot(dirname(fileURLToPath(import.meta.url)));
export const RESULTS_DIRECTORY = join(PACKAGE_ROOT, 'bench', 'results');

export const NODE_MAJOR = Number.parseInt(process.versions.node, 10);

export function describeEnvironment(): Environment {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    openssl: process.versions.openssl,
    libsignal: dependencyVersion('@signalapp/libsignal-client'),
    noble: {
      curves: dependencyVersion('@noble/curves'),
      hashes: dependencyVersion('@noble/hashes'),
      ciphers: dependencyVersion('@noble/ciphers'),
    },
    rust: crateVersions(),
    sealcast: readVersion(join(PACKAGE_ROOT, 'package.json')),
  };
}

export function formatEnvironment(environment: Environment): string {
  const { cpu, cores, memoryGiB, platform, node, v8, openssl, libsignal, noble, rust, sealcast } =
    environment;
  const crates = Object.entries(rust ?? {}).map(([name, version]) => `${name} ${version}`);
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}`,
    `Node ${node} (V8 ${v8}, OpenSSL ${openssl}), libsignal ${libsignal}, ` +
      [
        `noble curves ${noble.curves}, hashes ${noble.hashes}, ciphers ${noble.ciphers}`,
        ...crates,
        `sealcast ${sealcast}`,
      ].join(', '),
  ].join('\n');
}

function crateVersions(): Record<string, string> | null {
  const [built, lockFile] = ['pkg', 'Cargo.lock'].map((name) =>
    join(PACKAGE_ROOT, 'bench/peers/rust', name),
  );
  if (built === undefined || lockFile === undefined || !existsSync(built) || !existsSync(lockFile))
    return null;
  const lock = readFileSync(lockFile, 'utf8');
  return Object.fromEntries(
    CRATES.map((name) => [
      name,
      new RegExp(`name = "${name}"\\nversion = "([^"]+)"`).exec(lock)?.[1] ?? 'unknown',
    ]),
  );
}

function dependencyVersion(name: string): string {
  return readVersion(join(PACKAGE_ROOT, 'node_modules', name, 'package.json'));
}

function readVersion(packageJsonPath: string): string {
  return (JSON.parse(readFileSync(packageJsonPath, 'utf8')) as { version: string }).version;
}

function findPackageRoot(directory: string): string {
  if (existsSync(join(directory, 'package.json'))) return directory;
  const parent = dirname(directory);
  if (parent === directory) throw new Error('no package.json above the benchmarks');
  return findPackageRoot(parent);
}
