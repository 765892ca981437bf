import { expect, describe, test } from 'vitest';
import {
  checkMessage,
  encodeMessage,
  encodeNoteToSelf,
  POINTER_RULES,
  readMessage,
} from '#dist/src/content/index.js';
import { dataMessageParams, signalContent, signalDataMessage } from '../harness/signal-contents.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import { ACI, ACI_BYTES, field, NO_ATTACHMENT, signal } from './signal-messages.js';

const pointer = (fields: object): never => ({ ...NO_ATTACHMENT, ...fields }) as never;
const stored = {
  attachmentIdentifier: { cdnKey: 'a-key' },
  key: new Uint8Array(64).fill(1),
  digest: new Uint8Array(32).fill(2),
  size: 70_000,
};
const bold = (start: number, length: number): never =>
  ({ start, length, associatedValue: { style: signal.BodyRange.Style.BOLD } }) as never;
const mention = (start: number, length: number, associatedValue: object): never =>
  ({ start, length, associatedValue }) as never;
/** A data message with one field that holds these bytes. */
const withField = (id: number, bytes: Uint8Array, body = 'text'): Uint8Array => {
  const inner = Buffer.concat([
    field(1, (writer) => writer.string(body)),
    field(id, (writer) => writer.bytes(bytes)),
  ]);
  return field(1, (writer) => writer.bytes(inner));
};

