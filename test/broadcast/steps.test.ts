import type { ChatServerMessageAck } from '@signalapp/libsignal-client/dist/net.js';
import { describe, expect, test } from 'vitest';
import { confirmDecrypted } from '../../examples/broadcast/confirm.js';
import { Inbox } from '../harness/plain-client/inbox.js';
import type { Decryption, MockService } from '../mock-service/mock-service.js';

describe('confirmDecrypted', () => {
  const recipients = ['a', 'b', 'c', 'd'];

  test('counts only who decrypted the very text from the very sender', async () => {
    const decryptions: Decryption[] = [
      { subscriber: 'a', text: 'the text', sender: 'broadcaster' },
      { subscriber: 'b', text: 'another text', sender: 'broadcaster' },
      { subscriber: 'c', text: 'the text', sender: 'somebody' },
      { subscriber: 'stranger', text: 'the text', sender: 'broadcaster' },
    ];
    const service = {
      description: { broadcaster: { aci: 'broadcaster' } },
      waitForDecrypted: (
        _: string,
        options: { onDecryption: (decryption: Decryption) => void },
      ) => {
        decryptions.forEach(options.onDecryption);
        return Promise.resolve(decryptions);
      },
    } as unknown as MockService;
    const { decrypted, failures } = await confirmDecrypted(
      service,
      'the text',
      recipients,
      () => undefined,
    );
    expect(decrypted).toEqual(new Set(['a']));
    expect(failures.map(({ serviceId, error }) => [serviceId, error.message])).toEqual([
      ['b', 'the subscriber decrypted another text or sender'],
      ['c', 'the subscriber decrypted another text or sender'],
      ['d', 'the subscriber decrypted nothing'],
    ]);
  });
});

describe('Inbox', () => {
  const ack = { send: () => undefined } as unknown as ChatServerMessageAck;

  async function takeAll(inbox: Inbox): Promise<number[][]> {
    const batches: number[][] = [];
    for await (const batch of inbox.batches())
      batches.push(batch.map(({ envelopeBytes: [first = -1] }) => first));
    return batches;
  }

  test('gives what came in since the last batch, to the last message before its end', async () => {
    const inbox = new Inbox();
    inbox.onIncomingMessage(new Uint8Array([1]), 0, ack);
    inbox.onIncomingMessage(new Uint8Array([2]), 0, ack);
    const taken = takeAll(inbox);
    await new Promise(setImmediate);
    inbox.onIncomingMessage(new Uint8Array([3]), 0, ack);
    inbox.end();
    expect(await taken).toEqual([[1, 2], [3]]);
  });

  test('ends with the reason when the connection is lost, and quietly when it was closed', async () => {
    const lost = new Inbox();
    const taken = takeAll(lost);
    lost.onConnectionInterrupted(new Error('reset'));
    await expect(taken).rejects.toThrow('the connection to the service was lost');
    const closed = new Inbox();
    closed.onConnectionInterrupted(null);
    expect(await takeAll(closed)).toEqual([]);
  });
});
