import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '#dist/src/cli/command-table.js';
import { parseCommand } from '#dist/src/cli/parse-command.js';
import { runNode } from '../harness/run-node.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

it('the guide of the command has every command, as the table of commands has it', () => {
  const { exitCode, stderr } = runNode(root, ['scripts/command-guide.mjs', '--check']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});

/** Calls of the command in the shell blocks of a document, each as its words. */
function callsIn(document: string): string[][] {
  const blocks = [...readFileSync(`${root}${document}`, 'utf8').matchAll(/^```sh\n(.*?)^```/gms)];
  return blocks
    .flatMap(([, block = '']) => block.split('\n'))
    .flatMap((line) => line.replace(/(^| )#.*/, '').split('|'))
    .map((call) =>
      call
        .replace(/[<>].*/, '')
        .trim()
        .split(/\s+/),
    )
    .map((words) => (words[0] === 'npx' ? words.slice(1) : words))
    .filter(([program]) => program === 'sealcast')
    .map((words) => words.slice(1));
}

const DOCUMENTS = [
  'README.md',
  ...readdirSync(`${root}docs/guide`).map((name) => `docs/guide/${name}`),
];
const CALLS = DOCUMENTS.flatMap((document) =>
  callsIn(document).map((words) => [document, words.join(' '), words] as const),
);

describe('the documents', () => {
  it.each(CALLS)('%s: the command takes "%s"', (_document, _call, words) => {
    expect(parseCommand(words)).toMatchObject({ kind: 'run' });
  });

  it('begin with a link, a receive and a broadcast', () => {
    expect(callsIn('README.md').map(([name]) => name)).toEqual(
      expect.arrayContaining(['link', 'receive', 'broadcast']),
    );
    const start = readFileSync(`${root}README.md`, 'utf8').split('\n').slice(0, 12).join('\n');
    expect(start).toContain('npx sealcast link');
  });

  it('name the command for each task of an account', () => {
    const named = new Set(callsIn('docs/guide/accounts.md').map(([name]) => name));
    const others = [
      'contacts',
      'list',
      'broadcast',
      'status',
      'resume',
      'report',
      'receive',
      'demo',
    ];
    const tasks = COMMANDS.map(({ name }) => name).filter((name) => !others.includes(name));
    expect([...named].sort()).toEqual([...tasks].sort());
  });
});
