import type {
  AccountTransport,
  DoneOutcome,
  PreKeyCountOutcome,
  ProfileOutcome,
  TransportListener,
} from 'sealcast';
import { CountingTransport } from '../broadcast/counting-transport.js';

const NOTHING = { status: 'unavailable' } as const;
const OK = 200;

/**
 * A service that delivers its queue, a window of unacknowledged messages at a time. It counts the
 * acknowledgements.
 */
export class DeliveringTransport extends CountingTransport implements AccountTransport {
  acknowledged = 0;
  redeliveries = 0;
  readonly #window: number;
  #listener: TransportListener | undefined;
  /** Not acknowledged yet, in their order; those on their way come first. */
  #queue: { readonly bytes: Uint8Array<ArrayBuffer>; isDone: boolean }[] = [];
  /** The first that is not on its way, and how many that are on their way are not acknowledged. */
  #next = 0;
  #underway = 0;
  /** An acknowledgement over a connection that is gone counts for nothing. */
  #connection = 0;
  #onAcknowledged: () => void = () => undefined;

  /** @param window letters; the real service has 256 on their way. */
  constructor(window: number) {
    super(new Uint8Array(0));
    this.#window = window;
  }

  /** Resolves when all of them are acknowledged. */
  deliver(letters: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    const all = this.acknowledged + letters.length;
    this.#queue = letters.map((bytes) => ({ bytes, isDone: false }));
    this.#next = 0;
    this.#underway = 0;
    return new Promise((resolve) => {
      this.#onAcknowledged = () => {
        if (this.acknowledged === all) resolve();
      };
      this.#send();
    });
  }

  #send(): void {
    while (this.#underway < this.#window && this.#next < this.#queue.length) {
      const letter = this.#queue[this.#next++];
      if (letter === undefined) return;
      const connection = this.#connection;
      this.#underway += 1;
      const send = (status: number): void => {
        if (connection !== this.#connection) throw new Error('the connection is gone');
        if (status !== OK || letter.isDone)
          throw new Error('a letter is acknowledged once, with 200');
        letter.isDone = true;
        this.#underway -= 1;
        this.acknowledged += 1;
        this.#onAcknowledged();
        this.#send();
      };
      this.#listener?.onIncomingMessage?.(letter.bytes, Date.now(), { send });
    }
  }

  receive(listener: TransportListener): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }
  /** A new connection: what is not acknowledged comes again. */
  redeliver(): void {
    this.redeliveries += 1;
    this.#connection += 1;
    this.#queue = this.#queue.filter(({ isDone }) => !isDone);
    this.#next = 0;
    this.#underway = 0;
    this.#listener?.onConnectionInterrupted?.(null);
    setImmediate(() => this.#send());
  }

  fetchProfile(): Promise<ProfileOutcome> {
    return Promise.resolve(NOTHING);
  }
  countPreKeys(): Promise<PreKeyCountOutcome> {
    return Promise.resolve(NOTHING);
  }
  uploadPreKeys(): Promise<DoneOutcome> {
    return Promise.resolve(NOTHING);
  }
  setAccountAttributes(): Promise<DoneOutcome> {
    return Promise.resolve(NOTHING);
  }
  setProfile(): Promise<DoneOutcome> {
    return Promise.resolve(NOTHING);
  }
}
