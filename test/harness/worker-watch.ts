import type { Worker } from 'node:worker_threads';

/** The worker threads that this process starts while it watches, whoever starts them. */
export class WorkerWatch {
  readonly started: Worker[] = [];
  readonly exited: Worker[] = [];
  /**
   * Hears of every worker as it starts; Node emits the event in the turn after the Worker was made.
   */
  onStart: ((worker: Worker) => void) | undefined;

  readonly #listener = (worker: Worker): void => {
    this.started.push(worker);
    worker.once('exit', () => this.exited.push(worker));
    this.onStart?.(worker);
  };

  constructor() {
    process.on('worker', this.#listener);
  }

  get alive(): Worker[] {
    return this.started.filter((worker) => !this.exited.includes(worker));
  }

  stop(): void {
    process.off('worker', this.#listener);
  }
}
