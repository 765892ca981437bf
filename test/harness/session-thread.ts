// The worker thread of test/harness/shared-session-thread.ts: it runs the steps on sessions of all
// accounts of a process.
import { ControlBlock } from '#dist/src/kernel/control.js';
import type { RatchetAnswer, RatchetJob } from '#dist/src/engine/jobs.js';
import type * as SessionWorker from '#dist/src/session/worker/worker.js';

export interface SharedJob {
  readonly job: RatchetJob;
  /** Number of the account's memory in this process. */
  readonly account: number;
  /** It has the account's private key. */
  readonly memory: WebAssembly.Memory;
}

const url = import.meta.resolve('#dist/src/session/worker/worker.js');

/** As workers/worker.ts does it. The module keeps a private key: each account has its own one. */
export default async function run({ job, account, memory }: SharedJob): Promise<RatchetAnswer> {
  try {
    const { runRatchet } = (await import(`${url}?account=${account}`)) as typeof SessionWorker;
    const copyPrivateKey = (): Uint8Array<ArrayBuffer> => ControlBlock.copyPrivateKeyOf(memory);
    const reply = await runRatchet(job.request as Parameters<typeof runRatchet>[0], copyPrivateKey);
    return { reply };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : 'unknown fault' };
  }
}
