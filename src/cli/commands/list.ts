import { open, type FileHandle } from 'node:fs/promises';
import { listLists, openList } from '../../lists/open-list.js';
import type { ImportedRow } from '../../lists/csv-import.js';
import type { SubscriberList } from '../../lists/subscriber-list.js';
import type { Store } from '../../store/store.js';
import type { CommandContext, CommandLine } from '../context.js';
import type { Terminal } from '../terminal.js';
import { EXIT, refuseUsage, type ExitCode } from '../exit-codes.js';
import { count, plural, table } from '../text.js';

/** Actions on a list. */
const ACTIONS: Readonly<
  Record<string, (context: CommandContext, scene: ListScene) => Promise<ExitCode>>
> = { show, add, remove, import: importMembers, export: exportMembers };

interface ListScene {
  readonly store: Store;
  readonly list: SubscriberList;
  /** Member or file. */
  readonly operand: string | undefined;
}

/** `sealcast list` */
export async function list(context: CommandContext): Promise<ExitCode> {
  const [action, name, operand] = context.line.operands;
  if (action === undefined) return showLists(context);
  const run = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (run === undefined)
    refuseUsage(`list has no action ${action}`, `it has ${Object.keys(ACTIONS).join(', ')}`);
  if (name === undefined) refuseUsage(`list ${action} needs the NAME of a list`);
  await using store = await context.openStore();
  if (action !== 'add' && action !== 'import') await assertList(store, name);
  return await run(context, { store, list: await openList(store, name), operand });
}

/** @throws CommandError: there is none; reading makes no list, as a misspelt name would stay. */
export async function assertList(store: Store, name: string): Promise<void> {
  for await (const known of listLists(store)) if (known.name === name) return;
  refuseUsage(`the store has no list ${name}`, 'to see those that there are, run: sealcast list');
}

async function showLists({ line, terminal, openStore }: CommandContext): Promise<ExitCode> {
  await using store = await openStore();
  const rows: string[][] = [];
  for await (const { name, members } of listLists(store)) {
    if (line.has('json')) await terminal.json({ name, members });
    else rows.push([name, count(members)]);
  }
  if (line.has('json')) return EXIT.done;
  if (rows.length === 0) terminal.say('no lists in the store');
  else for (const row of table(['list', 'members'], rows)) await terminal.data(row);
  return EXIT.done;
}

async function show(
  { line, terminal }: CommandContext,
  { list: shown, operand }: ListScene,
): Promise<ExitCode> {
  refuseMore('show', operand);
  const tag = line.text('tag');
  for await (const member of shown.members(tag === undefined ? {} : { tag })) {
    const { serviceId, tags } = member;
    if (line.has('json')) await terminal.json(member);
    else await terminal.data([serviceId, ...tags].join(' '));
  }
  return EXIT.done;
}

async function add(
  { line, terminal }: CommandContext,
  { list: changed, operand }: ListScene,
): Promise<ExitCode> {
  if (operand === undefined) refuseUsage('list add needs the ACI of a person');
  const tag = line.text('tag');
  const status = await changed.add(operand, {
    ...(tag !== undefined && { tags: [tag] }),
    resubscribe: line.has('resubscribe'),
  });
  await outcome(terminal, line, { serviceId: operand, status });
  if (status !== 'suppressed') return EXIT.done;
  terminal.say('they left by their own word; to add them all the same, give --resubscribe');
  return EXIT.someFailed;
}

async function remove(
  { line, terminal }: CommandContext,
  { list: changed, operand }: ListScene,
): Promise<ExitCode> {
  if (operand === undefined) refuseUsage('list remove needs the ACI of a person');
  const reason = line.has('stop') ? 'stop' : 'removed';
  const status = (await changed.remove(operand, { reason })) ? 'removed' : 'no member';
  await outcome(terminal, line, { serviceId: operand, status });
  return EXIT.done;
}

function outcome(
  terminal: Terminal,
  line: CommandLine,
  change: { readonly serviceId: string; readonly status: string },
): Promise<void> {
  return line.has('json')
    ? terminal.json(change)
    : terminal.data(`${change.serviceId} ${change.status}`);
}

async function importMembers(
  context: CommandContext,
  { store, list: changed, operand }: ListScene,
): Promise<ExitCode> {
  const { line, terminal, interrupt } = context;
  if (operand === undefined) refuseUsage('list import needs a FILE, or - for standard input');
  const tag = line.text('tag');
  await using connected = line.has('look-up') ? await context.connect(store) : undefined;
  await using file = operand === '-' ? undefined : await openFile(operand);
  const source = file === undefined ? terminal.stdin : file.createReadStream();
  const rows = changed.importCsv(source, {
    resubscribe: line.has('resubscribe'),
    signal: interrupt.signal,
    ...(tag !== undefined && { tags: [tag] }),
    ...(connected !== undefined && { transport: connected.transport }),
  });
  const counts = { added: 0, updated: 0, suppressed: 0, failed: 0 };
  for await (const row of rows) {
    counts[row.status] += 1;
    if (line.has('json')) await terminal.json(lineOf(row));
    else if (row.error !== undefined) terminal.say(row.error.message);
  }
  if (line.has('json')) await terminal.json({ summary: counts });
  else {
    const { added, updated, suppressed, failed } = counts;
    await terminal.data(
      `${plural(added, 'member')} added, ${count(updated)} updated, ${count(suppressed)} suppressed, ${count(failed)} failed`,
    );
  }
  return counts.failed > 0 ? EXIT.someFailed : EXIT.done;
}

/** @throws CommandError */
async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    return refuseUsage(`read the members in ${path}: ${(error as Error).message}`);
  }
}

const lineOf = ({ row, status, serviceId, error }: ImportedRow): object => ({
  row,
  status,
  ...(serviceId !== undefined && { serviceId }),
  ...(error !== undefined && { code: error.code, message: error.message }),
});

async function exportMembers(
  { line, terminal }: CommandContext,
  { list: exported, operand }: ListScene,
): Promise<ExitCode> {
  refuseMore('export', operand);
  const tag = line.text('tag');
  for await (const text of exported.exportCsv(tag === undefined ? {} : { tag }))
    await terminal.text(text);
  return EXIT.done;
}

function refuseMore(action: string, more: string | undefined): void {
  if (more !== undefined) refuseUsage(`list ${action} takes no ${more}`);
}
