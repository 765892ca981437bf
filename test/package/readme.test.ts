import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ConsumerProject } from '../harness/consumer-project.js';
import { runNode } from '../harness/run-node.js';
import { runProcess } from '../harness/run-process.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const typedExamples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
const examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1] ?? '');

const announcements = readFileSync(join(root, 'examples/newsletter/newsletter.ts'), 'utf8');

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

  it('of TypeScript check against the types, strictly', { timeout: 120_000 }, () => {
    const project = new ConsumerProject();
    try {
      symlinkSync(join(root, 'node_modules/@opentelemetry'), join(project.directory, 'node_modules/@opentelemetry'));
      const files = typedExamples.map((text, i) => {
        // The one that another one imports by its name.
        const file = text === announcements ? 'announcements.ts' : `example-${i}.ts`;
        project.write(file, text);
        return file;
      });
      expect(files).toHaveLength(4);
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      const flags =
        '--module nodenext --target esnext --lib esnext --strict --exactOptionalPropertyTypes --noEmit'.split(' ');
      const { exitCode, stdout } = runNode(project.directory, [tsc, ...flags, '--types', 'node', ...files]);
      expect(stdout).toBe('');
      expect(exitCode).toBe(0);
    } finally {
      project.remove();
    }
  });

  it('quote the announcement service as it is tested', () => {
    expect(typedExamples).toContain(announcements);
  });

  it('are all run here', () => {
    expect(examples).toHaveLength(2);
  });
});
