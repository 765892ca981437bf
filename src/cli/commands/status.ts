import { BroadcastReader, type BroadcastStatus } from '../../broadcast/broadcast-reader.js';
import { DamageLog } from '../../store/damage.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode, refuseUsage } from '../exit-codes.js';
import { table, count } from '../text.js';
import { damagedLine } from './resume.js';

const COUNTS = ['recipients', 'sealed', 'unsealed', 'unregistered', 'failed', 'waiting'] as const;

/** `sealcast status` */
export async function status({ line, terminal, openStore }: CommandContext): Promise<ExitCode> {
  await using store = await openStore();
  const reader = new BroadcastReader(store);
  const [id] = line.operands;
  if (id !== undefined) {
    const found = (await reader.status(id)) ?? refuseUsage(`the store has no broadcast ${id}`);
    if (line.has('json')) await terminal.json(found);
    else for (const row of details(found)) await terminal.data(row);
    return EXIT.done;
  }
  const all: BroadcastStatus[] = [];
  for await (const found of reader.broadcasts()) {
    if (line.has('json')) await terminal.json(found);
    else all.push(found);
  }
  const damaged = DamageLog.of(store).countOf('broadcast');
  if (damaged > 0) terminal.say(damagedLine(damaged));
  all.sort((a, b) => a.createdAtMs - b.createdAtMs);
  if (line.has('json')) return EXIT.done;
  if (all.length + damaged === 0) terminal.say('no broadcasts in the store');
  else if (all.length > 0) {
    const rows = all.map((each) => [
      each.id,
      each.state,
      time(each.createdAtMs),
      ...COUNTS.map((name) => count(each[name])),
    ]);
    for (const row of table(['id', 'state', 'created', ...COUNTS], rows)) await terminal.data(row);
  }
  return EXIT.done;
}

const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

function details(found: BroadcastStatus): string[] {
  const { id, state, createdAtMs, finishedAtMs, maxPerSecond } = found;
  const rows: (readonly [string, string])[] = [
    ['id', id],
    ['state', state],
    ['created', time(createdAtMs)],
    ...(finishedAtMs === undefined ? [] : [['finished', time(finishedAtMs)] as const]),
    ...COUNTS.map((name) => [name, count(found[name])] as const),
    ...(maxPerSecond === undefined ? [] : [['max-per-second', count(maxPerSecond)] as const]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(15)}${value}`);
}
