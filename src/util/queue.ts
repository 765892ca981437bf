/** Empty places at the front before the queue is moved up. */
const PLACES_KEPT = 4096;

/**
 * A queue whose front can be taken at no cost, however long it is. A taken entry is released at
 * once.
 */
export class Queue<T extends object> {
  #items: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#first];
  }

  /** Puts back what was taken last. */
  unshift(item: T): void {
    if (this.#first > 0) this.#items[--this.#first] = item;
    else this.#items.unshift(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#items[this.#first] = undefined;
    this.#first += 1;
    if (this.#first === this.#items.length) this.clear();
    else if (this.#first >= PLACES_KEPT && this.#first * 2 >= this.#items.length) {
      // Half of it is empty: moving the other half up costs as much as was taken since the last
      // time.
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#first = 0;
  }
}
