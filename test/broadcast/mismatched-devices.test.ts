import { describe, expect, test } from 'vitest';
import { refusalOfAnswer } from '#dist/src/transport/mapping/http.js';

const answer = (body: object): Parameters<typeof refusalOfAnswer>[0] => ({
  status: 409,
  headers: [],
  body: Buffer.from(JSON.stringify(body)),
});
const idsUpTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe('the devices of a 409', () => {
  test('are ids from 1 to 127, each once', () => {
    const given = { missingDevices: [2, 2, 127], extraDevices: [1], staleDevices: [] };
    const expected = { status: 'mismatched-devices', missing: [2, 127], extra: [1], stale: [] };
    expect(refusalOfAnswer(answer(given))).toEqual(expected);
  });

  test('may be all that there are', () => {
    const missing = idsUpTo(127);
    expect(refusalOfAnswer(answer({ missingDevices: missing }))).toMatchObject({
      status: 'mismatched-devices',
      missing,
    });
  });

  test.each([
    ['0', [0]],
    ['128', [128]],
    ['a fraction', [1.5]],
    ['a negative number', [-1]],
    ['a text', ['1']],
    ['null', [null]],
    ['thousands', idsUpTo(30_000)],
    ['one id thousands of times', new Array<number>(30_000).fill(1)],
  ])('that are no such ids are not acted on: %s', (_name, missingDevices) => {
    expect(refusalOfAnswer(answer({ missingDevices }))).toEqual({
      status: 'rejected',
      httpStatus: 409,
    });
  });
});
