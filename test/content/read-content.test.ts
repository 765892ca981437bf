import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  decodeContent,
  encodeContent,
  expireTimerOf,
  profileKeyOf,
} from '#dist/src/content/index.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import { dataMessageParams, signalContent, signalDataMessage } from '../harness/signal-contents.js';
import {
  ACI,
  ACI_BYTES,
  MAX_MESSAGE_BYTES,
  profileKey,
  NO_ATTACHMENT,
  field,
  signal,
} from './signal-messages.js';

describe('decodeContent reads what Signal’s own definitions wrote', () => {
  test('a data message for a group, with all that we know of one', () => {
    const masterKey = new Uint8Array(randomBytes(32));
    const groupChange = new Uint8Array(randomBytes(9));
    const bytes = signalDataMessage({
      body: 'Grüße 🌍',
      flags: 2,
      expireTimer: 60,
      expireTimerVersion: 4,
      profileKey,
      timestamp: 2n ** 63n,
      isViewOnce: true,
      requiredProtocolVersion: 1,
      groupV2: { masterKey, revision: 7, groupChange },
      delete: { targetSentTimestamp: 12n },
      bodyRanges: [],
    });
    expect(decodeContent(bytes)).toEqual({
      dataMessage: {
        body: 'Grüße 🌍',
        flags: 2,
        expireTimer: 60,
        expireTimerVersion: 4,
        profileKey,
        timestamp: 2n ** 63n,
        isViewOnce: true,
        requiredProtocolVersion: 1,
        groupV2: { masterKey, revision: 7, groupChange },
        delete: { targetSentTimestamp: 12n },
      },
    });
  });

  test.each<[string, string | null, Uint8Array<ArrayBuffer> | null, string | undefined]>([
    ['as a string', ACI.toUpperCase(), null, ACI],
    ['in binary', null, ACI_BYTES, ACI],
    ['as both', 'e80f7bbe-5b94-471e-bd8c-2173654ea3d1', ACI_BYTES, ACI],
    ['which is a PNI', `PNI:${ACI}`, null, undefined],
    ['which is none', 'nobody', new Uint8Array(3), undefined],
  ])('a reaction, its author %s', (_, targetAuthorAci, targetAuthorAciBinary, author) => {
    const reaction = {
      emoji: '👍',
      remove: false,
      targetSentTimestamp: 5n,
      targetAuthorAci,
      targetAuthorAciBinary,
    };
    expect(decodeContent(signalDataMessage({ reaction })).dataMessage).toEqual({
      reaction: {
        emoji: '👍',
        remove: false,
        targetSentTimestamp: 5n,
        ...(author !== undefined && { targetAuthorAci: author }),
      },
    });
  });

  test.each([
    [signal.ReceiptMessage.Type.DELIVERY, 'delivery'],
    [signal.ReceiptMessage.Type.READ, 'read'],
    [signal.ReceiptMessage.Type.VIEWED, 'viewed'],
    [17 as never, 17],
    [-1 as never, -1],
    [null, 'delivery'],
  ])('a receipt of type %s', (type, name) => {
    const timestamp = [1n, 1_764_000_000_123n, 2n ** 64n - 1n];
    expect(decodeContent(signalContent({ receiptMessage: { type, timestamp } }))).toEqual({
      receiptMessage: { type: name, timestamps: timestamp },
    });
  });

  test('a receipt that packs its timestamps, and one without any', () => {
    const packed = field(2, (writer) => writer.fork().uint64(5).uint64(6).ldelim());
    const receipt = (inner: Uint8Array): Uint8Array => field(5, (writer) => writer.bytes(inner));
    expect(decodeContent(receipt(packed)).receiptMessage?.timestamps).toEqual([5n, 6n]);
    expect(decodeContent(receipt(new Uint8Array())).receiptMessage).toEqual({
      type: 'delivery',
      timestamps: [],
    });
  });

  test.each([
    [signal.TypingMessage.Action.STARTED, 'started'],
    [signal.TypingMessage.Action.STOPPED, 'stopped'],
    [9 as never, 9],
  ])('a typing message, action %s', (action, name) => {
    const direct = signalContent({ typingMessage: { timestamp: 5n, action, groupId: null } });
    expect(decodeContent(direct)).toEqual({ typingMessage: { timestamp: 5n, action: name } });
    const groupId = new Uint8Array(randomBytes(32));
    const inGroup = signalContent({ typingMessage: { timestamp: 5n, action, groupId } });
    expect(decodeContent(inGroup)).toEqual({
      typingMessage: { timestamp: 5n, action: name, groupId },
    });
  });

  test('an edit, a story, a null message', () => {
    const edit = {
      targetSentTimestamp: 5n,
      dataMessage: dataMessageParams({ body: 'so', timestamp: 6n }),
    };
    expect(decodeContent(signalContent({ editMessage: edit }))).toEqual({
      editMessage: { targetSentTimestamp: 5n, dataMessage: { body: 'so', timestamp: 6n } },
    });
    const story = {
      profileKey,
      group: null,
      attachment: null,
      allowsReplies: true,
      bodyRanges: null,
    };
    expect(decodeContent(signalContent({ storyMessage: story }))).toEqual({
      storyMessage: { profileKey, allowsReplies: true },
    });
    const nullMessage = { padding: new Uint8Array(7) };
    expect(decodeContent(signalContent({ nullMessage }))).toEqual({ nullMessage: true });
  });

  test('a PNI signature, a sync message and a call message, whose bytes are theirs to read', () => {
    const pni = new Uint8Array(randomBytes(16));
    const { pniSignatureMessage } = decodeContent(signalContent(null, { pni }));
    expect(signal.PniSignatureMessage.decode(pniSignatureMessage ?? new Uint8Array()).pni).toEqual(
      pni,
    );
    for (const [id, name] of [
      [2, 'syncMessage'],
      [3, 'callMessage'],
    ] as const) {
      const inner = new Uint8Array(randomBytes(20));
      expect(decodeContent(field(id, (writer) => writer.bytes(inner)))).toEqual({ [name]: inner });
    }
  });

  test('an empty one, in which there is nothing', () => {
    expect(decodeContent(new Uint8Array())).toEqual({});
  });
});

