/**
 * Batches of newcomers, made as they are needed. All readers get the same ones in the same rounds,
 * each with a Sealer of its own to which they are new: making them takes longer than the measured
 * work.
 */
export class SharedBatches<T> {
  readonly #make: () => T | Promise<T>;
  readonly #batches: Promise<T>[] = [];

  constructor(make: () => T | Promise<T>) {
    this.#make = make;
  }

  /** Gives the next batch at every call. */
  reader(): () => Promise<T> {
    let round = 0;
    return () => {
      const batch = (this.#batches[round] ??= Promise.resolve(this.#make()));
      round += 1;
      return batch;
    };
  }
}
