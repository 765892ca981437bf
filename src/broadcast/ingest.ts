import { SealcastError } from '../errors.js';
import type { Recipients } from './options.js';
import { parseServiceId } from './ids.js';
import type { Outbox } from './outbox.js';
import { rowChange } from './outbox.js';

/** Rows that are put into the outbox together. */
const BATCH_RECIPIENTS = 1024;
/** Recipients as the caller gives them: those that are service ids, and the index of each that is none. */
export interface IngestBatch {
  /** In the outbox now; none of them was before. */
  readonly added: readonly string[];
  /** What stood where no service id was. */
  readonly invalid: readonly { readonly index: number; readonly given: string }[];
}

/** Puts recipients into the outbox, each once, a batch at a time. */
export async function* ingest(id: string, recipients: Recipients, outbox: Outbox): AsyncGenerator<IngestBatch> {
  let batch = new Set<string>();
  let invalid: { index: number; given: string }[] = [];
  let index = 0;
  for await (const given of guarded(recipients)) {
    const serviceId = parseServiceId(given);
    if (serviceId === null)
      invalid.push({ index, given: typeof given === 'string' ? given.slice(0, 64) : typeof given });
    else batch.add(serviceId);
    index += 1;
    if (batch.size + invalid.length >= BATCH_RECIPIENTS) {
      yield { added: await add(id, [...batch], outbox), invalid };
      batch = new Set();
      invalid = [];
    }
  }
  yield { added: await add(id, [...batch], outbox), invalid };
}

async function add(id: string, serviceIds: readonly string[], outbox: Outbox): Promise<string[]> {
  const rows = await outbox.rows(id, serviceIds);
  const added = serviceIds.filter((_, i) => rows[i] === undefined);
  await outbox.commit(added.map((serviceId) => rowChange(id, serviceId, { state: 'queued' })));
  return added;
}

/** What the caller's iterable throws is told from what we do. */
async function* guarded(recipients: Recipients): AsyncGenerator {
  try {
    yield* recipients as AsyncIterable<unknown>;
  } catch (cause) {
    throw new SealcastError('ERR_INVALID_ARGUMENT', 'the recipients could not be read to their end', {
      field: 'recipients',
      cause,
    });
  }
}
