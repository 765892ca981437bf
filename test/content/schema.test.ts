import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runNode } from '../harness/run-node.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

test('the generated schemas say what their .proto files say', () => {
  const { stderr, exitCode } = runNode(root, [join(root, 'generate.mjs'), '--check']);
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
});
