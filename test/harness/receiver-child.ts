import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { MessageAck } from 'sealcast';
import type { FromReceiver, ReceiverJob, ToReceiver } from '../crash/receiver-process.js';
import { builtFile } from './built-file.js';
import type { MailboxService } from '../fakes/mailbox-service.js';

/**
 * What the processes wrote down, in order: messages that were given out, and those whose rows were
 * gone, by name.
 */
export interface Entry {
  readonly what: 'given' | 'gone' | 'killed';
  readonly name: string;
}

const STDERR_TAIL_CHARACTERS = 4_000;
const POLL_MS = 20;

/**
 * Processes with a receiver (test/crash/receiver-process.ts), one after the other, and the service
 * that they talk to.
 */
export class ReceiverChildren {
  static readonly #living = new Set<ChildProcess>();
  readonly #service: MailboxService;
  readonly #directory: string;
  readonly ledger: Entry[] = [];
  #runs = 0;

  constructor(service: MailboxService, directory: string) {
    this.#service = service;
    this.#directory = directory;
  }

  /** For afterEach: also of a test that failed. */
  static killAll(): void {
    for (const child of ReceiverChildren.#living) child.kill('SIGKILL');
  }

  /** Runs until it kills itself. */
  async dies(dieAt: NonNullable<ReceiverJob['dieAt']>): Promise<void> {
    const { signal } = await this.#run(dieAt, () => false);
    if (signal !== 'SIGKILL') throw new Error('it was not killed');
    this.ledger.push({ what: 'killed', name: dieAt.moment });
  }

  /**
   * Runs until so many messages, each counted once, were given out, and the service has none left.
   */
  async finish(count: number): Promise<void> {
    const { code, stderr } = await this.#run(undefined, (log) => {
      const given = new Set(
        this.given.concat(log.filter(({ what }) => what === 'given').map(({ name }) => name)),
      );
      return given.size === count && this.#service.queueLength === 0;
    });
    if (code !== 0) throw new Error(`it ended with ${code}: ${stderr}`);
  }

  get given(): string[] {
    return this.ledger.filter(({ what }) => what === 'given').map(({ name }) => name);
  }

  async #run(
    dieAt: ReceiverJob['dieAt'],
    isOver: (log: readonly Entry[]) => boolean,
  ): Promise<{
    readonly signal: NodeJS.Signals | null;
    readonly code: number | null;
    readonly stderr: string;
  }> {
    const path = join(this.#directory, `ledger-${this.#runs++}`);
    const file = openSync(path, 'a');
    const child = spawn(process.execPath, [builtFile('test/crash/receiver-process.js')], {
      stdio: ['ignore', file, 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    closeSync(file);
    ReceiverChildren.#living.add(child);
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      stderr = (stderr + chunk).slice(-STDERR_TAIL_CHARACTERS);
    });
    const closed = once(child, 'close');
    const state = { isClosed: false };
    void closed.then(() => (state.isClosed = true));
    const stop = this.#serve(child);
    const { aci, deviceId, registrationId, identityKeyPair } = this.#service.sender;
    const keys = {
      publicKey: identityKeyPair.publicKey.serialize(),
      privateKey: identityKeyPair.privateKey.serialize(),
    };
    const account = { aci, deviceId, registrationId, identityKeyPair: keys };
    const trustRoot = this.#service.trustRoot.serialize();
    tell(child, {
      path: join(this.#directory, 'store'),
      trustRoot,
      account,
      ...(dieAt && { dieAt }),
    });
    try {
      while (!state.isClosed && !isOver(readLog(path))) await delay(POLL_MS);
      if (!state.isClosed) tell(child, { kind: 'end' });
      await closed;
    } finally {
      stop();
      ReceiverChildren.#living.delete(child);
    }
    this.ledger.push(...readLog(path));
    return { signal: child.signalCode, code: child.exitCode, stderr };
  }

  /** @returns what ends it: what was not acknowledged then, the next process gets. */
  #serve(child: ChildProcess): () => void {
    const service = this.#service;
    const acks = new Map<number, MessageAck>();
    let lastNumber = 0;
    let stop = (): void => undefined;
    child.on('message', (said: FromReceiver) => {
      if (said.kind === 'redeliver') service.redeliver();
      else if (said.kind === 'ack') acks.get(said.number)?.send(200);
      else {
        stop = service.receive({
          onIncomingMessage: (bytes, _timestampMs, ack) => {
            acks.set(++lastNumber, ack);
            tell(child, { kind: 'message', number: lastNumber, bytes });
          },
          onConnectionInterrupted: () => tell(child, { kind: 'interrupted' }),
        });
      }
    });
    return () => stop();
  }
}

function tell(child: ChildProcess, message: ToReceiver): void {
  // One that died meanwhile hears nothing.
  child.send(message, () => undefined);
}

/** A line that is not whole yet is left out. */
function readLog(path: string): Entry[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const space = line.indexOf(' ');
    return { what: line.slice(0, space) as 'given' | 'gone', name: line.slice(space + 1) };
  });
}
