import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Answer, Job, Said } from '../crash/broadcast-process.js';
import { builtFile } from './built-file.js';
import type { StandInService } from '../fakes/stand-in-service.js';

const STDERR_TAIL_CHARACTERS = 4_000;

/** How a process with a broadcaster ended. */
export interface ChildEnd {
  /** What killed it; null if it ended by itself. */
  readonly signal: NodeJS.Signals | null;
  /** What it said last, unless it was killed. */
  readonly said: Exclude<Said, { kind: 'request' }> | undefined;
  /** Sends that the service took from it. */
  readonly taken: number;
}

export interface ChildOptions {
  /**
   * It is killed as soon as the service has taken so many sends of it; the last one is not
   * answered.
   */
  readonly killAfterTaken?: number;
  /** A script for `sh -c` that runs before; it ends with `exec "$@"`, which is Node. */
  readonly shell?: string;
}

export type JobFor = Omit<Job, 'account' | 'trustRoot'>;

/**
 * A process with a broadcaster (test/crash/broadcast-process.ts), and the service that it talks to,
 * which lives on in this process when that one is killed. See there for the jobs.
 */
export class BroadcastChild {
  static readonly #living = new Set<BroadcastChild>();
  readonly #service: StandInService;
  readonly #options: ChildOptions;
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  /** The service takes one request after the other. */
  #requests = Promise.resolve();
  #taken = 0;
  #isKilled = false;
  #said: ChildEnd['said'];
  #fault: unknown;
  #stderrTail = '';

  constructor(service: StandInService, job: JobFor, options: ChildOptions = {}) {
    this.#service = service;
    this.#options = options;
    const node = [process.execPath, builtFile('test/crash/broadcast-process.js')] as const;
    const command =
      options.shell === undefined ? node : (['sh', '-c', options.shell, 'sh', ...node] as const);
    this.#process = spawn(command[0], command.slice(1), {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL_CHARACTERS);
    });
    this.#process.on('message', (said: Said) => {
      if (said.kind !== 'request') this.#said = said;
      else
        this.#requests = this.#requests
          .then(() => this.#serve(said))
          .catch((error: unknown) => this.#giveUp(error));
    });
    this.#closed = once(this.#process, 'close').finally(() => BroadcastChild.#living.delete(this));
    BroadcastChild.#living.add(this);
    const { aci, deviceId, registrationId, identityKeyPair, profileKey } = service.sender;
    const keys = {
      publicKey: identityKeyPair.publicKey.serialize(),
      privateKey: identityKeyPair.privateKey.serialize(),
    };
    const account = { aci, deviceId, registrationId, profileKey, identityKeyPair: keys };
    this.#tell({ ...job, account, trustRoot: service.trustRoot.serialize() });
  }

  /** For afterEach: also of a test that failed. */
  static async killAll(): Promise<void> {
    await Promise.all([...BroadcastChild.#living].map((child) => child.kill()));
  }

  /** Gives a process its job, and waits for its end. */
  static run(service: StandInService, job: JobFor, options?: ChildOptions): Promise<ChildEnd> {
    return new BroadcastChild(service, job, options).end();
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** kill -9, and waits for the end. */
  async kill(): Promise<void> {
    this.#isKilled = true;
    this.#process.kill('SIGKILL');
    await this.#closed;
  }

  /** Resolves once it has ended, and the service has taken all that it said before. */
  async end(): Promise<ChildEnd> {
    await this.#closed;
    await this.#requests;
    if (this.#fault !== undefined) throw this.#fault as Error;
    const { signalCode: signal, exitCode } = this.#process;
    if (signal === null ? this.#said === undefined : signal !== 'SIGKILL') {
      throw new Error(
        `the process ended with ${signal ?? `exit code ${exitCode}`}: ${this.#stderrTail}`,
      );
    }
    return { signal, said: this.#said, taken: this.#taken };
  }

  #giveUp(error: unknown): void {
    this.#fault ??= error;
    this.#process.kill('SIGKILL');
  }

  async #serve({ number, name, argument }: Extract<Said, { kind: 'request' }>): Promise<void> {
    const request = this.#service[name].bind(this.#service) as (
      argument: unknown,
    ) => Promise<{ status: string }>;
    const answer = await request(argument);
    if (answer.status === 'sent' && ++this.#taken === this.#options.killAfterTaken)
      void this.kill();
    if (!this.#isKilled) this.#tell({ number, answer });
  }

  #tell(message: Job | Answer): void {
    // A child that died meanwhile hears nothing: how it ended is told by `end`.
    this.#process.send(message, () => undefined);
  }
}
