// A setup file of the test files that share a process (vitest.config.ts): one worker thread runs the
// steps on sessions of all accounts there, so that libsignal is loaded once a process and not once
// an account. Each account still has its own workers, which seal and unseal.
import { Piscina } from 'piscina';
import type { Job, RatchetAnswer, WorkerStart } from '#dist/src/engine/jobs.js';
import { builtFile } from './built-file.js';
import type { SharedJob } from './session-thread.js';

type RunOptions = Parameters<Piscina<Job>['run']>[1];

/** State of the process, which evaluates this file for each test file. */
class SharedSessionThread {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its Piscina
  readonly #run = Piscina.prototype.run;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its Piscina
  readonly #destroy = Piscina.prototype.destroy;
  readonly #accounts = new WeakMap<object, number>();
  /** Rejects what is under way for an account whose workers end. */
  readonly #underWay = new WeakMap<Piscina, Set<(error: Error) => void>>();
  #accountCount = 0;
  #pool: Piscina<SharedJob, RatchetAnswer> | undefined;

  install(): void {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the functions have their own
    const shared = this;
    Piscina.prototype.run = function (this: Piscina, task: Job, options: RunOptions) {
      return task.kind === 'ratchet'
        ? shared.#runShared(this, task, options)
        : Reflect.apply(shared.#run, this, [task, options]);
    };
    Piscina.prototype.destroy = function (this: Piscina) {
      for (const end of shared.#underWay.get(this) ?? []) end(new Error('the workers end'));
      return Reflect.apply(shared.#destroy, this, []);
    };
  }

  #runShared(owner: Piscina, job: Extract<Job, { kind: 'ratchet' }>, options: RunOptions) {
    const { memory } = owner.options.workerData as WorkerStart;
    let account = this.#accounts.get(memory);
    if (account === undefined) this.#accounts.set(memory, (account = this.#accountCount++));
    this.#pool ??= new Piscina<SharedJob, RatchetAnswer>({
      filename: builtFile('test/harness/session-thread.js'),
      minThreads: 1,
      maxThreads: 1,
    });
    const work = Reflect.apply(this.#run, this.#pool, [
      { job, account, memory } satisfies SharedJob,
      { transferList: options?.transferList ?? [] },
    ]) as Promise<RatchetAnswer>;
    const ends = this.#underWay.get(owner) ?? new Set();
    this.#underWay.set(owner, ends);
    return new Promise<RatchetAnswer>((resolve, reject) => {
      ends.add(reject);
      work.then(resolve, reject).finally(() => ends.delete(reject));
    });
  }
}

const KEPT = Symbol.for('sealcast.shared-session-thread');
const kept = globalThis as unknown as Partial<Record<symbol, SharedSessionThread>>;
if (kept[KEPT] === undefined) {
  kept[KEPT] = new SharedSessionThread();
  kept[KEPT].install();
}
