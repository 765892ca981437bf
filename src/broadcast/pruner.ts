import type { Telemetry } from '../runtime/telemetry.js';
import { SealcastError } from '../errors.js';
import type { MeasuredClock } from '../util/service-clock.js';
import type { BroadcastIndex, IndexedBroadcast } from './broadcast-index.js';
import type { Outbox } from './outbox.js';
import type { Runs } from './run-registry.js';

const HOUR_MS = 3_600_000;
/** Between two looks. */
export const PRUNE_INTERVAL_MS = 6 * HOUR_MS;
/** A clock that is further off the time that has passed was set, or the machine slept: nothing is decided by it. */
const MAX_JUMP_MS = HOUR_MS;
/** Without a trace of the account for so long, beyond the time that broadcasts are kept, a clock is not believed at first sight. */
const MAX_SILENCE_MS = 24 * HOUR_MS;

export interface PrunerOptions {
  readonly outbox: Outbox;
  readonly keepFinishedMs: number;
  readonly clock: MeasuredClock;
  readonly telemetry: Telemetry;
  readonly runs: Pick<Runs, 'whileIdle'>;
  readonly index: Pick<BroadcastIndex, 'add' | 'pruned'>;
}

/**
 * Takes finished broadcasts out of the outbox: when the Broadcaster is opened, and every six hours.
 *
 * The time that a broadcast is kept is counted by a clock that may be wrong: one that is set a year ahead would empty the outbox,
 * and no request to send a message again could be answered. So a look prunes nothing if the clock moved otherwise than time did
 * since the look before; nor does the first look if the clock is far ahead of all that is in the store. While the clock is
 * provisional the first look prunes nothing at all, and no look if the clock is that far ahead; once the clock has been measured, another
 * look follows at once.
 */
export class Pruner {
  readonly #options: PrunerOptions;
  #lastLook: { readonly nowMs: number; readonly monotonicMs: number; readonly isProvisional: boolean } | undefined;
  #cancel: () => void = () => undefined;
  #cancelMeasured: () => void = () => undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  /**
   * Looks for the first time, adds the broadcasts that stay to the index, and looks by itself from then on.
   *
   * @throws SealcastError what the store throws.
   */
  async start(): Promise<void> {
    const first = this.#look(true);
    // Its failure is the caller's.
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

  /** Resolves when the store is no longer touched. */
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
    for await (const { id, record } of outbox.broadcasts()) {
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
        telemetry.log.warn({ broadcasts: old.length }, 'prune outbox: clock may be wrong, retry in six hours');
      }
      for (const broadcast of old.splice(0)) if (isFirst) index.add(broadcast);
    }
    for (const broadcast of [...leftOver, ...old]) await this.#prune(broadcast);
  }

  /** Whether the clock has moved as time has since the last look, but for what was corrected by measuring it. */
  #isEven(nowMs: number, isProvisional: boolean): boolean {
    const monotonicMs = this.#options.clock.monotonicMs();
    const last = this.#lastLook;
    this.#lastLook = { nowMs, monotonicMs, isProvisional };
    if (last === undefined || (last.isProvisional && !isProvisional)) return true;
    return Math.abs(nowMs - last.nowMs - (monotonicMs - last.monotonicMs)) <= MAX_JUMP_MS;
  }

  #prune(broadcast: IndexedBroadcast): Promise<void> {
    const { outbox, runs, index } = this.#options;
    return runs.whileIdle(broadcast.id, async () => {
      const record = await outbox.broadcast(broadcast.id);
      // Since it was read a run may have gone on with it, or a recipient may have asked for it again.
      const isOver = record?.state === 'finished' || record?.state === 'pruned';
      if (this.#stopped || record === undefined || !isOver) return;
      await outbox.prune(broadcast.id, record);
      index.pruned(broadcast);
    });
  }
}
