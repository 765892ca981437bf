import { SealcastError } from '../errors.js';

/** Attempts at work whose worker dies, before it is given up. */
const MAX_ATTEMPTS = 3;

/** Whether a worker died with the work that it had. */
export const isWorkerLoss = (error: unknown): boolean =>
  error instanceof SealcastError && error.code === 'ERR_WORKER_LOST';

/**
 * Does work again whose worker died: a death loses what the worker had, and nothing of it was kept.
 *
 * @throws SealcastError ERR_WORKER_LOST after three attempts; what else the work throws, at once.
 */
export async function outliveWorkers<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isWorkerLoss(error) || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

/** Result of work, or `fallback` where the workers that did it died. */
export async function unlessWorkersDied<Result, Fallback>(
  work: Promise<Result>,
  fallback: Fallback,
): Promise<Result | Fallback> {
  try {
    return await work;
  } catch (error) {
    if (isWorkerLoss(error)) return fallback;
    throw error;
  }
}
