import { BroadcastReader } from '../../broadcast/broadcast-reader.js';
import { DamageLog } from '../../store/damage.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode, refuseUsage } from '../exit-codes.js';
import { plural } from '../text.js';
import { watchRun } from '../run-watch.js';

/** Line about broadcasts whose records are damaged: no list has them. */
export const damagedLine = (count: number): string =>
  `${plural(count, 'broadcast')} cannot be read: damaged in the store, see docs/guide/stores.md`;

/** `sealcast resume` */
export async function resume(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, interrupt } = context;
  const [id] = line.operands;
  await using store = await context.openStore();
  const reader = new BroadcastReader(store);
  const ids: string[] = [];
  const incomplete: string[] = [];
  const found = id === undefined ? reader.broadcasts() : [await reader.status(id)];
  for await (const status of found) {
    if (status === undefined) refuseUsage(`the store has no broadcast ${id ?? ''}`);
    if (status.state === 'ingesting') incomplete.push(status.id);
    else if (status.state === 'sending') ids.push(status.id);
    else if (id !== undefined) terminal.say(`broadcast ${id} is finished`);
  }
  for (const each of incomplete)
    terminal.say(
      `broadcast ${each} had not read all its recipients: run its command again, with --id ${each}`,
    );
  const damaged = DamageLog.of(store).countOf('broadcast');
  if (damaged > 0) terminal.say(damagedLine(damaged));
  let exitCode: ExitCode = incomplete.length > 0 ? EXIT.stopped : EXIT.done;
  // As the error of the store that each of them is.
  if (damaged > 0) exitCode = EXIT.unavailable;
  if (ids.length === 0) {
    if (id === undefined && incomplete.length + damaged === 0) terminal.say('nothing to resume');
    return exitCode;
  }
  await using connected = await context.connect(store);
  const { account } = connected;
  const stop = new AbortController();
  interrupt.onFirst(() => {
    terminal.say('stopping; again to end at once');
    stop.abort();
  });
  if (interrupt.signal.aborted) stop.abort();
  for (const each of ids) {
    const run = account.broadcaster.resume(each, { signal: stop.signal });
    const waiting = (await account.status(each))?.waiting ?? 0;
    terminal.say(`broadcast ${each}: ${plural(waiting, 'recipient')} waiting`);
    const ended = await watchRun(context, account, run, { stop });
    if (exitCode === EXIT.done) exitCode = ended;
  }
  return exitCode;
}
