import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Gives the event loop turns until the condition holds, however long that takes: the test's own
 * limit ends a hang.
 */
export async function untilTrue(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await nextTurn();
}

/**
 * Gives the event loop so many turns that whatever it had in hand, and what that started, has
 * happened.
 */
export async function manyTurns(turns = 200): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await nextTurn();
}

/** Fails, rather than hang, when a promise takes far longer than it ever should. */
export async function neverHangs<T>(
  promise: Promise<T>,
  what: string,
  limitMs = 300_000,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what} hangs: not over after ${limitMs} ms`)),
      limitMs,
    );
  });
  try {
    return await Promise.race([promise, hang]);
  } finally {
    clearTimeout(timer);
  }
}
