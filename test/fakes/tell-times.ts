import type { ServerTime } from 'sealcast';
import type { StandInAccountService } from './stand-in-account-service.js';
import type { StandInService } from './stand-in-service.js';

/** ms since the epoch, also where a test has changed `Date`. */
export const trueNow = (): number => Math.round(performance.timeOrigin + performance.now());

/** What a service tells of its time. */
export interface Telling {
  roundTripMs: number;
  /** Tells it now, as an answer would. */
  tell(): void;
}

/**
 * From now on the service's answers about certificates, prekeys and profiles tell the true time.
 */
export function tellTimes(service: StandInService | StandInAccountService): Telling {
  const listeners = new Set<(time: ServerTime) => void>();
  const telling: Telling = {
    roundTripMs: 0,
    tell: () => {
      for (const listener of listeners)
        listener({ serverMs: trueNow(), roundTripMs: telling.roundTripMs });
    },
  };
  const onServerTime = (listener: (time: ServerTime) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const methods = service as unknown as Record<
    string,
    ((...args: unknown[]) => Promise<{ status: string }>) | undefined
  >;
  for (const name of ['fetchSenderCertificate', 'countPreKeys', 'fetchProfile']) {
    const method = methods[name]?.bind(service);
    if (method === undefined) continue;
    methods[name] = async (...args) => {
      const answer = await method(...args);
      if (answer.status !== 'unavailable') telling.tell();
      return answer;
    };
  }
  Object.assign(service, { onServerTime });
  return telling;
}
