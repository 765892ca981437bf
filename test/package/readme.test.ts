import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runProcess } from '../support/run-process.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1] ?? '');

async function runExample(index: number): Promise<string> {
  // Under the package's root, so that it finds `sealcast` by name, as a user's file would.
  const file = join(root, 'build', `readme-example-${index}.mjs`);
  writeFileSync(file, examples[index] ?? '');
  const { exitCode, stdout, stderr } = await runProcess(file, []);
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

describe("README's examples", () => {
  it('seal for a thousand recipients, open, and validate', async () => {
    expect(await runExample(0)).toMatch(/^1000 sealed, kernel (int|fma); opened: true, access key of 16 bytes\n$/);
  });

  it('use the kernel alone', async () => {
    expect(await runExample(1)).toMatch(/^(int|fma) 64\n$/);
  });

  it('are all run here', () => {
    expect(examples).toHaveLength(2);
  });
});
