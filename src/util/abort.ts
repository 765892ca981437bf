import { AbortWatch } from './abort-watch.js';
import { SealcastError } from '../errors.js';

const watch = new AbortWatch();

const abortedError = (signal: AbortSignal): SealcastError =>
  new SealcastError('ERR_ABORTED', 'the call was aborted', { cause: signal.reason });

async function race<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal | undefined,
  errorOf: (signal: AbortSignal) => Error,
): Promise<Result> {
  if (signal === undefined) return work();
  if (signal.aborted) throw errorOf(signal);
  let unwatch = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    unwatch = watch.add(signal, () => reject(errorOf(signal)));
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    unwatch();
  }
}

/**
 * Waits for work that others share: it goes on when one of them is no longer interested in it.
 *
 * @throws SealcastError ERR_ABORTED (cause: the signal's reason) once the signal fires; before it
 *   begins, if it has fired.
 */
export function unlessAborted<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  return race(work, signal, abortedError);
}

/** As {@link unlessAborted}, but rejects with the signal's own reason. */
export function untilAborted<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  return race(work, signal, ({ reason }) => reason as Error);
}

/**
 * Runs `work` with a signal that fires as soon as one of these does; they may live on, and nothing
 * of it is left on them.
 */
export async function withAnySignal<Result>(
  signals: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const unwatches = signals.map((signal) => {
    if (signal?.aborted === true) controller.abort(signal.reason);
    return signal && watch.add(signal, () => controller.abort(signal.reason));
  });
  try {
    return await work(controller.signal);
  } finally {
    for (const unwatch of unwatches) unwatch?.();
  }
}
