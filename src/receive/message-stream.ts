import { SealcastError } from '../errors.js';
import { Queue } from '../util/queue.js';
import type { InboxCleanup } from './inbox-cleanup.js';
import type { ReceivedMessage } from './types.js';
import { keepProcessAlive } from '../util/clock.js';

/** A message, and its row in the inbox. */
export interface PendingMessage {
  readonly key: string;
  readonly message: ReceivedMessage;
}

/**
 * Limits of ready messages, and of bytes of their contents. At either no further envelopes are
 * opened.
 */
const MAX_MESSAGES = 1024;
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Messages on their way to the caller that iterates. One is dealt with when the next one is asked
 * for; a caller that leaves the loop in the middle of one gets it again.
 */
export class MessageStream {
  readonly #ready = new Queue<PendingMessage>();
  readonly #cleanup: Pick<InboxCleanup, 'add'>;
  #bytes = 0;
  #iterating = false;
  #ended: { readonly error: unknown } | undefined;
  /** Whether messages that are ready are still given out after the end. */
  #isDraining = false;
  #isLast = false;
  #onReady: (() => void) | undefined;
  #onRoom: (() => void)[] = [];
  /** Whether no caller will iterate: messages are learned from, and dropped. */
  isDiscarding = false;

  constructor(cleanup: Pick<InboxCleanup, 'add'>) {
    this.#cleanup = cleanup;
  }

  get length(): number {
    return this.#ready.length;
  }

  push(given: readonly PendingMessage[]): void {
    for (const each of given) {
      if (this.isDiscarding) this.#cleanup.add(each.key);
      else {
        this.#ready.push(each);
        this.#bytes += each.message.contentBytes.length;
      }
    }
    this.#onReady?.();
  }

  /** Resolves when further messages may follow. */
  async room(): Promise<void> {
    while (this.#isFull() && this.#ended === undefined && !this.#isLast) {
      await new Promise<void>((resolve) => {
        this.#onRoom.push(resolve);
      });
    }
  }

  #isFull(): boolean {
    return this.#ready.length >= MAX_MESSAGES || this.#bytes >= MAX_BYTES;
  }

  #releaseWaiting(): void {
    const waiting = this.#onRoom;
    this.#onRoom = [];
    for (const release of waiting) release();
  }

  /** Discards messages: no caller iterates from now on. */
  discard(): void {
    if (this.#iterating) throw iteratedError();
    this.isDiscarding = true;
    for (let given = this.#take(); given !== undefined; given = this.#take())
      this.#cleanup.add(given.key);
  }

  /**
   * Ends at once. Messages that were not dealt with are given out the next time.
   *
   * @param error that stopped it; undefined when it was closed.
   */
  end(error?: unknown): void {
    this.#ended ??= { error };
    this.#isDraining = false;
    this.#onReady?.();
    this.#releaseWaiting();
  }

  /** Announces the end: only batches in work follow, and no producer waits for room. */
  expectEnd(): void {
    this.#isLast = true;
    this.#releaseWaiting();
  }

  /** Ends once the ready messages have been given out, and then throws the error. */
  endAfterReady(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    this.#isDraining = true;
    this.#onReady?.();
  }

  get #isOver(): boolean {
    return this.#ended !== undefined && !(this.#isDraining && this.#ready.peek() !== undefined);
  }

  #take(): PendingMessage | undefined {
    const given = this.#ready.shift();
    if (given !== undefined) this.#bytes -= given.message.contentBytes.length;
    if (!this.#isFull()) this.#releaseWaiting();
    return given;
  }

  /** Waits for the next push, and keeps the process alive meanwhile. */
  async #nextPush(): Promise<void> {
    const release = keepProcessAlive();
    await new Promise<void>((resolve) => {
      this.#onReady = resolve;
    });
    release();
  }

  async *iterate(): AsyncGenerator<ReceivedMessage, void, void> {
    if (this.#iterating || this.isDiscarding) throw iteratedError();
    this.#iterating = true;
    try {
      while (!this.#isOver) {
        const given = this.#ready.peek();
        if (given === undefined) {
          await this.#nextPush();
          continue;
        }
        yield given.message;
        this.#take();
        this.#cleanup.add(given.key);
      }
      if (this.#ended?.error !== undefined) throw this.#ended.error as Error;
    } finally {
      this.#iterating = false;
    }
  }
}

function iteratedError(): SealcastError {
  return new SealcastError(
    'ERR_INVALID_ARGUMENT',
    'messages are iterated by one at a time, or discarded',
  );
}
