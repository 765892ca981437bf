import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtFile } from '../harness/built-file.js';
import type { CallName, Calls, ReplyMessage } from './protocol.js';

interface PendingCall {
  readonly onProgress: (value: unknown) => void;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const STDERR_TAIL_CHARACTERS = 4_000;
const EXIT_TIMEOUT_MS = 5_000;

/**
 * A child process and the calls made to it. When it dies, every call that waits for it is told why.
 */
export class ChildLink {
  private readonly child: ChildProcess;
  private readonly pending = new Map<number, PendingCall>();
  private readonly exited: Promise<void>;
  private lastId = 0;
  private stderrTail = '';
  private death: Error | undefined;

  constructor() {
    const entry = builtFile('test/mock-service/child.js');
    const filesPath = mkdtempSync(join(tmpdir(), 'sealcast-mock-service-'));
    // No flags of the parent's go to the child: a test runner's are not meant for it.
    this.child = fork(entry, [filesPath], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderrTail = (this.stderrTail + text).slice(-STDERR_TAIL_CHARACTERS);
    });
    this.child.on('message', (message: ReplyMessage) => this.handleReply(message));
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.die(new Error('the mock service could not be started', { cause: error }));
        resolve();
      });
      // 'close' rather than 'exit': what the child said last has been read by then.
      this.child.once('close', (code, signal) => {
        rmSync(filesPath, { recursive: true, force: true });
        const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
        this.die(
          new Error(
            `the mock service ended ${how}${this.stderrTail && `:\n${this.stderrTail.trim()}`}`,
          ),
        );
        resolve();
      });
    });
  }

  get processId(): number {
    if (this.child.pid === undefined) throw new Error('the mock service could not be started');
    return this.child.pid;
  }

  call<Name extends CallName>(
    name: Name,
    params: Calls[Name]['params'],
    onProgress: (value: Calls[Name]['progress']) => void = () => undefined,
  ): Promise<Calls[Name]['result']> {
    return new Promise((resolve, reject) => {
      if (this.death !== undefined) {
        reject(this.death);
        return;
      }
      const id = ++this.lastId;
      this.pending.set(id, {
        onProgress: (value) => onProgress(value as Calls[Name]['progress']),
        resolve: (value) => resolve(value as Calls[Name]['result']),
        reject,
      });
      // A child that is dying takes no message; its end, which follows, rejects the call with what
      // it said last.
      this.child.send({ id, name, params }, () => undefined);
    });
  }

  /** Lets the child stop by itself, and stops it if it does not. */
  async close(): Promise<void> {
    const stopped = this.call('stop', null).catch(() => undefined);
    const timeout = setTimeout(() => this.child.kill('SIGKILL'), EXIT_TIMEOUT_MS);
    await stopped;
    await this.exited;
    clearTimeout(timeout);
  }

  private handleReply(message: ReplyMessage): void {
    const call = this.pending.get(message.id);
    if (call === undefined) return;
    if (message.kind === 'progress') {
      call.onProgress(message.value);
      return;
    }
    this.pending.delete(message.id);
    if (message.kind === 'result') call.resolve(message.value);
    else call.reject(new Error(`the mock service failed: ${message.message}`));
  }

  private die(error: Error): void {
    this.death ??= error;
    for (const call of this.pending.values()) call.reject(this.death);
    this.pending.clear();
  }
}
