// The worker thread of test/harness/shared-session-thread.ts: it runs the steps on sessions of all
// accounts of a process.
import { ControlBlock } from '#dist/src/kernel/control.js';
import type { RatchetAnswer, RatchetJob } from '#dist/src/engine/jobs.js';
import { encryptStoredChunk } from '#dist/src/broadcast/stored/encrypt-chunk.js';
import type { StoredChunkRequest } from '#dist/src/broadcast/stored/protocol.js';
import type { RatchetRequest } from '#dist/src/session/protocol.js';
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
    const worker = (await import(`${url}?account=${account}`)) as typeof SessionWorker;
    const copyPrivateKey = (): Uint8Array<ArrayBuffer> => ControlBlock.copyPrivateKeyOf(memory);
    const request = job.request as RatchetRequest | StoredChunkRequest;
    if (request.kind !== 'stored-chunk')
      return { reply: await worker.runRatchet(request, copyPrivateKey) };
    return { reply: await encryptStoredChunk(request, worker.ownPrivateKey(copyPrivateKey)) };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : 'unknown fault' };
  }
}
