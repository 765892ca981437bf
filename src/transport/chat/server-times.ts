import { parseHttpDate } from '../../util/service-wait.js';
import type { HttpAnswer } from '../mapping/http.js';
import type { ServerTime } from '../transport.js';

/** The service's own header: ms since the epoch. */
const TIMESTAMP_HEADER = 'x-signal-timestamp';
/** `date` tells whole seconds, and so is half a second early on average. */
const HALF_SECOND_MS = 500;

/**
 * When the service answered, by its own clock, ms since the epoch; undefined where the answer does
 * not tell.
 */
export function serverMsOf({ headers }: HttpAnswer): number | undefined {
  const header = (wanted: string): string | undefined =>
    headers.find(([name]) => name.toLowerCase() === wanted)?.[1].trim();
  const timestamp = header(TIMESTAMP_HEADER);
  if (timestamp !== undefined && /^\d{1,16}$/.test(timestamp)) return Number(timestamp);
  const dateMs = parseHttpDate(header('date'));
  return dateMs === undefined ? undefined : dateMs + HALF_SECOND_MS;
}

/** Times in the service's answers, and the listeners that hear of them. */
export class ServerTimes {
  readonly #listeners = new Set<(time: ServerTime) => void>();

  /** @returns a call that ends it. */
  add(listener: (time: ServerTime) => void): () => void {
    // A function of its own, so that one listener may be added twice.
    const own = (time: ServerTime): void => listener(time);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /**
   * Takes an answer that has just come. A listener's exception is thrown at the process: the answer
   * is not lost.
   */
  note(answer: HttpAnswer, roundTripMs: number): void {
    if (this.#listeners.size === 0) return;
    const serverMs = serverMsOf(answer);
    if (serverMs === undefined) return;
    for (const listener of this.#listeners) {
      try {
        listener({ serverMs, roundTripMs });
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
