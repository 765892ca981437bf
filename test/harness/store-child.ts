import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Answer, Request } from '../crash/store-process.js';
import { builtFile } from './built-file.js';

/** A process with a store, to be asked, and to be killed. See test/crash/store-process.ts. */
export class StoreChild {
  static readonly #living = new Set<StoreChild>();
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #answers: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;
  #stderr = '';

  /**
   * @param shell a script for `sh -c` that runs before; it ends with `exec "$@"`, which is Node.
   */
  constructor(shell?: string) {
    const node = [process.execPath, builtFile('test/crash/store-process.js')] as const;
    const command = shell === undefined ? node : (['sh', '-c', shell, 'sh', ...node] as const);
    this.#process = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-4096)));
    // A child that is killed closes its pipe while we write: what it did not answer is told by
    // `ask`.
    this.#process.stdin.on('error', () => undefined);
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    this.#ended = once(this.#process, 'close').finally(() => StoreChild.#living.delete(this));
    StoreChild.#living.add(this);
  }

  /** For afterEach: also of a test that failed. */
  static async killAll(): Promise<void> {
    await Promise.all([...StoreChild.#living].map((child) => child.kill()));
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** The end of what it wrote to standard error: LMDB's own words among it. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Asks for something, and gives the answer. */
  async ask(request: Request): Promise<Answer> {
    this.tell(request);
    const answer = await this.nextAnswer();
    if (answer === undefined) throw new Error(`The process ended, asked to ${request.ask}`);
    return answer;
  }

  tell(request: Request): void {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
  }

  /** @returns undefined once it has ended, and all it said was read. */
  async nextAnswer(): Promise<Answer | undefined> {
    const line = await this.#answers.next();
    return line.done === true ? undefined : (JSON.parse(line.value) as Answer);
  }

  /** kill -9, and waits for the end. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** Nothing more is asked for: a process with nothing to do ends. @returns its exit code. */
  async end(): Promise<number | null> {
    this.#process.stdin.end();
    await this.#ended;
    return this.#process.exitCode;
  }
}
