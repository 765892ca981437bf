import { createHash } from 'node:crypto';
import { LruMap } from '../util/lru-map.js';
import type { IncomingEnvelope } from './envelope-queue.js';

/** Deliveries in which an envelope cost workers, after which it is not waited for again. */
const MAX_LOSSES = 3;
/** Envelopes that are remembered: the service has 256 on their way at most. */
const MAX_REMEMBERED = 4_096;

/**
 * Envelopes that workers died of. One that does so in each of three deliveries would come again for ever, and hold up the
 * others behind it. The service delivers the same bytes each time, so their hash is the envelope's name. The counts are in
 * memory: another process tries again.
 */
export class LostEnvelopes {
  readonly #losses = new LruMap<string, number>(MAX_REMEMBERED);

  /** Counts one more loss. @returns whether it was the last one: the envelope is to be acknowledged. */
  isLast({ bytes }: Pick<IncomingEnvelope, 'bytes'>): boolean {
    const name = createHash('sha256').update(bytes).digest('base64');
    const losses = (this.#losses.get(name) ?? 0) + 1;
    this.#losses.set(name, losses);
    return losses >= MAX_LOSSES;
  }
}
