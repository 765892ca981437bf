import { Queue } from '../util/queue.js';

/** `incoming`: work that a received message waits for. `outgoing`: all else. */
export type QueueLane = 'incoming' | 'outgoing';

/**
 * Incoming work that may go first while outgoing work waits: its jobs are shorter, so that each
 * gets its share of the threads.
 */
const MAX_IN_A_ROW = 4;

/**
 * Two queues that prefer the incoming one. A message that comes in during a broadcast waits for the
 * running jobs, and not for the queued ones (2,000 first sessions: 0.5 s at the median, 2026-11).
 * After four in a row it is the other one's turn.
 */
export class TwoLaneQueue<T extends object> {
  readonly #incoming = new Queue<T>();
  readonly #outgoing = new Queue<T>();
  /**
   * Incoming items since an outgoing one waited and got its turn; and as it was before the last
   * `shift`.
   */
  #inARow = 0;
  #inARowBefore = 0;

  get length(): number {
    return this.#incoming.length + this.#outgoing.length;
  }

  push(lane: QueueLane, item: T): void {
    (lane === 'incoming' ? this.#incoming : this.#outgoing).push(item);
  }

  /** @param only takes from this lane alone, and changes no turns. */
  shift(only?: QueueLane): T | undefined {
    if (only !== undefined) return (only === 'incoming' ? this.#incoming : this.#outgoing).shift();
    this.#inARowBefore = this.#inARow;
    const isOthersTurn = this.#inARow >= MAX_IN_A_ROW && this.#outgoing.length > 0;
    const item = isOthersTurn ? undefined : this.#incoming.shift();
    // An item that no other waited behind does not count.
    this.#inARow = item !== undefined && this.#outgoing.length > 0 ? this.#inARow + 1 : 0;
    return item ?? this.#outgoing.shift();
  }

  /**
   * Puts back what the last `shift` gave, as if that had not been: Piscina takes one more than it
   * has threads for, every time, and an outgoing item would else lose its turn by it for as long as
   * incoming ones follow.
   */
  unshift(lane: QueueLane, item: T): void {
    (lane === 'incoming' ? this.#incoming : this.#outgoing).unshift(item);
    this.#inARow = this.#inARowBefore;
  }

  clear(): void {
    this.#incoming.clear();
    this.#outgoing.clear();
    this.#inARow = 0;
  }
}
