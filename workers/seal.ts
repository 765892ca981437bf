import { randomFillSync } from 'node:crypto';
import { workerData } from 'node:worker_threads';
import { entryCount, layScalars } from '../src/kernel/arena.js';
import { instantiate } from '../src/kernel/instance.js';
import type { Job, JobFault, WorkerStart } from '../src/pool/messages.js';

const { module, memory } = workerData as WorkerStart;
const kernel = instantiate(module, memory);

/**
 * Fills the chunk's ephemeral scalars from the operating system's generator and seals with them, in one synchronous step:
 * nothing can come between a scalar's making and its use.
 */
function seal(arenaPtr: number): void {
  // A plain buffer: OpenSSL fills memory that nobody else can see, then it moves into the arena.
  const random = randomFillSync(new Uint8Array(entryCount(memory, arenaPtr) * 32));
  layScalars(memory, arenaPtr, random);
  random.fill(0);
  kernel.sealV1(arenaPtr);
}

export default function run({ kind, arenaPtr }: Job): JobFault {
  try {
    if (kind === 'seal') seal(arenaPtr);
    else if (kind === 'unseal') kernel.unsealV1(arenaPtr);
    else kernel.prepareSlots(arenaPtr);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : 'unknown fault';
  }
}
