/**
 * Lengths of two prefixes of a place. The first names the part of the store in which a recipient's
 * rows are; the second is all that they are sorted by.
 */
const PART_CHARACTERS = 2;
const PLACE_CHARACTERS = 8;
/** Recipients above which `add` waits: some 20 MB. */
const HIGH_WATER = 262_144;

/**
 * Recipients that wait for their chunk, given out roughly in the order of the store's keys.
 * Neighbors there share pages, so that a transaction on a chunk writes a few of them, and not one
 * for each recipient (measured: 100,000 recipients, 2026-11: half of the cost).
 */
export class ChunkQueue {
  readonly #placeOf: ((serviceId: string) => string) | undefined;
  /** Places, each with its service id behind it. */
  readonly #parts = new Map<string, string[]>();
  /** Names of the parts that are still to come in this round. */
  #round: string[] = [];
  #size = 0;
  #ended = false;
  #onChange: (() => void) | undefined;
  #onRoom: (() => void) | undefined;

  /**
   * @param placeOf place of a recipient's rows in the store (`Store.orderOf`); absent: in the order
   *   of the service ids.
   */
  constructor(placeOf?: (serviceId: string) => string) {
    this.#placeOf = placeOf;
  }

  /** Resolves when more may follow. */
  async add(serviceIds: readonly string[]): Promise<void> {
    for (const serviceId of serviceIds) {
      const place =
        this.#placeOf?.(serviceId).slice(0, PLACE_CHARACTERS).padEnd(PLACE_CHARACTERS) ?? '';
      const placed = place + serviceId;
      const name = placed.slice(0, PART_CHARACTERS);
      const part = this.#parts.get(name);
      if (part === undefined) this.#parts.set(name, [placed]);
      else part.push(placed);
    }
    this.#size += serviceIds.length;
    this.#onChange?.();
    if (this.#size <= HIGH_WATER || this.#ended) return;
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
    });
  }

  /** Ends the queue: nothing follows. */
  end(): void {
    this.#ended = true;
    this.#onChange?.();
    this.#onRoom?.();
  }

  /** Resolves with up to `count` recipients, as soon as there are any; with none at the end. */
  async next(count: number): Promise<string[]> {
    while (this.#size === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    const taken = this.#take(count);
    if (this.#size <= HIGH_WATER) this.#onRoom?.();
    return taken;
  }

  #take(count: number): string[] {
    const taken: string[] = [];
    while (taken.length < count && this.#size > 0) {
      if (this.#round.length === 0) this.#round = [...this.#parts.keys()].sort().reverse();
      const name = this.#round.at(-1) ?? '';
      const part = this.#parts.get(name)?.sort() ?? [];
      const some = part.splice(0, count - taken.length);
      if (part.length === 0) {
        this.#parts.delete(name);
        this.#round.pop();
      }
      for (const placed of some)
        taken.push(this.#placeOf === undefined ? placed : placed.slice(PLACE_CHARACTERS));
      this.#size -= some.length;
    }
    return taken;
  }
}
