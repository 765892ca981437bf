// Runs every check of the sources, as many at a time as there are CPUs, and prints the output of
// each as it ends.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Scripts of package.json; the one that takes longest comes first. */
const CHECKS = [
  'lint',
  'docs',
  'format:check',
  'arrows',
  'check:prose',
  'check:spelling',
  'generate:check',
];

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

const waiting = [...CHECKS];
const results = [];
const takeTurns = async () => {
  for (let name; (name = waiting.shift()) !== undefined;) results.push(await run(name));
};
await Promise.all(Array.from({ length: availableParallelism() }, takeTurns));
process.exitCode = results.every(Boolean) ? 0 : 1;
