import { parseArgs } from 'node:util';
import { nearestName } from '../util/known-names.js';
import { COMMANDS, COMMON_OPTIONS, type CommandName, type CommandSpec } from './command-table.js';
import type { CommandLine } from './context.js';
import { refuseUsage } from './exit-codes.js';

export type ParsedLine =
  | { readonly kind: 'run'; readonly line: CommandLine }
  | { readonly kind: 'help'; readonly command: CommandSpec | undefined }
  | { readonly kind: 'version' };

const HELP_HINT = 'run: sealcast --help';
/** Commands of other programs for what a command here does. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  send: 'broadcast',
  listContacts: 'contacts',
  addDevice: 'link',
  whoami: 'account',
  verify: 'code',
};

/**
 * Reads a command line.
 *
 * @throws CommandError with exit code 1, and what may have been meant
 */
export function parseCommand(argv: readonly string[]): ParsedLine {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h')
    return { kind: 'help', command: undefined };
  if (name === '--version' || name === '-V') return { kind: 'version' };
  if (name === 'help') return { kind: 'help', command: rest[0] ? commandOf(rest[0]) : undefined };
  if (name.startsWith('-'))
    refuseUsage(`the command comes first, before ${optionName(name)}`, HELP_HINT);
  const command = commandOf(name);
  const specs = [...command.options, ...COMMON_OPTIONS];
  const { values, operands } = parseOptions(command, rest);
  if (values.has('help')) return { kind: 'help', command };
  checkOperands(command, operands);
  const text = (option: string): string | undefined => {
    const value = values.get(option);
    return typeof value === 'string' ? value : undefined;
  };
  for (const { name: option, value } of specs) {
    if (value !== undefined && text(option) === '') refuseUsage(`--${option} must not be empty`);
  }
  const integer = (option: string, min: number, max: number): number | undefined => {
    const given = text(option);
    if (given === undefined) return undefined;
    const number = /^\d{1,15}$/.test(given) ? Number(given) : NaN;
    if (!(number >= min && number <= max))
      refuseUsage(`--${option} must be a whole number from ${min} to ${max}`);
    return number;
  };
  const line = {
    command: command.name,
    operands,
    text,
    has: (o: string) => values.get(o) === true,
    integer,
  };
  return { kind: 'run', line };
}

/** An option without its value, which may be a secret in the wrong place. */
const optionName = (argument: string): string => argument.replace(/=.*/s, '');

function commandOf(name: string): CommandSpec & { readonly name: CommandName } {
  const command = COMMANDS.find((each) => each.name === name);
  if (command !== undefined) return command;
  const names = COMMANDS.map((each) => each.name);
  const meant = Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : nearestName(name, names);
  const hint = meant === undefined ? HELP_HINT : `did you mean ${meant}?`;
  // It may be a phone number, or a text: repeating it puts it into logs.
  const shown = /^[a-zA-Z-]{1,24}$/.test(name) ? ` ${name}` : ' of this name';
  refuseUsage(`there is no command${shown}`, hint);
}

function parseOptions(
  command: CommandSpec,
  args: readonly string[],
): {
  readonly values: ReadonlyMap<string, string | boolean>;
  readonly operands: readonly string[];
} {
  const specs = [...command.options, ...COMMON_OPTIONS];
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      specs.map(({ name, short, value }) => [
        name,
        { type: value === undefined ? 'boolean' : 'string', ...(short && { short }) },
      ]),
    ),
  });
  const values = new Map<string, string | boolean>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const spec = specs.find((each) => each.name === name);
    if (spec === undefined) {
      const meant = nearestName(
        name,
        specs.map((each) => each.name),
      );
      refuseUsage(
        `${command.name} has no option ${rawName}`,
        meant === undefined ? `run: sealcast ${command.name} --help` : `did you mean --${meant}?`,
      );
    }
    if (values.has(name)) refuseUsage(`--${name} is given twice`);
    if (spec.value === undefined && value !== undefined) refuseUsage(`--${name} takes no value`);
    // An option, and not the value of the one before it.
    const isOption = token.inlineValue === false && value !== undefined && /^-./.test(value);
    if (spec.value !== undefined && (value === undefined || isOption))
      refuseUsage(`--${name} needs a value: --${name} ${spec.value}`);
    values.set(name, value ?? true);
  }
  return { values, operands };
}

function checkOperands({ name, operands = [] }: CommandSpec, given: readonly string[]): void {
  const missing = operands.slice(given.length).find((operand) => !operand.startsWith('['));
  if (missing !== undefined)
    refuseUsage(`${name} needs ${missing}`, `run: sealcast ${name} --help`);
  if (given.length > operands.length) {
    const most = operands.length === 0 ? 'no operand' : `at most ${operands.join(' ')}`;
    refuseUsage(`${name} takes ${most}`, `run: sealcast ${name} --help`);
  }
}
