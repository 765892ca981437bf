import { getEventListeners } from 'node:events';
import { SYSTEM_CLOCK } from '#dist/src/util/clock.js';
import { describe, expect, it } from 'vitest';

describe('a sleep on the machine’s clock', () => {
  it('thousands of times on one signal leaves one listener on it, and none afterwards', async () => {
    const controller = new AbortController();
    const reason = new Error('over');
    const sleeping = Array.from({ length: 2_000 }, () =>
      SYSTEM_CLOCK.sleep(1e9, controller.signal),
    );
    const rejected = Promise.all(sleeping.map((one) => expect(one).rejects.toBe(reason)));
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort(reason);
    await rejected;
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    await SYSTEM_CLOCK.sleep(1, new AbortController().signal);
  });

  it('of no time ends in a later turn of the event loop', async () => {
    let turns = 0;
    setImmediate(() => (turns += 1));
    await SYSTEM_CLOCK.sleep(0);
    expect(turns).toBe(1);
  });

  it('whose signal has fired rejects with its reason', async () => {
    const reason = new Error('gone');
    await expect(SYSTEM_CLOCK.sleep(0, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
