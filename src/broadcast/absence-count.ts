import { SealcastError } from '../errors.js';
import { ListRecords, type MemberUpdate, type SeenMember } from '../runtime/list-records.js';
import { loadList, scanAbsences } from '../store/tables/lists.js';
import { changeBroadcast } from './broadcast-records.js';
import type { BroadcastContext } from './context.js';

/** People whose rows change in one commit. */
const BATCH_MEMBERS = 256;

/** Parts of the context that the count needs. */
type CountContext = Pick<BroadcastContext, 'outbox' | 'locks' | 'clock' | 'telemetry'>;

/**
 * Counts the members of a list that a finished broadcast found unregistered.
 *
 * It removes those that were so in too many broadcasts in a row.
 *
 * Each broadcast counts once: an absence has the timestamp of the last broadcast that it counts,
 * so that a count that a crash cut off is repeated without harm. A failure does not reach the
 * broadcast: it is logged, and the count stays due.
 */
export async function countAbsences(id: string, context: CountContext): Promise<void> {
  const { outbox, telemetry } = context;
  try {
    const record = await outbox.broadcast(id);
    if (record?.state !== 'finished' || record.isCountDue !== true || record.list === undefined)
      return;
    const { list, timestamp } = record;
    const { unregisteredLimit = 0 } = (await loadList(outbox.source, list)) ?? {};
    if (unregisteredLimit > 0) {
      const count = new AbsenceCount(id, { list, timestamp, unregisteredLimit }, context);
      await count.endAbsences();
      await count.addAbsences();
    }
    await changeBroadcast(context, id, (now) => now && { ...now, isCountDue: false });
  } catch (error) {
    const code = error instanceof SealcastError ? error.code : 'UNKNOWN';
    telemetry.log.warn({ id, code }, 'count who is gone: failed, resume() tries again');
  }
}

/** Facts of the broadcast and its list. */
interface Counted {
  readonly list: string;
  readonly timestamp: number;
  readonly unregisteredLimit: number;
}

/** The count of one broadcast. */
class AbsenceCount {
  readonly #id: string;
  readonly #counted: Counted;
  readonly #context: CountContext;
  readonly #records: ListRecords;

  constructor(id: string, counted: Counted, context: CountContext) {
    this.#id = id;
    this.#counted = counted;
    this.#context = context;
    this.#records = new ListRecords(context.outbox.source, counted.list, context.clock);
  }

  /** Ends the absences of members that got the message. */
  async endAbsences(): Promise<void> {
    const { list, timestamp } = this.#counted;
    let batch: string[] = [];
    const flush = async (): Promise<void> => {
      const rows = await this.#context.outbox.rows(this.#id, batch);
      const present = batch.filter((_, i) => {
        const row = rows[i];
        if (row === undefined || row instanceof Error || row.state !== 'done') return false;
        return row.status === 'sealed' || row.status === 'unsealed';
      });
      await this.#records.change(present, ({ absence }) =>
        absence !== undefined && absence.timestamp < timestamp ? { absence: null } : undefined,
      );
      batch = [];
    };
    for await (const { serviceId, record } of scanAbsences(this.#context.outbox.source, list)) {
      if (record.timestamp >= timestamp) continue;
      batch.push(serviceId);
      if (batch.length === BATCH_MEMBERS) await flush();
    }
    if (batch.length > 0) await flush();
  }

  /** Counts the members that the broadcast found unregistered. */
  async addAbsences(): Promise<void> {
    for await (const { rows } of this.#context.outbox.pages(this.#id)) {
      const gone = rows.flatMap(({ serviceId, row }) =>
        row.state === 'done' && row.status === 'unregistered' ? [serviceId] : [],
      );
      for (let at = 0; at < gone.length; at += BATCH_MEMBERS)
        await this.#records.change(gone.slice(at, at + BATCH_MEMBERS), (seen) => this.#next(seen));
    }
  }

  #next({ member, absence }: SeenMember): MemberUpdate | undefined {
    const { timestamp, unregisteredLimit } = this.#counted;
    if (member === undefined || (absence !== undefined && absence.timestamp >= timestamp))
      return undefined;
    const broadcasts = (absence?.broadcasts ?? 0) + 1;
    return broadcasts >= unregisteredLimit
      ? { member: null, absence: null }
      : { absence: { broadcasts, timestamp } };
  }
}
