/** Map of bounded size: the entry that was used longest ago makes room for a new one. */
export class LruMap<Key, Value> {
  readonly #maxSize: number;
  /** In the order of use: a Map keeps that of insertion. */
  readonly #entries = new Map<Key, Value>();

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** The value, without a use of the entry. */
  peek(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  /** @returns the entry that made room, if one had to. */
  set(key: Key, value: Value): readonly [Key, Value] | undefined {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#maxSize) return undefined;
    for (const oldest of this.#entries) {
      this.#entries.delete(oldest[0]);
      return oldest;
    }
    return undefined;
  }
}

/** The most recent names, at most `max` of them; the oldest are forgotten. */
export class RecentSet {
  readonly #names: LruMap<string, true>;

  constructor(max: number) {
    this.#names = new LruMap(max);
  }

  /** @returns whether it is a new one. */
  add(name: string): boolean {
    // A repeated name is no newer: the order is that of the first time.
    if (this.#names.peek(name) !== undefined) return false;
    this.#names.set(name, true);
    return true;
  }
}
