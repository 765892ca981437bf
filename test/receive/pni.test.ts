import type { PublicKey } from '@signalapp/libsignal-client';
import { CiphertextMessageType, type CiphertextMessage } from '@signalapp/libsignal-client';
import { Broadcaster, MemoryStore } from 'sealcast';
import { pniSignatureMessage } from '#dist/src/content/messages.js';
import { loadPreKeys } from '#dist/src/store/tables/prekeys.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { MailboxService } from '../fakes/mailbox-service.js';
import { OwnPniFake } from '../fakes/own-pni.js';
import type { Arrival, Subscriber } from '../fakes/stand-in-service.js';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';

let service: MailboxService;
let store: MemoryStore;
let pni: OwnPniFake;
let stranger: Subscriber;
beforeEach(async () => {
  service = new MailboxService();
  store = new MemoryStore();
  await service.publishPreKeys(store);
  pni = new OwnPniFake(service, store);
  await pni.publish();
  stranger = await service.subscribe();
});

const hello = (): object => ({
  dataMessage: { body: 'hello', profileKey: stranger.profileKey },
});

async function answer(scene: ReceiverScene, body: string): Promise<Arrival> {
  const broadcaster = await Broadcaster.open({
    store,
    transport: service,
    trustRoots: [service.trustRoot],
  });
  try {
    const summary = await broadcaster.broadcast({ body }, [stranger.aci], { id: body }).summary();
    expect(summary.sealed).toBe(1);
  } finally {
    await broadcaster.close();
  }
  expect(scene.service).toBe(service);
  const [arrival] = service.arrivals.slice(-1);
  if (arrival === undefined) throw new Error('nothing arrived');
  return arrival;
}

/** Whether the message carries the proof that Signal's clients accept. */
function provesIdentity({ pniSignature }: Arrival, pniKey: PublicKey): boolean {
  if (pniSignature === undefined) return false;
  const { pni: uuid, signature } = pniSignatureMessage.decode(pniSignature) as unknown as {
    readonly pni: Uint8Array;
    readonly signature: Uint8Array;
  };
  const isOurs = Buffer.from(uuid).toString('hex') === pni.serviceId.slice(4).replaceAll('-', '');
  return (
    isOurs &&
    pniKey.verifyAlternateIdentity(
      service.sender.identityKeyPair.publicKey,
      Uint8Array.from(signature),
    )
  );
}

describe('a message to our PNI', () => {
  it('is decrypted with the keys of the PNI, though the ACI has prekeys of the same ids', async () => {
    await using scene = await openReceiverScene({ store }, service);
    await service.send(await service.subscribe(), text('to the ACI'));
    await pni.send(stranger, hello(), service.lastOneTimeId);
    const messages = await take(scene.receiver, 2);
    expect(bodiesOf(messages).sort()).toEqual(['hello', 'to the ACI']);
    await untilDelivered(scene);
    const left = (identity: 'aci' | 'pni'): Promise<unknown[]> =>
      loadPreKeys(store, 'preKey', [service.lastOneTimeId], identity);
    expect([await left('aci'), await left('pni')]).toEqual([[undefined], [undefined]]);
  });

  it('goes on in its session, also after a restart', async () => {
    {
      await using scene = await openReceiverScene({ store }, service);
      await pni.send(stranger, hello());
      await take(scene.receiver, 1);
    }
    await using scene = await openReceiverScene({ store }, service);
    await pni.send(stranger, { dataMessage: { body: 'again' } });
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['again']);
  });

  it('is answered from the ACI, with a signature of the PNI that libsignal accepts', async () => {
    await using scene = await openReceiverScene({ store }, service);
    await pni.send(stranger, hello());
    await take(scene.receiver, 1);
    const arrival = await answer(scene, 'welcome');
    expect(arrival.message.body).toBe('welcome');
    expect(provesIdentity(arrival, pni.identity.publicKey)).toBe(true);
    expect(provesIdentity(await answer(scene, 'again'), pni.identity.publicKey)).toBe(true);
  });

  it('makes answers carry the signature until its sender writes to the ACI', async () => {
    await using scene = await openReceiverScene({ store }, service);
    await pni.send(stranger, hello());
    await take(scene.receiver, 1);
    await answer(scene, 'welcome');
    await service.send(stranger, text('thanks'));
    await take(scene.receiver, 1);
    expect((await answer(scene, 'news')).pniSignature).toBeUndefined();
    // And again to the PNI, from a client that has lost what it knew.
    await pni.send(stranger, text('who are you?'));
    await take(scene.receiver, 1);
    expect((await answer(scene, 'us')).pniSignature).toBeDefined();
  });

  it('gets no retry request where it cannot be decrypted', async () => {
    await using scene = await openReceiverScene({ store }, service);
    const bytes = (await pni.encrypt(stranger, hello())).serialize();
    const spoiled = Uint8Array.from(bytes);
    spoiled[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
    pni.deliver(stranger, prekeyMessage(spoiled));
    await untilDelivered(scene);
    expect(scene.receiver.stats().undecryptable).toBe(1);
    expect(service.retryRequests).toEqual([]);
  });

  it('is refused where the PNI is not ours', async () => {
    await using scene = await openReceiverScene({ store }, service);
    const message = await pni.encrypt(stranger, hello());
    pni.deliver(stranger, message, 'PNI:11111111-1111-4111-8111-111111111111');
    await untilDelivered(scene);
    expect(scene.receiver.stats().refused['sent-to-pni']).toBe(1);
    pni.deliver(stranger, message);
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['hello']);
  });
});

/** As the service hands it on. */
const prekeyMessage = (bytes: Uint8Array<ArrayBuffer>): CiphertextMessage =>
  ({
    type: () => CiphertextMessageType.PreKey,
    serialize: () => bytes,
  }) as unknown as CiphertextMessage;
