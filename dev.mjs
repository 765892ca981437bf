// `npm run dev`: watch mode, on a tree that may never have been built. Builds everything, then
// compiles each change and runs the fast tests that it touches. Arguments are vitest's: `npm run
// dev -- test/broadcast`.
import { spawn, spawnSync } from 'node:child_process';
import { watch } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const NODE = process.execPath;
/** Vitest loads the package itself, so that its watcher knows the imports (vitest.config.ts). */
const env = { ...process.env, SEALCAST_WATCH: '1' };
const children = new Set();

function start(args, stdio) {
  const child = spawn(NODE, args, { cwd: root, stdio, env });
  children.add(child);
  child.once('close', () => children.delete(child));
  return child;
}

/**
 * Compiles a project now and after each change. Resolves after the first time: what it writes then
 * makes no test run twice.
 */
function compile(project) {
  const tsc = start(
    ['node_modules/typescript/bin/tsc', '-p', project, '--watch', '--preserveWatchOutput'],
    ['ignore', 'pipe', 'inherit'],
  );
  return new Promise((resolve, reject) => {
    tsc.stdout.setEncoding('utf8').on('data', (text) => {
      if (/error TS/.test(text)) console.log(text.trim());
      if (/Watching for file changes/.test(text)) resolve();
    });
    tsc.once('close', () => reject(new Error(`tsc -p ${project} ended`)));
  });
}

function build() {
  const { status } = spawnSync(NODE, ['build.mjs', '--quiet'], { cwd: root, stdio: 'inherit' });
  return status === 0;
}

function endAll() {
  for (const child of children) child.kill();
}
process.once('SIGINT', endAll);
process.once('SIGTERM', endAll);

if (!build()) process.exit(1);
// Tests import what the first project writes.
await compile('tsconfig.json');
await compile('tsconfig.dev.json');

// The kernels are not TypeScript's to compile. An editor writes a file in several steps: what comes
// at once is one change.
let timer;
watch(`${root}assembly`, { recursive: true }, () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    console.log(build() ? 'kernels built' : 'kernels not built: see above');
  }, 200);
});

const vitest = ['node_modules/vitest/vitest.mjs', 'watch', '--config', 'vitest.config.fast.ts'];
start([...vitest, ...process.argv.slice(2)], 'inherit').once('close', (status) => {
  endAll();
  process.exit(status ?? 1);
});
