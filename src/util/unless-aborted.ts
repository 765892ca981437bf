import { AbortWatch } from './abort-watch.js';
import { SealcastError } from '../errors.js';

const watch = new AbortWatch();

const abortedError = (signal: AbortSignal): SealcastError =>
  new SealcastError('ERR_ABORTED', 'the call was aborted', { cause: signal.reason });

/**
 * Waits for work that others share: it goes on when one of them is no longer interested in it.
 *
 * @throws SealcastError ERR_ABORTED (cause: the signal's reason) once the signal fires; before it
 *   begins, if it has fired.
 */
export async function unlessAborted<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (signal === undefined) return work();
  if (signal.aborted) throw abortedError(signal);
  let unwatch = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    unwatch = watch.add(signal, () => reject(abortedError(signal)));
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    unwatch();
  }
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
