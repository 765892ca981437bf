import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SealcastError } from '../errors.js';
import { openStore } from '../store/lmdb/open.js';
import type { Store } from '../store/store.js';
import type { CommandName } from './command-table.js';
import { SYSTEM_CLOCK, type Clock } from '../util/clock.js';
import type { Command, CommandContext, CommandLine } from './context.js';
import { EXIT, exitCodeOf, type ExitCode, CommandError, refuseUsage } from './exit-codes.js';
import { helpOf, helpOfAll } from './help.js';
import { Interrupt, type SignalSource } from './interrupt.js';
import { parseCommand } from './parse-command.js';
import { findPlaces, readKeyFile, type Places } from './places.js';
import type { Service } from './service.js';
import { Terminal, type Streams } from './terminal.js';

/** Surroundings of the command: those of the process, or of a test. */
export interface CommandEnvironment extends Streams {
  readonly signals: SignalSource;
  /** Ends the process at once, with the exit code. */
  readonly exit: (code: ExitCode) => void;
  /** Makes the service that the places name. */
  readonly serviceOf: (places: Places) => Service | Promise<Service>;
  readonly clock?: Clock;
}

/** Loads each command on its own: no command loads the needs of another one. */
const LOADERS: Readonly<Record<CommandName, () => Promise<Command>>> = {
  link: async () => (await import('./commands/link.js')).link,
  register: async () => (await import('./commands/register.js')).register,
  captcha: async () => (await import('./commands/register.js')).captcha,
  code: async () => (await import('./commands/register.js')).code,
  import: async () => (await import('./commands/import.js')).importAccount,
  account: async () => (await import('./commands/account.js')).account,
  devices: async () => (await import('./commands/account.js')).devices,
  unlink: async () => (await import('./commands/account.js')).unlink,
  challenge: async () => (await import('./commands/account.js')).challenge,
  contacts: async () => (await import('./commands/account.js')).contacts,
  list: async () => (await import('./commands/list.js')).list,
  broadcast: async () => (await import('./commands/broadcast.js')).broadcast,
  status: async () => (await import('./commands/status.js')).status,
  resume: async () => (await import('./commands/resume.js')).resume,
  report: async () => (await import('./commands/report.js')).report,
  receive: async () => (await import('./commands/receive.js')).receive,
  doctor: async () => (await import('./commands/doctor.js')).doctor,
  demo: async () => (await import('./commands/demo.js')).demo,
};

/**
 * Runs a command line.
 *
 * @returns the exit code; failures are said on standard error, and never thrown.
 */
export async function runCommand(
  argv: readonly string[],
  environment: CommandEnvironment,
): Promise<ExitCode> {
  const terminal = new Terminal(environment);
  let line: CommandLine | undefined;
  try {
    const parsed = parseCommand(argv);
    if (parsed.kind === 'version') {
      await terminal.data(versionOfPackage());
      return EXIT.done;
    }
    if (parsed.kind === 'help') {
      const { command } = parsed;
      await terminal.data(command === undefined ? helpOfAll() : helpOf(command));
      return EXIT.done;
    }
    line = parsed.line;
    using interrupt = new Interrupt(environment.signals, () => environment.exit(EXIT.stopped));
    const command = await LOADERS[line.command]();
    return await command(contextOf(line, terminal, interrupt, environment));
  } catch (error) {
    // A line that cannot be read asks for NDJSON all the same.
    return report(error, terminal, line?.has('json') ?? argv.includes('--json'));
  }
}

function contextOf(
  line: CommandLine,
  terminal: Terminal,
  interrupt: Interrupt,
  { env, serviceOf, clock = SYSTEM_CLOCK }: CommandEnvironment,
): CommandContext {
  const places = findPlaces(
    {
      dataDir: line.text('data-dir'),
      keyFile: line.text('key-file'),
      ...(line.has('staging') && { staging: true }),
    },
    env,
  );
  return {
    line,
    terminal,
    interrupt,
    places,
    clock,
    // Made late: most commands need no network.
    connect: async (store) => (await serviceOf(places)).open(store),
    register: async (request) => (await serviceOf(places)).register(request),
    link: async (request) => (await serviceOf(places)).link(request),
    openStore: async () => {
      await assertStore(places);
      return openPlace(places);
    },
    makeStore: () => openPlace(places),
    assertStore: () => assertStore(places),
  };
}

