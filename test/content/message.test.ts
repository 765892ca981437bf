import {
  decodeContent,
  encodeContent,
  encodeMessage,
  messageError,
  withRecipientParts,
} from '#dist/src/content/index.js';
import { expect, test } from 'vitest';

const TIMESTAMP = 1_795_000_000_000;
const profileKey = new Uint8Array(32).fill(7);
const message = encodeMessage({ body: 'ünïcode 🎉' }, TIMESTAMP);

test("a message has its text and timestamp, and nothing that is a recipient's own", () => {
  const { dataMessage } = decodeContent(message);
  expect(dataMessage).toMatchObject({ body: 'ünïcode 🎉', timestamp: BigInt(TIMESTAMP) });
  expect(dataMessage).not.toHaveProperty('profileKey');
  expect(dataMessage).not.toHaveProperty('expireTimer');
});

test('a message always has the same bytes', () => {
  expect(encodeMessage({ body: 'ünïcode 🎉' }, TIMESTAMP)).toEqual(message);
  expect(encodeMessage({ body: 'unicode' }, TIMESTAMP)).not.toEqual(message);
  expect(encodeMessage({ body: 'ünïcode 🎉' }, TIMESTAMP + 1)).not.toEqual(message);
});

test.each([
  [
    'neither a profile key nor a timer',
    { profileKey: undefined, expireTimer: 0, expireTimerVersion: 0 },
    {},
  ],
  ['a profile key', { profileKey, expireTimer: 0, expireTimerVersion: 0 }, { profileKey }],
  [
    'a timer that was switched off',
    { profileKey, expireTimer: 0, expireTimerVersion: 3 },
    { profileKey, expireTimer: 0, expireTimerVersion: 3 },
  ],
  [
    'a timer',
    { profileKey, expireTimer: 3600, expireTimerVersion: 2 },
    { profileKey, expireTimer: 3600, expireTimerVersion: 2 },
  ],
])(
  'a recipient with %s gets the Content that encodeContent makes of all of it',
  (_what, parts, fields) => {
    const whole = encodeContent({
      dataMessage: { body: 'ünïcode 🎉', timestamp: TIMESTAMP, ...fields },
    });
    expect(withRecipientParts(message, parts)).toEqual(whole);
  },
);

test('a message that no client shows is told by its error', () => {
  expect(messageError(message)).toBeUndefined();
  expect(messageError(encodeMessage({ body: 'x'.repeat(2049) }, TIMESTAMP))).toMatchObject({
    code: 'ERR_MESSAGE_TOO_LARGE',
    field: 'message.body',
  });
});

test.each([
  ['that are no protobuf', Uint8Array.of(0x0a, 200)],
  ['without a DataMessage', encodeContent({ senderKeyDistributionMessage: Uint8Array.of(1) })],
])('bytes %s are refused as a damaged record', (_what, content) => {
  const parts = { profileKey, expireTimer: 0, expireTimerVersion: 0 };
  for (const read of [() => messageError(content), () => withRecipientParts(content, parts)]) {
    expect(read).toThrow(expect.objectContaining({ code: 'ERR_STORE_FAILED' }));
  }
});
