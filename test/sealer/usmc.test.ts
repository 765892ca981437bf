import { randomBytes } from 'node:crypto';
import { ContentHint, UnidentifiedSenderMessageContent } from '@signalapp/libsignal-client';
import { describe, expect, test } from 'vitest';
import { encodeUsmc, usmcTypeOfCiphertext, type UsmcFields } from '#dist/src/content/index.js';
import { makeCiphertexts } from '../harness/ciphertexts.js';
import { refusedField } from '../harness/refusals.js';
import { createWorld } from '../harness/signal-fixtures.js';

describe('encodeUsmc', async () => {
  const ciphertexts = await makeCiphertexts();
  const { senderCertificate } = createWorld(0);
  const valid: UsmcFields = {
    type: 1,
    senderCertificate: senderCertificate.serialize(),
    content: new Uint8Array([1]),
  };
  const hints = [
    ['default', ContentHint.Default],
    ['resendable', ContentHint.Resendable],
    ['implicit', ContentHint.Implicit],
  ] as const;

  test('writes the bytes that libsignal writes, for every message type, content hint and group id', () => {
    const typesSeen = new Set<number>();
    for (const ciphertext of ciphertexts) {
      for (const [contentHint, libsignalHint] of hints) {
        for (const groupId of [undefined, new Uint8Array(0), new Uint8Array(randomBytes(32))]) {
          const theirs = UnidentifiedSenderMessageContent.new(
            ciphertext,
            senderCertificate,
            libsignalHint,
            groupId ?? null,
          );
          const type = usmcTypeOfCiphertext(ciphertext.type());
          typesSeen.add(type);
          const ours = encodeUsmc({
            type,
            senderCertificate: senderCertificate.serialize(),
            content: ciphertext.serialize(),
            contentHint,
            groupId,
          });
          expect(Buffer.from(ours).equals(theirs.serialize())).toBe(true);
        }
      }
    }
    expect([...typesSeen].sort()).toEqual([1, 2, 7, 8]);
  });

  test('leaves the hint and the group id off the wire when they are not given, as libsignal does', () => {
    for (const ciphertext of ciphertexts) {
      const theirs = UnidentifiedSenderMessageContent.new(
        ciphertext,
        senderCertificate,
        ContentHint.Default,
        null,
      );
      const type = usmcTypeOfCiphertext(ciphertext.type());
      const ours = encodeUsmc({ ...valid, type, content: ciphertext.serialize() });
      expect(Buffer.from(ours).equals(theirs.serialize())).toBe(true);
    }
  });

  test('writes contents of every length up to 96 KiB that libsignal reads back whole', () => {
    for (const lengthBytes of [1, 127, 128, 16_383, 16_384, 98_304]) {
      const content = new Uint8Array(randomBytes(lengthBytes));
      const read = UnidentifiedSenderMessageContent.deserialize(
        encodeUsmc({ ...valid, type: 2, content }),
      );
      expect(Buffer.from(read.contents()).equals(content)).toBe(true);
      expect(read.msgType()).toBe(2);
    }
  });

  test.each([
    ['type', { ...valid, type: 3 }],
    ['type', { ...valid, type: '1' }],
    ['senderCertificate', { ...valid, senderCertificate: new Uint8Array(0) }],
    ['senderCertificate', { ...valid, senderCertificate: senderCertificate }],
    ['content', { ...valid, content: new Uint8Array(0) }],
    ['content', { ...valid, content: 'text' }],
    ['contentHint', { ...valid, contentHint: 'loud' }],
    ['groupId', { ...valid, groupId: [1, 2, 3] }],
    ['fields', undefined],
  ])('refuses a wrong %s by name', (field, fields) => {
    expect(() => encodeUsmc(fields as UsmcFields)).toThrow(
      expect.objectContaining(refusedField(field)),
    );
  });

  test('refuses a ciphertext type that libsignal does not have', () => {
    expect(() => usmcTypeOfCiphertext(1)).toThrow(
      expect.objectContaining(refusedField('ciphertextType')),
    );
  });
});
