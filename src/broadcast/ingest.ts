import { SealcastError } from '../errors.js';
import type { Recipients } from './options.js';
import { parseServiceId } from '../util/addresses.js';
import type { Outbox } from './outbox.js';
import { addedChange } from './delivery.js';

/** Rows that are put into the outbox together. */
const BATCH_RECIPIENTS = 1024;
/** Batch of the caller's entries: service ids, and the index of each entry that is none. */
export interface IngestBatch {
  /** In the outbox now; none of them was before. */
  readonly added: readonly string[];
  /** Were in the outbox before, with records that are damaged. */
  readonly damaged: readonly { readonly serviceId: string; readonly error: SealcastError }[];
  /** Entries that are no service ids. */
  readonly invalid: readonly { readonly index: number; readonly given: string }[];
}

/**
 * Puts recipients into the outbox, each once, a batch at a time. Ends with the last of them, or
 * when the signal fires.
 */
export async function* ingest(
  id: string,
  recipients: Recipients,
  outbox: Outbox,
  signal: AbortSignal,
): AsyncGenerator<IngestBatch> {
  let batch = new Set<string>();
  let invalid: { index: number; given: string }[] = [];
  let index = 0;
  const values = guarded(recipients);
  const isAsync = Symbol.asyncIterator in recipients;
  for await (const given of isAsync ? untilAborted(values, signal) : values) {
    const serviceId = parseServiceId(given);
    if (serviceId === null)
      invalid.push({ index, given: typeof given === 'string' ? given.slice(0, 64) : typeof given });
    else batch.add(serviceId);
    index += 1;
    if (index % BATCH_RECIPIENTS === 0) {
      yield { ...(await add(id, [...batch], outbox)), invalid };
      batch = new Set();
      invalid = [];
    }
  }
  yield { ...(await add(id, [...batch], outbox)), invalid };
}

async function add(
  id: string,
  serviceIds: readonly string[],
  outbox: Outbox,
): Promise<Pick<IngestBatch, 'added' | 'damaged'>> {
  const rows = await outbox.rows(id, serviceIds);
  const added = serviceIds.filter((_, i) => rows[i] === undefined);
  await outbox.commit(added.map((serviceId) => addedChange(id, serviceId, undefined)));
  const damaged = serviceIds.flatMap((serviceId, i) => {
    const row = rows[i];
    return row instanceof SealcastError ? [{ serviceId, error: row }] : [];
  });
  return { added, damaged };
}

/** Tells errors of the caller's iterable from errors of this library. */
async function* guarded(recipients: Recipients): AsyncGenerator {
  try {
    yield* recipients as AsyncIterable<unknown>;
  } catch (cause) {
    throw new SealcastError(
      'ERR_INVALID_ARGUMENT',
      'the recipients could not be read to their end',
      {
        field: 'recipients',
        cause,
      },
    );
  }
}

/**
 * Stops waiting for a value when the signal fires: the caller's iterable may never give the next
 * one.
 */
async function* untilAborted(values: AsyncGenerator, signal: AbortSignal): AsyncGenerator {
  let giveUp = (): void => undefined;
  const abort = (): void => giveUp();
  signal.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await new Promise<IteratorResult<unknown> | undefined>((resolve, reject) => {
        giveUp = () => resolve(undefined);
        values.next().then(resolve, reject);
      });
      if (next === undefined) continue;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    // The cleanup of the iterable is not waited for either, and its result concerns no caller any
    // longer.
    values.return(undefined).catch(() => undefined);
  }
}
