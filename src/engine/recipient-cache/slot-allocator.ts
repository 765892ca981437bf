/** How many places are looked at for one to give away. */
const PROBES = 8;
/**
 * Age, in laps, at which a place is given away at once. A lap is as many uses as there are places.
 */
const STALE_LAPS = 8;
/** When all places are taken, one newcomer in this many gets in. */
const ADMISSION_INTERVAL = 32;

/**
 * Allocates a fixed number of places; decides which owner loses its place when none is free.
 *
 * A broadcast goes through all its recipients in a cycle. Least-recently-used eviction, with places
 * for 80 % of them, would throw each out just before its turn and never hit. So a full house stays
 * as it is, but for one newcomer in 32: with places for a share of the cycle about that share is
 * found, and a new set of recipients still moves in by and by.
 */
export class SlotAllocator {
  readonly count: number;
  readonly #lastUse: Float64Array;
  readonly #random: () => number;
  #clock = 0;
  #used = 0;
  #hand = 0;
  /** Places that were taken before and are not now. */
  readonly #free: number[] = [];

  constructor(count: number, random: () => number) {
    this.count = count;
    this.#lastUse = new Float64Array(count);
    this.#random = random;
  }

  /** Number of places that are taken. */
  get size(): number {
    return this.#used - this.#free.length;
  }

  /** Number of places that were ever taken; those behind are untouched memory. */
  get used(): number {
    return this.#used;
  }

  /**
   * One more use of the allocator, by a party with or without a place: the unit in which age is
   * measured.
   */
  tick(): void {
    this.#clock += 1;
  }

  /** Notes a use of a place. */
  use(place: number): void {
    this.#lastUse[place] = this.#clock;
  }

  /**
   * A place for a newcomer, or -1. `evict` takes a place away from whom it belongs to, or says that
   * it cannot.
   */
  take(evict: (place: number) => boolean): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#used < this.count) return this.#used++;
    if (this.count === 0) return -1;
    const victim = this.#oldestOfSome();
    const age = this.#clock - (this.#lastUse[victim] ?? 0);
    const stale = age > STALE_LAPS * this.count;
    if (!stale && this.#random() * ADMISSION_INTERVAL >= 1) return -1;
    return evict(victim) ? victim : -1;
  }

  /** Makes a taken place free. */
  free(place: number): void {
    this.#free.push(place);
  }

  #oldestOfSome(): number {
    let oldest = this.#hand;
    for (let probe = 0; probe < PROBES; probe++) {
      if ((this.#lastUse[this.#hand] ?? 0) < (this.#lastUse[oldest] ?? 0)) oldest = this.#hand;
      this.#hand = (this.#hand + 1) % this.count;
    }
    return oldest;
  }
}
