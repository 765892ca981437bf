import { homedir } from 'node:os';
import { join } from 'node:path';
import { importSignalCli } from '../../import/import-signal-cli.js';
import type { CommandContext } from '../context.js';
import { EXIT, type ExitCode, refuseUsage } from '../exit-codes.js';
import { count } from '../text.js';

/** `sealcast import` */
export async function importAccount(context: CommandContext): Promise<ExitCode> {
  const { line, terminal, interrupt, places } = context;
  const { env } = terminal;
  const dataHome = env['XDG_DATA_HOME'] ?? join(env['HOME'] ?? homedir(), '.local/share');
  const from = line.text('from') ?? join(dataHome, 'signal-cli');
  const number = line.text('number');
  const mode = line.has('contacts-only') ? 'contacts' : 'move';
  if (mode === 'move' && !line.has('yes')) {
    if (!terminal.canAsk)
      refuseUsage('no terminal to ask in whether to move the account', 'add --yes');
    const isWanted = await terminal.confirm(
      'Move the account? signal-cli must be stopped, and cannot use it afterwards.',
      interrupt.signal,
    );
    if (!isWanted) refuseUsage('nothing was moved');
  }
  await using store = await context.makeStore();
  const result = await importSignalCli({
    from,
    store,
    mode,
    environment: places.staging ? 'staging' : 'production',
    signal: interrupt.signal,
    ...(number !== undefined && { number }),
  });
  if (line.has('json')) await terminal.json({ event: 'imported', ...result });
  else {
    await terminal.data(result.aci === undefined ? 'imported contacts' : `moved ${result.aci}`);
    for (const counts of [result.imported, result.skipped])
      for (const [name, value] of Object.entries<number>({ ...counts }))
        if (value > 0)
          await terminal.data(
            `  ${name}: ${count(value)}${counts === result.skipped ? ', left out' : ''}`,
          );
  }
  if (result.unreadMessages > 0)
    terminal.say(`${count(result.unreadMessages)} messages that signal-cli had not read were left`);
  return EXIT.done;
}