/** A command that reads makes no store: a directory that was misspelt would stay behind. */
async function assertStore({ dataDir }: Places): Promise<void> {
  try {
    await stat(join(dataDir, 'data.mdb'));
  } catch (error) {
    // Opening the store names any other fault.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') throw notOurs(dataDir);
    if (code !== 'ENOENT') return;
    refuseUsage(
      `there is no store in ${dataDir}`,
      'to make one, run: sealcast link; to use another one, give --data-dir',
    );
  }
}

const notOurs = (dataDir: string): CommandError =>
  new CommandError(`${dataDir} belongs to another user, or is closed to this one`, {
    exitCode: EXIT.unavailable,
    code: 'ERR_STORE_FAILED',
    hint: 'run sealcast as the owner of the directory, or give another --data-dir',
  });

async function openPlace({ dataDir, keyFile }: Places): Promise<Store> {
  const encryptionKey = keyFile === undefined ? undefined : readKeyFile(keyFile);
  try {
    return await openStore({
      path: dataDir,
      ...(encryptionKey !== undefined && { encryptionKey }),
    });
  } catch (error) {
    if (!(error instanceof SealcastError)) throw error;
    throw new CommandError(`open ${dataDir}: ${error.message} (${error.code})`, {
      exitCode: exitCodeOf(error.code),
      code: error.code,
      ...hintFor(error),
    });
  } finally {
    encryptionKey?.fill(0);
  }
}

const HINTS: Readonly<Record<string, string>> = {
  ERR_STORE_LOCKED: 'another sealcast, or another program, has the store: end it first',
  ERR_STORE_KEY: 'give the key that the store was made with: --key-file or SEALCAST_KEY_FILE',
  ERR_TRANSPORT_REFUSED:
    'the phone may have removed this device, another program may use its account, or sealcast may be too old: sealcast doctor says which',
  ERR_STORE_FAILED: 'see that this user may write to the directory, and that its disk has room',
  ERR_IMPORT_UNFINISHED: 'run "sealcast import" again: it finishes the move',
  ERR_SERVICE_UNAVAILABLE: 'check the network, and try again; sealcast doctor says more',
  ERR_CLOCK_SKEW: 'correct the clock of this machine',
  ERR_BROADCAST_MISMATCH: 'an id belongs to one text: give another --id, or none',
};

const hintFor = (error: SealcastError): { readonly hint?: string } => {
  if (error.retryAfterMs !== undefined)
    return { hint: `try again in ${Math.ceil(error.retryAfterMs / 1000)} s` };
  const hint = HINTS[error.code];
  return hint === undefined ? {} : { hint };
};

/** Says what went wrong, and returns the exit code for it. */
async function report(error: unknown, terminal: Terminal, json: boolean): Promise<ExitCode> {
  const facts =
    error instanceof SealcastError
      ? {
          message: `${error.message} (${error.code})`,
          exitCode: exitCodeOf(error.code),
          ...hintFor(error),
          code: error.code,
          retryAfterMs: error.retryAfterMs,
        }
      : error instanceof CommandError
        ? {
            message: error.message,
            exitCode: error.exitCode,
            hint: error.hint,
            code: error.code,
          }
        : { message: String((error as Error).stack ?? error), exitCode: EXIT.unexpected };
  const { exitCode, ...shown } = facts;
  if (json) await terminal.json({ event: 'error', ...shown, exitCode });
  terminal.say(`sealcast: ${facts.message}`);
  if (facts.hint !== undefined) terminal.say(`  ${facts.hint}`);
  return exitCode;
}

function versionOfPackage(): string {
  const manifest = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }).version;
}
