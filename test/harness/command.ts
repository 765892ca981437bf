// The command in this process, on streams of the test's own, in front of a stand-in service.
import { EventEmitter } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { openAccount, type AccountTransport, type Store } from 'sealcast';
import { runCommand } from '#dist/src/cli/run-command.js';
import { whenQueueEmpty, type ConnectedAccount, type Service } from '#dist/src/cli/service.js';
import type { Clock } from '#dist/src/util/clock.js';
import type { StandInService } from '../fakes/stand-in-service.js';

/** An output that keeps its text. */
export class TextOutput extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 100;
  #onWrite: (() => void) | undefined;

  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
    this.#onWrite?.();
  }

  /** Resolves when the text has the words. */
  async has(words: string): Promise<void> {
    while (!this.text.includes(words))
      await new Promise<void>((resolve) => (this.#onWrite = resolve));
  }
}

/** A terminal's input, on which the test types. */
export class TypedInput extends PassThrough {
  readonly isTTY = true;
  setRawMode(): this {
    return this;
  }
}

/** The service of a command that opens the store's account in front of a stand-in. */
export class StandInCommandService implements Service {
  readonly #transport: StandInService & AccountTransport;
  opened = 0;

  constructor(transport: StandInService & AccountTransport) {
    this.#transport = transport;
  }

  link(): never {
    throw new Error('this service links nothing');
  }

  register(): never {
    throw new Error('this service registers nothing');
  }

  async open(store: Store): Promise<ConnectedAccount> {
    this.opened += 1;
    const transport = this.#transport;
    const account = await openAccount({
      store,
      transport,
      trustRoots: [transport.trustRoot],
      account: transport.sender,
      threads: 1,
      chunkSize: 8,
      concurrency: 4,
      maintainPreKeys: false,
    });
    const queueEmpty = whenQueueEmpty(account);
    const trustRoots = [transport.trustRoot];
    return {
      account,
      transport,
      trustRoots,
      queueEmpty,
      [Symbol.asyncDispose]: () => account.close(),
    };
  }
}

const NO_SERVICE: Service = {
  open: () => Promise.reject(new Error('no service')),
  link: () => {
    throw new Error('no service');
  },
  register: () => Promise.reject(new Error('no service')),
};

export interface CommandOptions {
  readonly service?: Service;
  /** What standard input has; a TypedInput is a terminal. */
  readonly input?: string | TypedInput;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether standard error is a terminal. */
  readonly isTTY?: boolean;
  readonly clock?: Clock;
}

export interface RunningCommand {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly signals: EventEmitter;
  /** Exit codes with which the command wanted to end at once. */
  readonly exits: number[];
  readonly ended: Promise<number>;
}

export function startCommand(
  argv: readonly string[],
  { service, input = '', env = {}, isTTY = false, clock }: CommandOptions = {},
): RunningCommand {
  const stdin = typeof input === 'string' ? new PassThrough() : input;
  if (typeof input === 'string') stdin.end(input);
  const [stdout, stderr] = [new TextOutput(), new TextOutput(isTTY)];
  const signals = new EventEmitter();
  const exits: number[] = [];
  const ended = runCommand(argv, {
    stdin,
    stdout,
    stderr,
    env: { HOME: '/nowhere', ...env },
    signals,
    exit: (code) => exits.push(code),
    serviceOf: () => service ?? NO_SERVICE,
    ...(clock !== undefined && { clock }),
  });
  return { stdout, stderr, signals, exits, ended };
}

export interface EndedCommand {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function command(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<EndedCommand> {
  const { ended, stdout, stderr } = startCommand(argv, options);
  const exitCode = await ended;
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

/** Lines of NDJSON. */
export const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
