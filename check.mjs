// Runs the checks of the sources, `--jobs` at a time (as many as there are CPUs), and prints the
// output of each as it ends. Arguments name groups of them; without any, all run.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

/** Scripts of package.json; in each group the one that takes longest comes first. */
const GROUPS = {
  /** Of the sources alone: `npm test` runs them while it builds and tests. */
  sources: ['docs', 'check:spelling', 'check:prose', 'generate:check'],
  /** They resolve what the build writes. */
  built: ['arrows'],
  /** `npm run test:all` adds them to `npm test`. */
  rest: ['lint', 'lint:rest', 'format:check'],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string', default: String(availableParallelism()) } },
});
const groups = positionals.length > 0 ? positionals : Object.keys(GROUPS);

/** Resolves with whether the script ended well. */
function run(name) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', name], { shell: process.platform === 'win32' });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    const end = (isGood, text) => {
      process.stdout.write(`\n> ${name}: ${isGood ? 'passed' : 'failed'}\n${text}`);
      resolve(isGood);
    };
    child.once('error', (error) => end(false, `${error.message}\n`));
    child.once('close', (status) => end(status === 0, output));
  });
}

const waiting = groups.flatMap((group) => GROUPS[group]);
const results = [];
const takeTurns = async () => {
  for (let name; (name = waiting.shift()) !== undefined;) results.push(await run(name));
};
await Promise.all(Array.from({ length: Number(values.jobs) }, takeTurns));
process.exitCode = results.every(Boolean) ? 0 : 1;
