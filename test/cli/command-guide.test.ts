import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runNode } from '../harness/run-node.js';

it('the guide of the command has every command, as the table of commands has it', () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const { exitCode, stderr } = runNode(root, ['scripts/command-guide.mjs', '--check']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});
