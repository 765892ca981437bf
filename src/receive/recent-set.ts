/** Names that came lately; of more than so many, the oldest are forgotten. */
export class RecentSet {
  readonly #max: number;
  readonly #names = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns whether it is a new one. */
  add(name: string): boolean {
    if (this.#names.has(name)) return false;
    this.#names.add(name);
    if (this.#names.size > this.#max) {
      const oldest = this.#names.values().next();
      if (oldest.done !== true) this.#names.delete(oldest.value);
    }
    return true;
  }
}
