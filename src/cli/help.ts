import { COMMANDS, COMMON_OPTIONS, type CommandSpec, type OptionSpec } from './command-table.js';

/** Columns of the help. */
const WIDTH = 80;

/** Breaks a paragraph into lines. */
export function wrap(text: string, indent: string, width = WIDTH): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => indent + each).join('\n');
}

export const usageOf = ({ name, operands = [] }: CommandSpec): string =>
  ['sealcast', name, ...operands, '[OPTION]…'].join(' ');

export const optionText = ({ name, short, value }: OptionSpec): string =>
  `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const indent = ' '.repeat(width + 2);
  return rows
    .map(([left, right]) => `  ${left.padEnd(width)}${wrap(right, indent).trimStart()}`)
    .join('\n');
}

const EXIT_LINES: readonly (readonly [string, string])[] = [
  ['0', 'done: every recipient has the message'],
  ['1', 'the command line, a file or a setting is wrong'],
  ['2', 'a fault that is not expected'],
  ['3', 'the service or the store'],
  ['4', 'identity keys of recipients changed'],
  ['5', 'a rate limit, or a challenge'],
  ['6', 'the captcha was refused'],
  ['7', 'the broadcast ended, and some recipients do not have it'],
  ['75', 'stopped; "sealcast resume" goes on'],
];

/** Exit codes, as the help and the guide show them. */
export const exitLines = (): readonly (readonly [string, string])[] => EXIT_LINES;

/** Help of the program. */
export function helpOfAll(): string {
  return [
    'Usage: sealcast COMMAND [OPTION]…',
    '',
    'Sends sealed messages through Signal to many recipients, each once, whatever',
    'crashes in between.',
    '',
    'Commands:',
    columns(COMMANDS.map(({ name, summary }) => [name, summary])),
    '',
    'Options of every command:',
    columns(COMMON_OPTIONS.map((option) => [optionText(option), option.summary])),
    '',
    'Data goes to standard output, all else to standard error. Exit codes:',
    columns(EXIT_LINES),
    '',
    'sealcast COMMAND --help says more.',
  ].join('\n');
}

/** Help of a command. */
export function helpOf(command: CommandSpec): string {
  const { summary, details = [], options, examples = [] } = command;
  const all = [...options, ...COMMON_OPTIONS];
  return [
    `Usage: ${usageOf(command)}`,
    '',
    wrap(`${summary.slice(0, 1).toUpperCase()}${summary.slice(1)}.`, ''),
    ...details.flatMap((paragraph) => ['', wrap(paragraph, '')]),
    '',
    'Options:',
    columns(all.map((option) => [optionText(option), option.summary])),
    ...(examples.length === 0 ? [] : ['', 'Examples:', ...examples.map((line) => `  ${line}`)]),
  ].join('\n');
}
