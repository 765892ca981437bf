// The Node binaries of the lines: from npm, by name, version and digest as nodes/package-lock.json
// has them, into a folder that neither git nor the build looks at.
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The lines that sealcast is for. */
export const LINES = [20, 22, 24, 26];
export const platform = `${process.platform}-${process.arch}`;

const source = fileURLToPath(new URL('nodes/', import.meta.url));
const installed = fileURLToPath(new URL('../../node_modules/.lines/', import.meta.url));
const { optionalDependencies } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
const packageOf = (line) => `node${line}-${platform}`;

/** Whether npm has binaries for this platform, in versions that are pinned here. */
export const hasBinaries = LINES.every((line) => packageOf(line) in optionalDependencies);

/**
 * Installs the binaries, unless they are those of the lockfile already; gives the path of a line's.
 */
export function installNodes() {
  const lockDigest = createHash('sha256')
    .update(readFileSync(join(source, 'package-lock.json')))
    .digest('hex');
  const stamp = join(installed, 'stamp');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockDigest) {
    console.log(`Installing the Node binaries of the lines (npm ci, some 700 MB on the disk) ...`);
    mkdirSync(installed, { recursive: true });
    for (const name of ['package.json', 'package-lock.json'])
      copyFileSync(join(source, name), join(installed, name));
    const args = [
      'ci',
      '--prefix',
      installed,
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ];
    const { status } = spawnSync('npm', args, { cwd: installed, stdio: 'inherit' });
    if (status !== 0) throw new Error('npm could not install the Node binaries of the lines');
  }
  const binaryOf = (line) => join(installed, 'node_modules', packageOf(line), 'bin/node');
  for (const line of LINES) {
    // npm passes over an optional dependency that it cannot fetch, and says nothing.
    const { stdout } = spawnSync(binaryOf(line), ['--version'], { encoding: 'utf8' });
    if (!stdout?.startsWith(`v${line}.`)) throw new Error(`${binaryOf(line)} is no Node ${line}`);
  }
  writeFileSync(stamp, lockDigest);
  return binaryOf;
}