describe('decodeContent of what a stranger wrote', () => {
  test('reads a receipt that is nothing but timestamps, 8,190 of them, and refuses one more', () => {
    const receiptOf = (count: number): Uint8Array => {
      const timestamps = field(2, (writer) => writer.bytes(new Uint8Array(count)));
      return field(5, (writer) => writer.bytes(timestamps));
    };
    expect(decodeContent(receiptOf(8_190)).receiptMessage?.timestamps).toHaveLength(8_190);
    expect(() => decodeContent(receiptOf(8_191))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ENVELOPE' }),
    );
  });

  test('keeps one of a field that comes a thousand times', () => {
    const edit = encodeContent({ dataMessage: { body: 'again', profileKey } });
    const often = Buffer.concat(Array.from({ length: 1_000 }, () => edit));
    expect(decodeContent(often)).toEqual({ dataMessage: { body: 'again', profileKey } });
  });

  test('refuses groups in groups, nested to the end of the message, as it would any nonsense', () => {
    const nested = new Uint8Array(MAX_MESSAGE_BYTES).fill((100 << 3) | 3);
    for (let i = 0; i < nested.length; i += 2) nested.set([0xa3, 0x06], i);
    expect(() => decodeContent(nested)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ENVELOPE' }),
    );
  });

  test('reads or refuses random bytes and spoiled messages, with no other error', () => {
    const random = seededBytes('read-content');
    const reaction = {
      emoji: 'x',
      remove: true,
      targetSentTimestamp: 5n,
      targetAuthorAci: ACI,
      targetAuthorAciBinary: null,
    };
    const whole = signalDataMessage({
      body: 'a body',
      profileKey,
      reaction,
      groupV2: { masterKey: profileKey, revision: 1, groupChange: null },
    });
    let read = 0;
    for (let round = 0; round < 3000; round++) {
      const bytes = round % 3 === 0 ? random(seededInteger(random, 60)) : Uint8Array.from(whole);
      if (round % 3 !== 0 && bytes.length > 0)
        bytes[seededInteger(random, bytes.length)] = seededInteger(random, 256);
      try {
        const content = decodeContent(bytes);
        profileKeyOf(content);
        expireTimerOf(content);
        read += 1;
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_INVALID_ENVELOPE' });
      }
    }
    expect(read).toBeGreaterThan(300);
    expect(read).toBeLessThan(3000);
  });
});

