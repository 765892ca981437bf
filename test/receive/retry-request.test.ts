import {
  CiphertextMessageType,
  ContentHint,
  DecryptionErrorMessage,
  PlaintextContent,
  UnidentifiedSenderMessageContent,
} from '@signalapp/libsignal-client';
import { describe, expect, test } from 'vitest';
import {
  decodeContent,
  encodeContent,
  encodeUsmc,
  unpadPlaintext,
  USMC_TYPE,
} from '#dist/src/content/index.js';
import { concatBytes } from '../reference/bytes.js';
import { makeCiphertexts } from '../harness/ciphertexts.js';
import { createWorld } from '../harness/signal-fixtures.js';

const SENT_AT_MS = 1_764_000_000_123;
const SENDER_DEVICE_ID = 3;
const PLAINTEXT: number = CiphertextMessageType.Plaintext;
/** First byte of a PlaintextContent, and the end of what is in it (libsignal, protocol.rs). */
const [PLAINTEXT_CONTENT_VERSION, PADDING_BOUNDARY] = [Uint8Array.of(0xc0), Uint8Array.of(0x80)];

describe('a request to send a message again', async () => {
  const { senderCertificate } = createWorld(0);
  const ciphertexts = await makeCiphertexts();
  const kinds = [
    CiphertextMessageType.Whisper,
    CiphertextMessageType.PreKey,
    CiphertextMessageType.SenderKey,
  ];
  const requests = kinds.map((kind) => {
    const wireType: number = kind;
    const original = ciphertexts.find((ciphertext) => ciphertext.type() === wireType);
    if (original === undefined) throw new Error(`no ciphertext of type ${wireType}`);
    return DecryptionErrorMessage.forOriginal(
      original.serialize(),
      kind,
      SENT_AT_MS,
      SENDER_DEVICE_ID,
    );
  });

  test('is the content that libsignal puts into the clear', () => {
    for (const request of requests) {
      const content = encodeContent({ decryptionErrorMessage: request.serialize() });
      const theirs = PlaintextContent.from(request).serialize();
      expect(concatBytes(PLAINTEXT_CONTENT_VERSION, content, PADDING_BOUNDARY)).toEqual(theirs);
    }
  });

  test.each([
    ['default', ContentHint.Default],
    ['implicit', ContentHint.Implicit],
  ] as const)(
    'goes into a USMC with the hint %s, byte for byte as libsignal’s',
    (contentHint, libsignalHint) => {
      for (const request of requests) {
        const plaintext = PlaintextContent.from(request);
        const ciphertext = plaintext.asCiphertextMessage();
        const theirs = UnidentifiedSenderMessageContent.new(
          ciphertext,
          senderCertificate,
          libsignalHint,
          null,
        );
        const ours = encodeUsmc({
          type: USMC_TYPE.plaintext,
          senderCertificate: senderCertificate.serialize(),
          content: plaintext.serialize(),
          contentHint,
        });
        expect(ours).toEqual(theirs.serialize());
      }
    },
  );

  test.each(['default', 'implicit'] as const)(
    'comes out of a USMC with the hint %s as it went in',
    (contentHint) => {
      for (const request of requests) {
        const usmc = UnidentifiedSenderMessageContent.deserialize(
          encodeUsmc({
            type: USMC_TYPE.plaintext,
            senderCertificate: senderCertificate.serialize(),
            content: PlaintextContent.from(request).serialize(),
            contentHint,
          }),
        );
        expect(usmc.msgType()).toBe(PLAINTEXT);
        const body = PlaintextContent.deserialize(usmc.contents()).body();
        const { decryptionErrorMessage } = decodeContent(unpadPlaintext(body));
        const read = DecryptionErrorMessage.deserialize(decryptionErrorMessage ?? new Uint8Array());
        expect(read.timestamp()).toBe(SENT_AT_MS);
        expect(read.deviceId()).toBe(SENDER_DEVICE_ID);
        expect(read.ratchetKey()?.serialize()).toEqual(request.ratchetKey()?.serialize());
      }
    },
  );
});