describe('readMessage', () => {
  test('gives nothing for a Content without a message', () => {
    expect(readMessage(new Uint8Array())).toBeUndefined();
    const typing = {
      timestamp: 5n,
      action: signal.TypingMessage.Action.STARTED,
      groupId: null,
    };
    expect(readMessage(signalContent({ typingMessage: typing }))).toBeUndefined();
  });

  test('reads an edit with the timestamp of the message that it replaces', () => {
    const editMessage = {
      targetSentTimestamp: 7n,
      dataMessage: dataMessageParams({ body: 'better', timestamp: 9n }),
    };
    expect(readMessage(signalContent({ editMessage }))).toEqual({ body: 'better', edits: 7 });
  });

  test('reads what another device of ours sent', () => {
    const note = encodeNoteToSelf({ aci: ACI, body: 'to myself', timestamp: 5 });
    expect(readMessage(note)).toEqual({ body: 'to myself' });
  });

  test('reads a deletion, a vote and the end of a poll', () => {
    const deletion = signalDataMessage({ delete: { targetSentTimestamp: 12n } });
    expect(readMessage(deletion)).toEqual({ deletes: 12 });
    const pollVote = {
      targetAuthorAciBinary: ACI_BYTES,
      targetSentTimestamp: 13n,
      optionIndexes: [0, 2],
      voteCount: 3,
    };
    expect(readMessage(signalDataMessage({ pollVote }))).toEqual({
      pollVote: { author: ACI, timestamp: 13, options: [0, 2], count: 3 },
    });
    const pollTerminate = { targetSentTimestamp: 14n };
    expect(readMessage(signalDataMessage({ pollTerminate }))).toEqual({ pollEnd: 14 });
  });

  test('gives the long text apart from the attachments', () => {
    const attachments = [
      pointer({ ...stored, contentType: 'text/x-signal-plain', cdnNumber: 3 }),
      pointer({ ...stored, contentType: 'audio/aac', flags: 1 }),
    ];
    expect(readMessage(signalDataMessage({ body: 'the beginning', attachments }))).toEqual({
      body: 'the beginning',
      longText: {
        cdnKey: 'a-key',
        cdnNumber: 3,
        key: stored.key,
        digest: stored.digest,
        size: 70_000,
        contentType: 'text/x-signal-plain',
      },
      attachments: [
        {
          contentType: 'audio/aac',
          sizeBytes: 70_000,
          voiceMessage: true,
          pointer: {
            cdnKey: 'a-key',
            cdnNumber: 0,
            key: stored.key,
            digest: stored.digest,
            size: 70_000,
            contentType: 'audio/aac',
            flags: 1,
          },
        },
      ],
    });
  });

  test.each([
    ['without a key', { key: null }],
    ['with a short key', { key: new Uint8Array(63) }],
    ['without a digest', { digest: null }],
    ['without a size', { size: null }],
    ['without a place', { attachmentIdentifier: null }],
    ['with the id 0', { attachmentIdentifier: { cdnId: 0n } }],
  ])('gives an attachment %s without a pointer', (_, fields) => {
    const attachments = [pointer({ ...stored, contentType: 'image/png', ...fields })];
    const read = readMessage(signalDataMessage({ attachments }));
    expect(read?.attachments).toHaveLength(1);
    expect(read?.attachments?.[0]).toMatchObject({ contentType: 'image/png' });
    expect(read?.attachments?.[0]).not.toHaveProperty('pointer');
  });

  test('reads mentions in both forms, and leaves out ranges that go beyond the text', () => {
    const bodyRanges = [
      bold(0, 2),
      bold(1, 2),
      bold(0, 0),
      mention(0, 1, { mentionAci: ACI.toUpperCase() }),
      mention(1, 1, { mentionAciBinary: ACI_BYTES }),
    ];
    expect(readMessage(signalDataMessage({ body: 'ab', bodyRanges }))).toEqual({
      body: 'ab',
      bodyRanges: [{ start: 0, length: 2, style: 'bold' }],
      mentions: [
        { start: 0, length: 1, aci: ACI },
        { start: 1, length: 1, aci: ACI },
      ],
      unread: ['bodyRanges'],
    });
  });

  test('reads 250 of a thousand ranges, as clients do', () => {
    const bodyRanges = Array.from({ length: 1_000 }, (_, i) => bold(i, 1));
    const read = readMessage(signalDataMessage({ body: 'x'.repeat(1_000), bodyRanges }));
    expect(read?.bodyRanges).toHaveLength(250);
    expect(read?.unread).toEqual(['bodyRanges']);
  });

  test('gives no preview of a link that is not in the text', () => {
    const preview = (url: string) => ({
      url,
      title: 'A bank',
      image: null,
      description: null,
      date: null,
    });
    const of = (urls: readonly string[]) =>
      readMessage(
        signalDataMessage({ body: 'see https://a.example/', preview: urls.map(preview) }),
      );
    expect(of(['https://b.example/'])).toMatchObject({ unread: ['preview'] });
    expect(of(['https://b.example/'])).not.toHaveProperty('preview');
    expect(of(['https://b.example/', 'https://a.example/'])).toEqual({
      body: 'see https://a.example/',
      preview: { url: 'https://a.example/', title: 'A bank' },
    });
  });

  test('gives no time that no date can have', () => {
    const deletion = signalDataMessage({ delete: { targetSentTimestamp: 2n ** 63n } });
    expect(readMessage(deletion)).toEqual({ unread: ['delete'] });
  });

  test.each([
    [8, 'quote'],
    [9, 'contact'],
    [10, 'preview'],
    [11, 'sticker'],
    [18, 'bodyRanges'],
    [20, 'payment'],
    [21, 'storyContext'],
    [22, 'giftBadge'],
    [24, 'pollCreate'],
    [25, 'pollTerminate'],
    [26, 'pollVote'],
    [31, 'field 31'],
  ])('names field %i, %s, where it cannot be read, and reads the rest', (id, part) => {
    for (const bytes of [Uint8Array.of(), Uint8Array.of(0xff), Uint8Array.of(0x0a, 0x7f)])
      expect(readMessage(withField(id, bytes))).toEqual({ body: 'text', unread: [part] });
  });

  test('reads or refuses spoiled messages, with no other error', () => {
    const random = seededBytes('read-message');
    const whole = encodeMessage(
      checkMessage(
        {
          body: 'see https://a.example/',
          bodyRanges: [{ start: 0, length: 3, style: 'bold' }],
          mentions: [{ start: 0, length: 1, aci: ACI }],
          preview: { url: 'https://a.example/', title: 'A' },
          quote: { author: ACI, timestamp: 5, text: 'so', attachments: [{ fileName: 'a' }] },
          expireTimer: 5,
        },
        POINTER_RULES,
      ),
      6,
    );
    let read = 0;
    for (let round = 0; round < 3000; round++) {
      const bytes = Uint8Array.from(whole);
      for (let i = 0; i < 1 + (round % 3); i++)
        bytes[seededInteger(random, bytes.length)] = seededInteger(random, 256);
      try {
        readMessage(bytes);
        read += 1;
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_INVALID_ENVELOPE' });
      }
    }
    expect(read).toBeGreaterThan(300);
  });
});
