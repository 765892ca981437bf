import { AbortWatch } from '../abort-watch.js';
import { SealcastError } from '../errors.js';

const watch = new AbortWatch();

const abortedError = (signal: AbortSignal): SealcastError =>
  new SealcastError('ERR_ABORTED', 'the call was aborted', { cause: signal.reason });

/**
 * Waits for work that others share: it goes on when one of them is no longer interested in it.
 *
 * @throws SealcastError ERR_ABORTED (cause: the signal's reason) once the signal fires; before it begins, if it has fired.
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
