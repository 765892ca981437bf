/** How long rows that can go wait for a batch to take them along. */
const WAIT_MS = 100;
/** More do not wait. */
const MAX_WAITING = 1024;

/** Rows of the inbox that were dealt with: they go with the next batch's transaction, or, if none comes, soon in one of their own. */
export class DoneRows {
  readonly #remove: (keys: readonly string[]) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #keys: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #removing: Promise<void> = Promise.resolve();

  constructor(remove: (keys: readonly string[]) => Promise<void>, onError: (error: unknown) => void) {
    this.#remove = remove;
    this.#onError = onError;
  }

  add(key: string): void {
    this.#keys.push(key);
    if (this.#keys.length >= MAX_WAITING) this.#flush();
    else {
      this.#timer ??= setTimeout(() => this.#flush(), WAIT_MS);
    }
  }

  /** All of them, to be taken out by whoever asks. */
  take(): readonly string[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const keys = this.#keys;
    this.#keys = [];
    return keys;
  }

  #flush(): void {
    const keys = this.take();
    if (keys.length === 0) return;
    this.#removing = Promise.all([this.#removing, this.#remove(keys)]).then(
      () => undefined,
      (error: unknown) => this.#onError(error),
    );
  }

  async close(): Promise<void> {
    this.#flush();
    await this.#removing;
  }
}
