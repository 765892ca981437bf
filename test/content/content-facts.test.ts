import { describe, expect, test } from 'vitest';
import {
  decodeContent,
  expireTimerOf,
  profileKeyOf,
  type Content,
} from '#dist/src/content/index.js';
import { signalDataMessage } from '../harness/signal-contents.js';
import { ACI, profileKey } from './signal-messages.js';

describe('profileKeyOf', () => {
  const short = new Uint8Array(31);

  test.each<[string, Content, boolean]>([
    ['a data message', { dataMessage: { profileKey } }, true],
    ['an edit', { editMessage: { dataMessage: { profileKey } } }, true],
    ['a story', { storyMessage: { profileKey } }, true],
    [
      'a story beside a data message whose key is none',
      { dataMessage: { profileKey: short }, storyMessage: { profileKey } },
      true,
    ],
    ['a data message whose key is too short', { dataMessage: { profileKey: short } }, false],
    ['a story whose key is too long', { storyMessage: { profileKey: new Uint8Array(33) } }, false],
    ['a receipt', { receiptMessage: { type: 'read', timestamps: [] } }, false],
  ])('looks at %s', (_, content, found) => {
    expect(profileKeyOf(content)).toBe(found ? profileKey : undefined);
  });
});

describe('expireTimerOf', () => {
  const timer = { expireTimer: 3600, expireTimerVersion: 3 };

  test.each<[string, Parameters<typeof signalDataMessage>[0], object]>([
    ['a text', { body: 'hi', ...timer }, timer],
    ['the announcement of a new timer', { flags: 2, ...timer }, timer],
    [
      'an announcement that it is off',
      { flags: 2, expireTimerVersion: 3 },
      { expireTimer: 0, expireTimerVersion: 3 },
    ],
    ['a text without a timer', { body: 'hi' }, { expireTimer: 0, expireTimerVersion: 0 }],
    [
      'a text of a client that knows no versions',
      { body: 'hi', expireTimer: 9 },
      { expireTimer: 9, expireTimerVersion: 0 },
    ],
    [
      'an announcement of such a client',
      { flags: 2, expireTimer: 9 },
      { expireTimer: 9, expireTimerVersion: 0 },
    ],
    ['a picture', { attachments: [], isViewOnce: true, ...timer }, timer],
  ])('is told by %s', (_, fields, expected) => {
    expect(expireTimerOf(decodeContent(signalDataMessage(fields)))).toEqual(expected);
  });

  const reaction = {
    emoji: 'x',
    remove: null,
    targetAuthorAci: ACI,
    targetSentTimestamp: 5n,
    targetAuthorAciBinary: null,
  };
  const groupV2 = { masterKey: profileKey, revision: 1, groupChange: null };
  test.each<[string, Parameters<typeof signalDataMessage>[0]]>([
    ['a group’s message', { body: 'hi', groupV2 }],
    ['a group’s announcement', { flags: 2, groupV2 }],
    ['a reaction', { reaction }],
    ['a deletion', { delete: { targetSentTimestamp: 5n } }],
    ['a new profile key', { flags: 4, profileKey }],
    ['the end of a session', { flags: 1 }],
    [
      'a vote',
      {
        pollVote: {
          targetAuthorAciBinary: null,
          targetSentTimestamp: 5n,
          optionIndexes: null,
          voteCount: 1,
        },
      },
    ],
    ['the end of a poll', { pollTerminate: { targetSentTimestamp: 5n } }],
    ['a call in a group', { groupCallUpdate: { eraId: 'x' } }],
  ])('is not told by %s', (_, fields) => {
    expect(
      expireTimerOf(decodeContent(signalDataMessage({ ...timer, ...fields }))),
    ).toBeUndefined();
  });

  test('is not told by a receipt, an edit or a story', () => {
    expect(expireTimerOf({ receiptMessage: { type: 'read', timestamps: [] } })).toBeUndefined();
    expect(expireTimerOf({ editMessage: { dataMessage: timer } })).toBeUndefined();
    expect(expireTimerOf({ storyMessage: { allowsReplies: true } })).toBeUndefined();
  });
});
