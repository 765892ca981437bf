import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { EXIT, CommandError, refuseUsage } from './exit-codes.js';

/** Input with the parts of a terminal's, where it is one. */
export type TerminalInput = NodeJS.ReadableStream & {
  readonly isTTY?: boolean;
  destroy?: (error: Error) => unknown;
};
/** Output with the parts of a terminal's, where it is one. */
export type TerminalOutput = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

export interface Streams {
  readonly stdin: TerminalInput;
  readonly stdout: TerminalOutput;
  readonly stderr: TerminalOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Longest text that is read from standard input, in UTF-16 units. */
const MAX_INPUT_LENGTH = 1 << 20;
const DEFAULT_COLUMNS = 80;

const SILENT = new Writable({ write: (_chunk, _encoding, done) => done() });

/**
 * Where a command reads and writes: data on standard output, all else on standard error.
 *
 * A reader of standard output that goes away ends the output, and not the command: a broadcast
 * that is under way goes on.
 */
export class Terminal {
  readonly stdin: TerminalInput;
  readonly #stdout: TerminalOutput;
  readonly #stderr: TerminalOutput;
  readonly env: Streams['env'];
  #isCut = false;

  constructor({ stdin, stdout, stderr, env }: Streams) {
    this.stdin = stdin;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.env = env;
    stdout.on('error', () => (this.#isCut = true));
    stderr.on('error', () => undefined);
  }

  /** Whether a person reads what the command says. */
  get isSeen(): boolean {
    return this.#stderr.isTTY === true && this.env['TERM'] !== 'dumb';
  }

  /** Whether a person can be asked: sees questions, and types answers. */
  get canAsk(): boolean {
    return this.stdin.isTTY === true && this.#stderr.isTTY === true;
  }

  get hasColors(): boolean {
    const { NO_COLOR } = this.env;
    return this.isSeen && (NO_COLOR === undefined || NO_COLOR === '');
  }

  get columns(): number {
    return this.#stderr.columns ?? DEFAULT_COLUMNS;
  }

  /** Writes a line of data to standard output. Resolves when the next one may follow. */
  data(line: string): Promise<void> {
    return this.text(`${line}\n`);
  }

  /** Writes a part of a text to standard output. Resolves when the next one may follow. */
  async text(part: string): Promise<void> {
    if (this.#isCut) return;
    if (this.#stdout.write(part)) return;
    await Promise.race([once(this.#stdout, 'drain'), once(this.#stdout, 'close')]).catch(
      () => undefined,
    );
  }

  /** Writes a line of NDJSON to standard output. */
  json(value: object): Promise<void> {
    return this.data(JSON.stringify(value));
  }

  /** Writes a line to standard error. */
  say(line: string): void {
    this.#stderr.write(`${line}\n`);
  }

  /** Writes to standard error, without a line's end. */
  draw(text: string): void {
    this.#stderr.write(text);
  }

  /**
   * Asks a question with two answers.
   *
   * @returns whether the answer is yes; an end of the input is a no.
   */
  async confirm(question: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#ask(`${question} [y/N] `, signal, this.#stderr);
    return /^y(es)?$/i.test(answer.trim());
  }

  /**
   * Reads one secret: typed without an echo by a person, else the first line of standard input. It
   * is in no argument, which other users of the machine can read.
   *
   * @throws CommandError where there is none.
   */
  async secret(prompt: string, signal: AbortSignal): Promise<string> {
    if (!this.canAsk) {
      const [line = ''] = (await this.readAll(signal)).split('\n');
      if (line.trim() === '') refuseUsage(`give the ${prompt} on standard input`);
      return line.trim();
    }
    this.draw(`${prompt}: `);
    const answer = (await this.#ask('', signal, SILENT)).trim();
    this.say('');
    if (answer === '') refuseUsage(`no ${prompt} was given`);
    return answer;
  }

  #ask(question: string, signal: AbortSignal, output: NodeJS.WritableStream): Promise<string> {
    const lines = createInterface({ input: this.stdin, output, terminal: true });
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        signal.removeEventListener('abort', stop);
        lines.close();
        reject(new CommandError('stopped', { exitCode: EXIT.stopped }));
      };
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
      // In raw mode Ctrl-C is a key, and no signal.
      lines.on('SIGINT', stop);
      lines.once('close', () => resolve(''));
      lines.question(question, (answer) => {
        signal.removeEventListener('abort', stop);
        resolve(answer);
        lines.close();
      });
    });
  }

  /**
   * Reads standard input to its end.
   *
   * @throws CommandError where there is more than a MiB of it.
   */
  async readAll(signal: AbortSignal): Promise<string> {
    const stop = (): void => {
      this.stdin.destroy?.(new CommandError('stopped', { exitCode: EXIT.stopped }));
    };
    signal.addEventListener('abort', stop);
    try {
      this.stdin.setEncoding('utf8');
      let text = '';
      for await (const chunk of this.stdin) {
        text += String(chunk);
        if (text.length > MAX_INPUT_LENGTH) refuseUsage('standard input has more than 1 MiB');
      }
      return text;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}
