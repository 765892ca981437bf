// Writes the reference of the commands into docs/guide/command.md, from the table that the command
// parses with. `--check` only says whether it is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { COMMANDS, COMMON_OPTIONS } from '../dist/src/cli/command-table.js';
import { exitLines, optionText, usageOf } from '../dist/src/cli/help.js';

const FILE = new URL('../docs/guide/command.md', import.meta.url);
const [BEGIN, END] = ['<!-- commands -->', '<!-- /commands -->'];

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
const options = (specs) =>
  table(
    ['option', 'does'],
    specs.map((option) => [`\`${optionText(option)}\``, option.summary]),
  );

function reference() {
  const sections = COMMANDS.map((command) =>
    [
      `### ${command.name}`,
      `\`${usageOf(command)}\`: ${command.summary}.`,
      ...(command.details ?? []),
      ...(command.options.length === 0 ? [] : [options(command.options)]),
      ...(command.examples === undefined
        ? []
        : [`\`\`\`sh\n${command.examples.join('\n')}\n\`\`\``]),
    ].join('\n\n'),
  );
  return [
    '## Commands',
    'Every command takes these options:',
    options(COMMON_OPTIONS),
    ...sections,
    '## Exit codes',
    table(['code', 'means'], exitLines()),
  ].join('\n\n');
}

const before = readFileSync(FILE, 'utf8');
const [head, rest = ''] = before.split(BEGIN);
const [, tail = ''] = rest.split(END);
const markdown = `${head}${BEGIN}\n\n${reference()}\n\n${END}${tail}`;
const after = await format(markdown, {
  parser: 'markdown',
  printWidth: 100,
  proseWrap: 'always',
});
if (after === before) process.exit(0);
if (process.argv.includes('--check')) {
  console.error('docs/guide/command.md is out of date: run node scripts/command-guide.mjs');
  process.exit(1);
}
writeFileSync(FILE, after);
