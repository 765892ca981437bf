import { setImmediate as nextTurn } from 'node:timers/promises';
import { SYSTEM_CLOCK } from '../util/clock.js';
import { TURN_MS } from '../util/time-slicer.js';
import { Queue } from '../util/queue.js';

/**
 * The same for checking a call's arguments: long enough that calls of usual sizes are checked where
 * they are made.
 */
const CHECK_MS = 8;
/** The clock costs more than most steps: it is looked at now and then. */
const STEPS_PER_LOOK = 32;

/**
 * Runs `step` for 0 to count - 1 on this thread: at once, and if that takes long, the rest in turns
 * of the event loop.
 *
 * @returns nothing when all is done, or a promise of it.
 */
export function forEachInTurns(
  count: number,
  step: (index: number) => void,
): Promise<void> | undefined {
  const next = forOneTurn(0, count, step);
  return next < count ? forRestInTurns(next, count, step) : undefined;
}

/** Runs steps from `first` on until the turn is over; gives the first that is left. */
function forOneTurn(first: number, count: number, step: (index: number) => void): number {
  const turnStart = SYSTEM_CLOCK.monotonicMs();
  let index = first;
  while (index < count) {
    step(index);
    index += 1;
    if (index % STEPS_PER_LOOK === 0 && SYSTEM_CLOCK.monotonicMs() - turnStart > CHECK_MS) break;
  }
  return index;
}

async function forRestInTurns(
  first: number,
  count: number,
  step: (index: number) => void,
): Promise<void> {
  for (let next = first; next < count;) {
    await nextTurn();
    next = forOneTurn(next, count, step);
  }
}

/** A piece of work for this thread. It reports its own failure to the waiting caller. */
export type TurnJob = () => void | Promise<void>;

/**
 * Runs work on this thread a few milliseconds at a time, in order of arrival. A caller with much
 * work delays its own entries and the others in this queue, not the event loop.
 */
export class Turns {
  readonly #jobs = new Queue<TurnJob>();
  #running = false;

  /** Jobs that wait. */
  get length(): number {
    return this.#jobs.length;
  }

  push(job: TurnJob): void {
    this.#jobs.push(job);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Never within the call that pushed.
    await nextTurn();
    let turnStart = SYSTEM_CLOCK.monotonicMs();
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      try {
        const pending = job();
        if (pending !== undefined) await pending;
      } catch {
        // No caller waits for the failure, and it does not concern the others in the queue.
      }
      if (SYSTEM_CLOCK.monotonicMs() - turnStart > TURN_MS) {
        await nextTurn();
        turnStart = SYSTEM_CLOCK.monotonicMs();
      }
    }
    this.#running = false;
  }
}
