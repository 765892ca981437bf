import * as libsignal from '@signalapp/libsignal-client';
import { expect, test } from 'vitest';
import { ManagedConnection } from '#dist/src/transport/chat/managed-connection.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { LibsignalRefusals } from '#dist/src/transport/mapping/libsignal.js';

const { ErrorCode } = libsignal;
const refusals = new LibsignalRefusals(libsignal);
const thrown = (code: number, facts: object = {}): Error =>
  Object.assign(new Error('refused'), { code, ...facts });

test.each([
  ['429', thrown(ErrorCode.RateLimitedError, { retryAfterSecs: 90 }), 90_000],
  ['428', thrown(ErrorCode.RateLimitChallengeError, { retryAfterSecs: 90 }), 90_000],
  [
    '428 without a time',
    thrown(ErrorCode.RateLimitChallengeError, { retryAfterSecs: null }),
    undefined,
  ],
  ['5xx', thrown(ErrorCode.IoError), undefined],
])('%s: how long the service wants to be left alone', (_, error, retryAfterMs) => {
  expect(refusals.retryAfterMs(error)).toBe(retryAfterMs);
});

test.each(['RateLimitedError', 'RateLimitChallengeError'] as const)(
  'a connection that is refused with %s is not tried again before its Retry-After',
  async (name) => {
    const clock = new ManualClock();
    let attempts = 0;
    const lane = new ManagedConnection({
      connect: async (listener) => {
        attempts += 1;
        if (attempts > 1) throw thrown(ErrorCode[name], { retryAfterSecs: 90 });
        // Lost as soon as it is there.
        setImmediate(() => listener.onConnectionInterrupted(null));
        return Promise.resolve({ disconnect: () => Promise.resolve() });
      },
      refusals,
      backoff: { random: () => 0 },
      clock,
      onChange: () => undefined,
    });
    await lane.connect();
    await clock.passInTurns(10);
    expect(attempts).toBe(2);
    await clock.passInTurns(89_000);
    expect(attempts).toBe(2);
    await clock.passInTurns(20_000);
    expect(attempts).toBe(3);
    await lane.close();
  },
);

test.each([
  ['DeviceDelinked', 'delinked'],
  ['ConnectedElsewhere', 'connected-elsewhere'],
  ['AppExpired', 'expired'],
  ['ChatServiceInactive', undefined],
] as const)('why %s refuses the client for good: %s', (name, reason) => {
  expect(refusals.reasonOf(thrown(ErrorCode[name]))).toBe(reason);
});
