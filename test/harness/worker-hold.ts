import { MessagePort } from 'node:worker_threads';
import { untilTrue } from './await-condition.js';

type Post = typeof MessagePort.prototype.postMessage;

interface HeldPost {
  readonly port: MessagePort;
  readonly args: Parameters<Post>;
}

/**
 * Keeps tasks from this process's Piscina workers: the pool has handed a task out, and no worker
 * begins it before {@link release}. A worker that dies meanwhile has done nothing of its task,
 * however slow or fast the machine is.
 */
export class WorkerHold {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the port that it was called on
  readonly #post: Post = MessagePort.prototype.postMessage;
  readonly #notify = Atomics.notify;
  readonly #held: HeldPost[] = [];
  /** Where Piscina counts the tasks that it posted: a worker sleeps on it. */
  readonly #counters = new Set<Int32Array>();

  constructor() {
    const { prototype } = MessagePort;
    const [held, post, notify, counters] = [this.#held, this.#post, this.#notify, this.#counters];
    prototype.postMessage = function (this: MessagePort, ...args: Parameters<Post>): void {
      if (isTask(args[0])) held.push({ port: this, args });
      else Reflect.apply(post, this, args);
    };
    Atomics.notify = (array: Int32Array | BigInt64Array, index: number, count?: number): number => {
      if (array instanceof Int32Array) counters.add(array);
      return notify(array as Int32Array, index, count);
    };
  }

  /** Resolves once that many tasks are held. */
  async untilHeld(taskCount: number): Promise<void> {
    await untilTrue(() => this.#held.length >= taskCount);
  }

  /**
   * Gives the workers that are left their tasks; from now on tasks arrive as they are posted.
   * Further calls do nothing.
   */
  release(): void {
    MessagePort.prototype.postMessage = this.#post;
    Atomics.notify = this.#notify;
    for (const { port, args } of this.#held.splice(0)) Reflect.apply(this.#post, port, args);
    for (const counter of this.#counters) {
      Atomics.add(counter, 0, 1);
      this.#notify(counter, 0, 1);
    }
    this.#counters.clear();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

function isTask(message: unknown): boolean {
  return (
    typeof message === 'object' && message !== null && 'taskId' in message && 'task' in message
  );
}
