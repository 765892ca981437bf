import type { AttachmentPointer } from 'sealcast';
import { describe, expect, test } from 'vitest';
import { decodeContent } from '#dist/src/content/index.js';
import { DecryptedMessage } from '#dist/src/receive/received-message.js';
import { NO_ATTACHMENT } from '../content/signal-messages.js';
import { signalDataMessage } from '../harness/signal-contents.js';

const WHOLE = `Grüße 👩‍👩‍👧 ${'x'.repeat(3_000)}`;
const stored = {
  ...NO_ATTACHMENT,
  attachmentIdentifier: { cdnKey: 'a-key' },
  key: new Uint8Array(64),
  digest: new Uint8Array(32),
  contentType: 'text/x-signal-plain',
};

function received(
  fields: Parameters<typeof signalDataMessage>[0],
  download?: (pointer: AttachmentPointer) => AsyncIterable<Uint8Array>,
): DecryptedMessage {
  const contentBytes = new Uint8Array(signalDataMessage(fields));
  return new DecryptedMessage(
    {
      sender: 'a-sender',
      senderDevice: 1,
      sealed: true,
      timestamp: 5,
      serverTimestamp: 6,
      content: decodeContent(contentBytes),
      contentBytes,
      envelopeType: 'whisper',
    },
    download && { download, open: () => Promise.reject(new Error('no file is opened')) },
  );
}

const longText = (size = WHOLE.length): Parameters<typeof signalDataMessage>[0] => ({
  body: WHOLE.slice(0, 100),
  attachments: [{ ...stored, size }],
});

async function* inParts(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 7) yield await Promise.resolve(bytes.slice(at, at + 7));
}

describe('a received message', () => {
  test('has its facts as own properties, and reads its message when it is asked', () => {
    const message = received({ body: 'hello', timestamp: 5n });
    expect(Object.keys(message)).toEqual([
      'sender',
      'senderDevice',
      'sealed',
      'timestamp',
      'serverTimestamp',
      'content',
      'contentBytes',
      'envelopeType',
    ]);
    expect(message.message).toEqual({ body: 'hello' });
    expect(message.message).toBe(message.message);
  });

  test('gives a short text, and none where there is none, without a download', async () => {
    await expect(received({ body: 'hello' }).text()).resolves.toBe('hello');
    await expect(received({ flags: 4 }).text()).resolves.toBeUndefined();
  });

  test('gives the whole of a long text', async () => {
    const pointers: AttachmentPointer[] = [];
    const message = received(longText(), (pointer) => {
      pointers.push(pointer);
      return inParts(Buffer.from(WHOLE));
    });
    await expect(message.text()).resolves.toBe(WHOLE);
    expect(pointers).toMatchObject([{ cdnKey: 'a-key', contentType: 'text/x-signal-plain' }]);
  });

  test('says that the transport downloads nothing', async () => {
    await expect(received(longText()).text()).rejects.toMatchObject({
      code: 'ERR_NOT_IMPLEMENTED',
      field: 'transport',
    });
  });

  test('refuses a text without an end, by its size and by its bytes', async () => {
    let given = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        given += 65_536;
        yield await Promise.resolve(new Uint8Array(65_536));
      }
    }
    const error = { code: 'ERR_MESSAGE_TOO_LARGE', field: 'message.longText' };
    await expect(received(longText(2 ** 31), endless).text()).rejects.toMatchObject(error);
    expect(given).toBe(0);
    await expect(received(longText(5), endless).text()).rejects.toMatchObject(error);
    expect(given).toBe(5 * 65_536);
  });
});
