import { BroadcastReader } from '../../broadcast/broadcast-reader.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode, refuseUsage } from '../exit-codes.js';
import { plural } from '../text.js';
import { watchRun } from '../run-watch.js';

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
  let exitCode: ExitCode = incomplete.length > 0 ? EXIT.stopped : EXIT.done;
  if (ids.length === 0) {
    if (id === undefined && incomplete.length === 0) terminal.say('nothing to resume');
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
