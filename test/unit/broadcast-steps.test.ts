import { IdentityKeyPair } from '@signalapp/libsignal-client';
import type { ChatServerMessageAck } from '@signalapp/libsignal-client/dist/net.js';
import { SealcastError, type Sealer } from 'sealcast';
import { describe, expect, test } from 'vitest';
import { confirmDecrypted } from '../examples/broadcast/confirm.js';
import { Inbox } from '../examples/broadcast/inbox.js';
import type { Encrypted, Sealed } from '../examples/broadcast/recipients.js';
import { sealAll } from '../examples/broadcast/seal.js';
import { runStage } from '../examples/broadcast/stages.js';
import type { Decryption, MockService } from '../mock-service/mock-service.js';

const accessKey = new Uint8Array(16);

describe('sealAll', () => {
  const { publicKey: identityKey } = IdentityKeyPair.generate();

  function recipient(serviceId: string, usmcs: readonly number[]): Encrypted {
    const devices = usmcs.map((usmc, i) => ({ deviceId: i + 1, registrationId: usmc, usmc: new Uint8Array([usmc]) }));
    return { serviceId, accessKey, identityKey, devices };
  }

  /** Seals by adding 100 to a USMC's first byte, and fails on a USMC that is 0. */
  const sealer = {
    seal: (items: readonly { content: Uint8Array }[]) =>
      Promise.resolve(
        items.map(({ content: [usmc = 0] }) =>
          usmc === 0
            ? { ok: false, error: new SealcastError('ERR_LOW_ORDER_KEY', 'a low-order key') }
            : { ok: true, envelope: new Uint8Array([usmc + 100]) },
        ),
      ),
  } as unknown as Sealer;

  test('gives every device of every recipient its own envelope', async () => {
    const { passed, failures } = await sealAll(sealer, [recipient('a', [1, 2, 3]), recipient('b', [4])]);
    expect(failures).toEqual([]);
    expect(passed.map(({ serviceId, devices }) => [serviceId, devices.map(({ envelope }) => envelope[0])])).toEqual([
      ['a', [101, 102, 103]],
      ['b', [104]],
    ]);
    expect(passed[0]?.devices.map(({ deviceId, registrationId }) => [deviceId, registrationId])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  test('drops a recipient as a whole when one of its devices fails, and no other recipient', async () => {
    const recipients = [recipient('a', [1]), recipient('b', [2, 0, 3]), recipient('c', [4, 5])];
    const { passed, failures } = await sealAll(sealer, recipients);
    expect(passed.map(({ devices }) => devices.map(({ envelope }) => envelope[0]))).toEqual([[101], [104, 105]]);
    expect(failures).toMatchObject([{ serviceId: 'b', at: 'seal', error: { code: 'ERR_LOW_ORDER_KEY' } }]);
  });
});

describe('runStage', () => {
  const recipients = Array.from({ length: 50 }, (_, i) => ({ serviceId: String(i) }));

  test('takes every recipient through the step, never more at a time than it may', async () => {
    let inFlight = 0;
    let mostInFlight = 0;
    const progress: number[] = [];
    const { passed } = await runStage(
      'prekeys',
      recipients,
      7,
      async ({ serviceId }) => {
        mostInFlight = Math.max(mostInFlight, ++inFlight);
        await new Promise(setImmediate);
        inFlight--;
        return serviceId;
      },
      (done) => progress.push(done),
    );
    expect(new Set(passed)).toEqual(new Set(recipients.map(({ serviceId }) => serviceId)));
    expect(mostInFlight).toBe(7);
    expect(progress).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  test('names who failed and why, and goes on with the others', async () => {
    const error = new Error('no');
    const step = ({ serviceId }: { serviceId: string }): Promise<string> =>
      Number(serviceId) % 10 === 3 ? Promise.reject(error) : Promise.resolve(serviceId);
    const { passed, failures } = await runStage('deliver', recipients, 4, step, () => undefined);
    expect(passed).toHaveLength(45);
    expect(failures).toEqual(['3', '13', '23', '33', '43'].map((serviceId) => ({ serviceId, at: 'deliver', error })));
  });
});

describe('confirmDecrypted', () => {
  const recipients = ['a', 'b', 'c', 'd'].map((serviceId): Sealed => ({ serviceId, accessKey, devices: [] }));

  test('counts only who decrypted the very text from the very sender', async () => {
    const decryptions: Decryption[] = [
      { subscriber: 'a', text: 'the text', sender: 'broadcaster' },
      { subscriber: 'b', text: 'another text', sender: 'broadcaster' },
      { subscriber: 'c', text: 'the text', sender: 'somebody' },
      { subscriber: 'stranger', text: 'the text', sender: 'broadcaster' },
    ];
    const service = {
      description: { broadcaster: { aci: 'broadcaster' } },
      waitForDecrypted: (_: string, options: { onDecryption: (decryption: Decryption) => void }) => {
        decryptions.forEach(options.onDecryption);
        return Promise.resolve(decryptions);
      },
    } as unknown as MockService;
    const { decrypted, failures } = await confirmDecrypted(service, 'the text', recipients, () => undefined);
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
    for await (const batch of inbox.batches()) batches.push(batch.map(({ envelopeBytes: [first = -1] }) => first));
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
