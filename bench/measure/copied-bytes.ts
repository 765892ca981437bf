// Counts bytes that messages between threads take: those that structured clone copies, and those of
// buffers that change hands. Loaded by `--import` ahead of all else, for workers load it likewise;
// it counts only while it is told to, and then the measured work is slower.
import {
  MessagePort,
  getEnvironmentData,
  isMainThread,
  setEnvironmentData,
  type Transferable,
} from 'node:worker_threads';

/** Bytes of messages, of all threads of the process. */
export interface CopiedBytes {
  readonly cloned: number;
  readonly transferred: number;
}

const KEY = 'sealcast-bench:copied-bytes';
/** Places of the shared counters. */
const [IS_COUNTING, CLONED, TRANSFERRED] = [0, 1, 2];
const COUNTER_COUNT = 3;
const NUMBER_BYTES = 8;

if (isMainThread) {
  const bytes = new SharedArrayBuffer(COUNTER_COUNT * BigInt64Array.BYTES_PER_ELEMENT);
  setEnvironmentData(KEY, bytes);
}
const counters = new BigInt64Array(getEnvironmentData(KEY) as unknown as SharedArrayBuffer);

type Post = (
  message: unknown,
  transfer?: readonly Transferable[] | { readonly transfer?: readonly Transferable[] },
) => void;
// A `Worker` posts through a port too, so each message is counted once.
const prototype = MessagePort.prototype as unknown as { postMessage: Post };
const post = prototype.postMessage;
prototype.postMessage = function (this: unknown, message, options): void {
  if (Atomics.load(counters, IS_COUNTING) === 1n) {
    const moved = options === undefined || !('transfer' in options) ? options : options.transfer;
    const { cloned, transferred } = messageBytes(message, (moved ?? []) as readonly Transferable[]);
    Atomics.add(counters, CLONED, BigInt(cloned));
    Atomics.add(counters, TRANSFERRED, BigInt(transferred));
  }
  post.call(this, message, options);
};

/** Counts the messages of all threads while some work runs. */
export async function countCopiedBytes(work: () => Promise<void>): Promise<CopiedBytes> {
  counters.fill(0n);
  Atomics.store(counters, IS_COUNTING, 1n);
  try {
    await work();
  } finally {
    Atomics.store(counters, IS_COUNTING, 0n);
  }
  return {
    cloned: Number(Atomics.load(counters, CLONED)),
    transferred: Number(Atomics.load(counters, TRANSFERRED)),
  };
}

/**
 * Bytes of one message. A view takes the whole buffer behind it along; shared memory takes none.
 * Names of fields count as their characters, numbers as eight bytes.
 */
export function messageBytes(message: unknown, transfer: readonly Transferable[]): CopiedBytes {
  const seen = new Set<unknown>(transfer);
  const cloned = clonedBytes(message, seen);
  const transferred = transfer.reduce(
    (sum, item) => sum + (item instanceof ArrayBuffer ? item.byteLength : 0),
    0,
  );
  return { cloned, transferred };
}

function clonedBytes(value: unknown, seen: Set<unknown>): number {
  if (typeof value === 'string') return textBytes(value);
  if (typeof value !== 'object' || value === null) return NUMBER_BYTES;
  if (seen.has(value)) return 0;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return NUMBER_BYTES + clonedBytes(value.buffer, seen);
  if (value instanceof ArrayBuffer) return value.byteLength;
  if (value instanceof SharedArrayBuffer) return 0;
  let bytes = 0;
  if (value instanceof Map || value instanceof Set) {
    for (const entry of value) bytes += clonedBytes(entry, seen);
    return bytes;
  }
  const isList = Array.isArray(value);
  for (const [name, field] of Object.entries(value))
    bytes += (isList ? 0 : textBytes(name)) + clonedBytes(field, seen);
  return bytes;
}

/** V8 keeps text of Latin letters in a byte each, and any other in two. */
function textBytes(text: string): number {
  return /^[\0-\xff]*$/.test(text) ? text.length : 2 * text.length;
}
