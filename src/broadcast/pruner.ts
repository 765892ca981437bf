import type { RecipientLocks } from '../session/recipient-locks.js';
import type { Telemetry } from '../runtime/telemetry.js';
import { SealcastError } from '../errors.js';
import { isDamaged } from '../store/damage.js';
import type { MeasuredClock } from '../util/service-clock.js';
import type { BroadcastIndex, IndexedBroadcast } from './broadcast-index.js';
import { changeBroadcast } from './broadcast-records.js';
import type { Outbox } from './outbox.js';
import type { Runs } from './run-registry.js';

const HOUR_MS = 3_600_000;
/** Time between two looks, ms. */
export const PRUNE_INTERVAL_MS = 6 * HOUR_MS;
/**
 * Largest deviation of the clock from the time that has passed, ms. Above it, the clock was set or
 * the machine slept, and no decision rests on it.
 */
const MAX_JUMP_MS = HOUR_MS;
/**
 * Longest silence of the account, ms, beyond the time that broadcasts are kept. After a longer one
 * without a trace in the store, a clock is not believed at first sight.
 */
const MAX_SILENCE_MS = 24 * HOUR_MS;

export interface PrunerOptions {
  readonly outbox: Outbox;
  readonly locks: RecipientLocks;
  readonly keepFinishedMs: number;
  readonly clock: MeasuredClock;
  readonly telemetry: Telemetry;
  readonly runs: Pick<Runs, 'whileIdle'>;
  readonly index: Pick<BroadcastIndex, 'add' | 'pruned'>;
}

/**
 * Removes finished broadcasts from the outbox: when the Broadcaster is opened, and every six hours.
 *
 * A clock counts the time that a broadcast is kept, and it may be wrong: one that is set a year
 * ahead would empty the outbox, and no retry request could be answered. So a look prunes nothing if
 * the clock moved otherwise than time did since the look before. Nor does the first look if the
 * clock is far ahead of everything in the store. While the clock is provisional, the first look
 * prunes nothing at all, and no look prunes if the clock is that far ahead. Once the clock has been
 * measured, another look follows at once.
 */
export class Pruner {
  readonly #options: PrunerOptions;
  #lastLook:
    | { readonly nowMs: number; readonly monotonicMs: number; readonly isProvisional: boolean }
    | undefined;
  #cancel: () => void = () => undefined;
  #cancelMeasured: () => void = () => undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  /**
   * Looks for the first time, indexes the broadcasts that stay, and schedules further looks.
   *
   * @throws SealcastError the errors of the store.
   */
  async start(): Promise<void> {
    const first = this.#look(true);
    // The caller of `start` gets its failure.
    this.#looking = first.catch(() => undefined);
    this.#cancelMeasured = this.#options.clock.whenMeasured(() => {
      this.#looking = this.#looking.then(() => this.#lookAgain());
    });
    await first;
    this.#schedule();
  }

  #schedule(): void {
    this.#cancel();
    if (this.#stopped) return;
    this.#cancel = this.#options.clock.setTimeout(() => {
      this.#looking = this.#looking.then(() => this.#lookAgain());
    }, PRUNE_INTERVAL_MS);
  }

  async #lookAgain(): Promise<void> {
    if (this.#stopped) return;
    try {
      await this.#look(false);
    } catch (error) {
      const code = error instanceof SealcastError ? error.code : 'UNKNOWN';
      this.#options.telemetry.log.warn({ code }, 'prune outbox: failed, retry in six hours');
    }
    this.#schedule();
  }

  /** Ends the looks. Resolves when the store is no longer touched. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    this.#cancelMeasured();
    await this.#looking;
  }

  async #look(isFirst: boolean): Promise<void> {
    const { outbox, keepFinishedMs, clock, telemetry, index } = this.#options;
    const nowMs = clock.now();
    const { isProvisional } = clock;
    const isEven = this.#isEven(nowMs, isProvisional);
    const beforeMs = nowMs - keepFinishedMs;
    let newestMs = 0;
    const old: IndexedBroadcast[] = [];
    const leftOver: IndexedBroadcast[] = [];
    for await (const found of outbox.broadcasts()) {
      // Of a damaged one neither its age nor its end is known: it stays.
      if ('error' in found) continue;
      const { id, record } = found;
      const broadcast = { id, timestamp: record.timestamp };
      newestMs = Math.max(newestMs, record.createdAtMs, record.finishedAtMs);
      if (record.state === 'pruned') leftOver.push(broadcast);
      else if (record.state === 'finished' && record.finishedAtMs < beforeMs) old.push(broadcast);
      else if (isFirst) index.add(broadcast);
    }
    const isPlausible = newestMs > beforeMs - MAX_SILENCE_MS || !(isFirst || isProvisional);
    const isCredible = isEven && isPlausible && !(isFirst && isProvisional);
    if (!isCredible && old.length > 0) {
      if (!(isFirst && isProvisional)) {
        telemetry.log.warn(
          { broadcasts: old.length },
          'prune outbox: clock may be wrong, retry in six hours',
        );
      }
      for (const broadcast of old.splice(0)) if (isFirst) index.add(broadcast);
    }
    for (const broadcast of [...leftOver, ...old]) await this.#prune(broadcast);
  }

  /**
   * Whether the clock has moved as time has since the last look. A correction by the measurement of
   * the clock is allowed.
   */
  #isEven(nowMs: number, isProvisional: boolean): boolean {
    const monotonicMs = this.#options.clock.monotonicMs();
    const last = this.#lastLook;
    this.#lastLook = { nowMs, monotonicMs, isProvisional };
    if (last === undefined || (last.isProvisional && !isProvisional)) return true;
    return Math.abs(nowMs - last.nowMs - (monotonicMs - last.monotonicMs)) <= MAX_JUMP_MS;
  }

  #prune(broadcast: IndexedBroadcast): Promise<void> {
    const { outbox, runs, index, locks } = this.#options;
    return runs.whileIdle(broadcast.id, async () => {
      const isMarked = await changeBroadcast({ locks, outbox }, broadcast.id, (record) => {
        // Since the look, a run may have resumed the broadcast, or a recipient may have asked for
        // the message again.
        const isOver = record?.state === 'finished' || record?.state === 'pruned';
        if (this.#stopped || record === undefined || !isOver) return undefined;
        return { ...record, state: 'pruned' };
      }).catch((error: unknown) => {
        if (isDamaged(error)) return false;
        throw error;
      });
      if (!isMarked) return;
      await outbox.removePruned(broadcast.id);
      index.pruned(broadcast);
    });
  }
}
