import { randomFillSync } from 'node:crypto';
import { workerData } from 'node:worker_threads';
import { entryCount, layScalars } from '../src/kernel/arena.js';
import { instantiate } from '../src/kernel/instance.js';
import { ControlBlock } from '../src/kernel/control.js';
import type {
  ChunkJob,
  Job,
  JobFault,
  RatchetAnswer,
  RatchetJob,
  WorkerStart,
} from '../src/engine/jobs.js';
import type { StoredChunkRequest } from '../src/broadcast/stored/protocol.js';
import type { CertificatesRequest } from '../src/sealer/worker/verify-certificates.js';
import type { RatchetRequest } from '../src/session/protocol.js';
import { secretBytes } from '../src/util/bytes.js';

const { module, memory } = workerData as WorkerStart;
const kernel = instantiate(module, memory);

/**
 * Seals a chunk with fresh ephemeral scalars, in one synchronous step. The operating system's
 * generator fills the scalars; nothing can come between the making of a scalar and its use.
 */
function seal(arenaPtr: number): void {
  // A plain buffer: OpenSSL fills memory that no other thread can see, then it moves into the
  // arena.
  const random = randomFillSync(secretBytes(entryCount(memory, arenaPtr) * 32));
  layScalars(memory, arenaPtr, random);
  random.fill(0);
  kernel.sealV1(arenaPtr);
}

function runChunk({ kind, arenaPtr }: ChunkJob): JobFault {
  try {
    if (kind === 'seal') seal(arenaPtr);
    else if (kind === 'unseal') kernel.unsealV1(arenaPtr);
    else kernel.prepareSlots(arenaPtr);
    return null;
  } catch (error) {
    return describe(error);
  }
}

type Request = RatchetRequest | StoredChunkRequest | CertificatesRequest;

/** libsignal's addon is loaded by the first of these: who only seals has no use for it. */
async function runRatchetJob({ request }: RatchetJob): Promise<RatchetAnswer> {
  try {
    const asked = request as Request;
    if (asked.kind === 'certificates') {
      const { verifyCertificates } = await import('../src/sealer/worker/verify-certificates.js');
      return { reply: await verifyCertificates(asked) };
    }
    const { ownPrivateKey, runRatchet } = await import('../src/session/worker/worker.js');
    const copyPrivateKey = (): Uint8Array<ArrayBuffer> => ControlBlock.copyPrivateKeyOf(memory);
    if (asked.kind !== 'stored-chunk') return { reply: await runRatchet(asked, copyPrivateKey) };
    const { encryptStoredChunk } = await import('../src/broadcast/stored/encrypt-chunk.js');
    return await moved({ reply: await encryptStoredChunk(asked, ownPrivateKey(copyPrivateKey)) });
  } catch (error) {
    return { fault: describe(error) };
  }
}

/** Moves the buffers of an answer to the main thread, which gets no copies of them. */
async function moved(answer: RatchetAnswer): Promise<RatchetAnswer> {
  const { move, transferableSymbol, valueSymbol } = await import('piscina');
  const buffers = new Set<ArrayBuffer>();
  const collect = (value: unknown): void => {
    if (value instanceof Uint8Array || value instanceof Uint32Array) {
      // One that is empty may be a view of memory that others use.
      if (value.length > 0) buffers.add(value.buffer as ArrayBuffer);
    } else if (typeof value === 'object' && value !== null)
      for (const part of Object.values(value)) collect(part);
  };
  collect(answer);
  return move({
    [transferableSymbol]: [...buffers],
    [valueSymbol]: answer,
  } as never) as unknown as RatchetAnswer;
}

const describe = (error: unknown): string =>
  error instanceof Error ? error.message : 'unknown fault';

export default function run(job: Job): JobFault | Promise<RatchetAnswer> {
  return job.kind === 'ratchet' ? runRatchetJob(job) : runChunk(job);
}