describe('the parts that came with a message', () => {
  const pointer = (fields: object): never => ({ ...NO_ATTACHMENT, ...fields }) as never;
  const image = {
    contentType: 'image/jpeg',
    size: 70_000,
    width: 640,
    height: 480,
    caption: 'the quay',
  };
  const voice = { contentType: 'audio/aac', size: 9_000, flags: 1, fileName: 'note.aac' };

  test('a picture, a voice note and the rest of a long text are named, and that the text is cut', () => {
    const attachments = [image, voice, { contentType: 'text/x-signal-plain', size: 5_000 }].map(
      pointer,
    );
    const expected = {
      body: 'the beginning',
      truncated: true,
      attachments: [
        {
          contentType: 'image/jpeg',
          sizeBytes: 70_000,
          width: 640,
          height: 480,
          caption: 'the quay',
        },
        { contentType: 'audio/aac', sizeBytes: 9_000, fileName: 'note.aac', voiceMessage: true },
        { contentType: 'text/x-signal-plain', sizeBytes: 5_000 },
      ],
    };
    const message = dataMessageParams({ body: 'the beginning', attachments });
    expect(decodeContent(signalContent({ dataMessage: message })).dataMessage).toEqual(expected);
    const editMessage = { targetSentTimestamp: 7n, dataMessage: message };
    expect(decodeContent(signalContent({ editMessage })).editMessage?.dataMessage).toEqual(
      expected,
    );
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
    [31, 'field 31'],
    [3, 'field 3'],
  ])('field %i of a data message is %s, which is not read', (id, part) => {
    const inner = Buffer.concat([
      field(1, (writer) => writer.string('text')),
      field(id, (writer) => writer.bytes(Uint8Array.of(8, 1))),
      field(7, (writer) => writer.uint64(9), 0),
    ]);
    const message = { body: 'text', timestamp: 9n, unsupported: [part] };
    expect(decodeContent(field(1, (writer) => writer.bytes(inner)))).toEqual({
      dataMessage: message,
    });
    const edit = field(11, (writer) => writer.bytes(field(2, (nested) => nested.bytes(inner))));
    expect(decodeContent(edit)).toEqual({ editMessage: { dataMessage: message } });
  });

  test('a message with nothing but what is read says nothing of the kind', () => {
    expect(decodeContent(signalDataMessage({ body: 'plain', timestamp: 4n })).dataMessage).toEqual({
      body: 'plain',
      timestamp: 4n,
    });
  });

  test('a story says whether it is a file, or a text', () => {
    const file = field(9, (writer) =>
      writer.bytes(field(3, (inner) => inner.bytes(field(2, (w) => w.string('video/mp4'))))),
    );
    expect(decodeContent(file)).toEqual({
      storyMessage: { attachments: [{ contentType: 'video/mp4' }] },
    });
    const text = field(9, (writer) =>
      writer.bytes(field(4, (inner) => inner.bytes(Uint8Array.of(8, 1)))),
    );
    expect(decodeContent(text)).toEqual({ storyMessage: { unsupported: ['textAttachment'] } });
  });
});
