import type { SealcastError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { Emitter } from '../util/event-relay.js';

/** Longest time that sends wait for the answer whether the profile key is right, ms. */
const MAX_DOUBT_MS = 10_000;

/**
 * The account's profile key, and whether messages carry it.
 *
 * | state    | messages carry | sends | left by                                                   |
 * | -------- | -------------- | ----- | --------------------------------------------------------- |
 * | sure     | the key        | begin | doubt: another device of ours says that it may be another |
 * | doubted  | the key        | wait  | settle: a look found the present key; withhold: it could  |
 * |          |                |       | not, or takes long                                        |
 * | withheld | none           | begin | settle                                                    |
 *
 * Messages are encrypted in each of them. One that carries another key than messages do when its
 * turn comes is encrypted once more.
 */
export class OwnProfileKey {
  readonly #clock: Clock;
  #stored: Uint8Array | undefined;
  #state: 'sure' | 'doubted' | 'withheld';
  #revision = 0;
  #endDoubt: () => void = () => undefined;
  #settled: Promise<void> = Promise.resolve();
  readonly #losses = new Emitter<SealcastError>();
  #loss: SealcastError | undefined;

  /** @param isDoubted whether the store has a doubt that no look has settled. */
  constructor(stored: Uint8Array | undefined, isDoubted: boolean, clock: Clock) {
    this.#stored = stored;
    this.#state = isDoubted ? 'withheld' : 'sure';
    this.#clock = clock;
  }

  /** Key of the account, as the store has it. */
  get stored(): Uint8Array | undefined {
    return this.#stored;
  }

  /** Key that messages carry; undefined: they carry none. */
  get carried(): Uint8Array | undefined {
    return this.#state === 'withheld' ? undefined : this.#stored;
  }

  /** Number of doubts so far: a look that began before the latest one does not settle it. */
  get revision(): number {
    return this.#revision;
  }

  get isSure(): boolean {
    return this.#state === 'sure';
  }

  /** Whether sends wait. */
  get isDoubted(): boolean {
    return this.#state === 'doubted';
  }

  /** Resolves when sends may begin. */
  settled(): Promise<void> {
    return this.#settled;
  }

  /** Notes that the key may have been replaced. */
  doubt(): void {
    this.#revision += 1;
    if (this.#state !== 'sure') return;
    this.#state = 'doubted';
    this.#settled = new Promise((resolve) => {
      const cancel = this.#clock.setTimeout(() => this.withhold(), MAX_DOUBT_MS);
      this.#endDoubt = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Has messages carry no key until a look settles the doubt, if there is one. */
  withhold(): void {
    if (this.#state !== 'doubted') return;
    this.#state = 'withheld';
    this.#endDoubt();
  }

  /** Notes that the stored key is the present one. @param revision at the beginning of the look */
  settle(revision: number): void {
    if (revision !== this.#revision) return;
    this.#state = 'sure';
    this.#endDoubt();
  }

  /** Replaces the key; the caller has stored it. @param profileKey 32 bytes; undefined: none */
  replace(profileKey: Uint8Array | undefined): void {
    this.#stored = profileKey && Uint8Array.from(profileKey);
  }

  /** Notes why the present key is not to be had. @returns whether it was not lost before. */
  lose(why: SealcastError): boolean {
    if (this.#loss !== undefined) return false;
    this.#loss = why;
    this.#losses.emit(why);
    return true;
  }

  /** Notes that the present key is known. */
  found(): void {
    this.#loss = undefined;
  }

  /** Notifies of losses, of the present one first. @returns a call that ends it. */
  subscribe(listener: (why: SealcastError) => void): () => void {
    if (this.#loss !== undefined) listener(this.#loss);
    return this.#losses.subscribe(listener);
  }

  /** Ends the wait of sends. */
  close(): void {
    this.#endDoubt();
  }
}
