import { randomBytes } from 'node:crypto';
import mockProtos from '@signalapp/mock-server/protos/compiled.js';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import {
  decodeContent,
  encodeContent,
  encodeDataMessage,
  type ContentFields,
  type DataMessageFields,
} from '#dist/src/content/index.js';
import { refusedField } from '../harness/refusals.js';

const { signalservice: signal } = mockProtos;
const profileKey = new Uint8Array(randomBytes(32));

describe('encodeContent', () => {
  const full: Required<DataMessageFields> = {
    body: 'Grüße, 世界 🌍',
    flags: 4,
    expireTimer: 604_800,
    expireTimerVersion: 3,
    profileKey,
    timestamp: 1_764_000_000_123n,
    requiredProtocolVersion: 7,
  };

  test('writes a data message that Signal’s own definitions read, field by field', () => {
    const read = signal.Content.decode(encodeContent({ dataMessage: full })).content?.dataMessage;
    for (const [name, value] of Object.entries(full))
      expect(read, name).toHaveProperty(name, value);
  });

  test('writes a content whose data message is what encodeDataMessage writes', () => {
    const dataMessageBytes = encodeDataMessage(full);
    const read = protobuf.Reader.create(encodeContent({ dataMessage: full }));
    expect(read.uint32()).toBe((1 << 3) | 2);
    expect(Buffer.from(read.bytes()).equals(dataMessageBytes)).toBe(true);
    expect(read.pos).toBe(read.len);
  });

  test.each<[string, ContentFields]>([
    ['senderKeyDistributionMessage', { senderKeyDistributionMessage: new Uint8Array([7, 7]) }],
    ['decryptionErrorMessage', { decryptionErrorMessage: new Uint8Array([8, 8]) }],
  ])('writes a %s that decodes to itself', (_, fields) => {
    expect(decodeContent(encodeContent(fields))).toEqual(fields);
  });

  test('writes a sender-key distribution message beside a data message where Signal’s definitions look for it', () => {
    const senderKeyDistributionMessage = new Uint8Array(randomBytes(50));
    const read = signal.Content.decode(
      encodeContent({ dataMessage: { body: 'hi' }, senderKeyDistributionMessage }),
    );
    expect(read.senderKeyDistributionMessage).toEqual(senderKeyDistributionMessage);
    expect(read.content?.dataMessage?.body).toBe('hi');
  });

  test('keeps every timestamp exact, up to 2^64 - 1', () => {
    const timestamps = [
      0,
      1,
      2 ** 31,
      2 ** 32,
      Number.MAX_SAFE_INTEGER,
      2n ** 53n + 1n,
      2n ** 63n,
      2n ** 64n - 1n,
    ];
    for (const timestamp of timestamps) {
      const bytes = encodeContent({ dataMessage: { timestamp } });
      expect(decodeContent(bytes).dataMessage?.timestamp).toBe(BigInt(timestamp));
      expect(signal.Content.decode(bytes).content?.dataMessage?.timestamp).toBe(BigInt(timestamp));
    }
  });

  test('tells a field that was given as zero or empty from one that was not given', () => {
    const zeros = {
      body: '',
      flags: 0,
      expireTimer: 0,
      expireTimerVersion: 0,
      timestamp: 0n,
      requiredProtocolVersion: 0,
    };
    expect(decodeContent(encodeContent({ dataMessage: zeros })).dataMessage).toEqual(zeros);
    expect(decodeContent(encodeContent({ dataMessage: {} })).dataMessage).toEqual({});
  });

  test.each<[string, unknown]>([
    ['body', { body: 5 }],
    ['body', { body: 'half a pair: \ud83c' }],
    ['flags', { flags: -1 }],
    ['flags', { flags: 1.5 }],
    ['expireTimer', { expireTimer: 2 ** 32 }],
    ['expireTimerVersion', { expireTimerVersion: '1' }],
    ['requiredProtocolVersion', { requiredProtocolVersion: Number.NaN }],
    ['profileKey', { profileKey: new Uint8Array(31) }],
    ['profileKey', { profileKey: 'x'.repeat(32) }],
    ['timestamp', { timestamp: 2 ** 53 }],
    ['timestamp', { timestamp: -1 }],
    ['timestamp', { timestamp: -1n }],
    ['timestamp', { timestamp: 2n ** 64n }],
    ['timestamp', { timestamp: new Date() }],
  ])('refuses a data message with a wrong %s by name', (field, dataMessage) => {
    const fields = { dataMessage: dataMessage as DataMessageFields };
    expect(() => encodeContent(fields)).toThrow(expect.objectContaining(refusedField(field)));
    expect(() => encodeDataMessage(fields.dataMessage)).toThrow(
      expect.objectContaining(refusedField(field)),
    );
  });

  test.each<[string, unknown]>([
    ['content', null],
    ['content', {}],
    ['dataMessage', { dataMessage: 'text' }],
    ['senderKeyDistributionMessage', { senderKeyDistributionMessage: new Uint8Array(0) }],
    ['decryptionErrorMessage', { decryptionErrorMessage: 'text' }],
    [
      'decryptionErrorMessage',
      { dataMessage: { body: 'hi' }, decryptionErrorMessage: new Uint8Array(1) },
    ],
  ])('refuses a content with a wrong %s by name', (field, fields) => {
    expect(() => encodeContent(fields as ContentFields)).toThrow(
      expect.objectContaining(refusedField(field)),
    );
  });
});

describe('decodeContent', () => {
  test('reads what is there and skips the fields that it does not know', () => {
    const known = encodeContent({ dataMessage: { body: 'known', profileKey, timestamp: 5 } });
    const unknownField = new protobuf.Writer()
      .uint32((500 << 3) | 2)
      .bytes(randomBytes(20))
      .finish();
    expect(decodeContent(Buffer.concat([unknownField, known, unknownField]))).toEqual({
      dataMessage: { body: 'known', profileKey, timestamp: 5n },
    });
  });

  test('gives bytes of their own, which do not change with the buffer they were read from', () => {
    const buffer = Buffer.from(encodeContent({ dataMessage: { profileKey } }));
    const read = decodeContent(buffer);
    buffer.fill(0);
    expect(read.dataMessage?.profileKey).toEqual(profileKey);
  });

  test.each([
    ['a length that runs past the end', '0aff01'],
    ['a field number of zero', '0000'],
    ['a varint that does not end', 'ffffffffffffffffffffffff'],
    ['a text that is not UTF-8', '0a040a02fffe'],
  ])('refuses %s as the fault of the message', (_, hex) => {
    expect(() => decodeContent(Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ENVELOPE' }),
    );
  });

  test('refuses an argument that is not bytes', () => {
    expect(() => decodeContent('text' as never)).toThrow(
      expect.objectContaining(refusedField('contentBytes')),
    );
  });
});
