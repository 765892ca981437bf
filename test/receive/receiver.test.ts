import { describe, expect, it } from 'vitest';
import { openReceiverScene, take, untilDelivered } from '../support/receivers.js';

describe('messages', () => {
  it('come out as they were sent, sealed and unsealed, prekey and ratchet', async () => {
    await using scene = await openReceiverScene();
    const { service, receiver } = scene;
    const sender = await service.subscribe();
    await service.send(sender, { dataMessage: { body: 'one' } }, { timestamp: 1001 });
    await service.send(sender, { dataMessage: { body: 'two' } }, { timestamp: 1002, sealed: false });
    const messages = await take(receiver, 2);
    expect(messages).toMatchObject([
      { sender: sender.aci, senderDevice: 1, sealed: true, timestamp: 1001, envelopeType: 'prekey' },
      { sender: sender.aci, senderDevice: 1, sealed: false, timestamp: 1002, envelopeType: 'prekey' },
    ]);
    expect(messages.map(({ content }) => content.dataMessage?.body)).toEqual(['one', 'two']);
    await untilDelivered(scene);
    expect(receiver.stats()).toMatchObject({ messages: 2, undecryptable: 0 });
  });
});
