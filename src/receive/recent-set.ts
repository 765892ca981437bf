import { LruMap } from '../util/lru-map.js';

/** Names that came lately; of more than so many, the oldest are forgotten. */
export class RecentSet {
  readonly #names: LruMap<string, true>;

  constructor(max: number) {
    this.#names = new LruMap(max);
  }

  /** @returns whether it is a new one. */
  add(name: string): boolean {
    // What comes again is no newer: the order is that of the first time.
    if (this.#names.peek(name) !== undefined) return false;
    this.#names.set(name, true);
    return true;
  }
}
