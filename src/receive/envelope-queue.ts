import { Queue } from '../util/queue.js';
import type { Redelivery } from './redelivery.js';
import type { MessageAck } from '../transport/account-transport.js';
import { createHash } from 'node:crypto';
import { LruMap } from '../util/lru-map.js';

/** Envelope as the service delivered it, serialized. */
export interface IncomingEnvelope {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether it is to be refused unread; its bytes are gone. */
  readonly isTooLarge?: boolean;
  /** The service's time of the delivery, ms since the epoch. */
  readonly deliveredMs: number;
  readonly ack: MessageAck;
}

/**
 * Limits of the queue. The service itself waits with the next envelope when some 256 are
 * unacknowledged.
 */
const MAX_ENVELOPES = 4096;
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Envelopes that are not opened yet. An envelope beyond the limits is dropped: it is not
 * acknowledged, so the service still has it, and is asked to deliver it again once there is room.
 */
export class EnvelopeQueue {
  readonly #envelopes = new Queue<IncomingEnvelope>();
  readonly #redelivery: Pick<Redelivery, 'settled' | 'request'>;
  #bytes = 0;
  #missed = false;
  #ended = false;
  #onChange: (() => void) | undefined;
  /** Number of envelopes that were dropped. */
  dropped = 0;

  /**
   * @param redelivery asked once it has settled: envelopes taken from here must not be delivered
   *   again.
   */
  constructor(redelivery: Pick<Redelivery, 'settled' | 'request'>) {
    this.#redelivery = redelivery;
  }

  get length(): number {
    return this.#envelopes.length;
  }

  push(incoming: IncomingEnvelope): void {
    if (this.#ended) return;
    // In order, or not at all: once one was dropped, those behind it are dropped too, until it has
    // come again.
    if (this.#missed || this.#isFull(incoming)) {
      this.#missed = true;
      this.dropped += 1;
      this.#onChange?.();
      return;
    }
    this.#envelopes.push(incoming);
    this.#bytes += incoming.bytes.length;
    this.#onChange?.();
  }

  /**
   * Whether an envelope exceeds the limits. An empty queue takes any envelope: it would come again
   * and again.
   */
  #isFull({ bytes }: IncomingEnvelope): boolean {
    if (this.#envelopes.length === 0) return false;
    return this.#envelopes.length >= MAX_ENVELOPES || this.#bytes + bytes.length > MAX_BYTES;
  }

  /**
   * Drops all: an envelope that was taken from here is to come again, and those behind it with it.
   */
  giveBack(): void {
    this.forget();
    this.#missed = true;
    this.#onChange?.();
  }

  /**
   * Drops all. The connection is gone, and with it the right to acknowledge: the envelopes come
   * again.
   */
  forget(): void {
    this.#envelopes.clear();
    this.#bytes = 0;
    this.#missed = false;
  }

  end(): void {
    this.#ended = true;
    this.forget();
    this.#onChange?.();
  }

  /**
   * Requests missed envelopes. If the connection was lost meanwhile, they have come again, or will.
   */
  #askAgain(): void {
    if (!this.#missed || this.#ended) return;
    this.#missed = false;
    this.#redelivery.request();
  }

  /**
   * Resolves with up to `count` envelopes of up to `bytes` bytes, as soon as there are any. There
   * is at least one, of any size; at the end there is none.
   */
  async next(count: number, bytes = Infinity): Promise<IncomingEnvelope[]> {
    while (this.#envelopes.length === 0 && !this.#ended) {
      if (this.#missed) {
        await this.#redelivery.settled();
        this.#askAgain();
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    const taken: IncomingEnvelope[] = [];
    let takenBytes = 0;
    while (taken.length < count) {
      const incoming = this.#envelopes.peek();
      if (incoming === undefined) break;
      takenBytes += incoming.bytes.length;
      if (takenBytes > bytes && taken.length > 0) break;
      this.#envelopes.shift();
      this.#bytes -= incoming.bytes.length;
      taken.push(incoming);
    }
    return taken;
  }
}

/** Deliveries in which an envelope cost workers, after which it is given up. */
const MAX_LOSSES = 3;
/** Envelopes that are remembered: the service has at most 256 on their way. */
const MAX_REMEMBERED = 4_096;

/**
 * Envelopes that workers died of. One that does so in each of three deliveries would come again for
 * ever, and hold up the others behind it. The service delivers the same bytes each time, so their
 * hash is the envelope's name. The counts are in memory: another process tries again.
 */
export class LostEnvelopes {
  readonly #losses = new LruMap<string, number>(MAX_REMEMBERED);

  /**
   * Counts another loss.
   *
   * @returns whether it was the last one: the envelope is to be acknowledged.
   */
  isLast({ bytes }: Pick<IncomingEnvelope, 'bytes'>): boolean {
    const name = createHash('sha256').update(bytes).digest('base64');
    const losses = (this.#losses.get(name) ?? 0) + 1;
    this.#losses.set(name, losses);
    return losses >= MAX_LOSSES;
  }
}
