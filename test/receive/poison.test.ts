import { Sealer, SealcastError, type ReceiverEvents } from 'sealcast';
import { SessionClient } from '#dist/src/session/session-client.js';
import type { DecryptRequest, RatchetRequest } from '#dist/src/session/protocol.js';
import { unpack } from '#dist/src/session/protocol.js';
import { LostEnvelopes } from '#dist/src/receive/envelope-queue.js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import { FastClock } from '../fakes/fast-clock.js';

let scene: ReceiverScene;
afterEach(async () => {
  vi.restoreAllMocks();
  await scene[Symbol.asyncDispose]();
});

const died = (): SealcastError => new SealcastError('ERR_WORKER_LOST', 'its worker thread died');

type Make = () => { readonly request: RatchetRequest; readonly moved: ArrayBuffer[] };

/** Has workers die of every request that `kills` says so of. */
function haveWorkersDie(kills: (request: RatchetRequest) => boolean): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the object that it was called on
  const original = SessionClient.prototype.run;
  vi.spyOn(SessionClient.prototype, 'run').mockImplementation(function (
    this: SessionClient,
    make: Make,
  ) {
    return kills(make().request) ? Promise.reject(died()) : Reflect.apply(original, this, [make]);
  });
}

const messagesOf = (request: RatchetRequest): readonly (Uint8Array | undefined)[] =>
  request.kind === 'decrypt' || request.kind === 'group'
    ? unpack((request as DecryptRequest).messages)
    : [];

const has = (request: RatchetRequest, poison: Uint8Array): boolean =>
  messagesOf(request).some(
    (message) => message !== undefined && Buffer.compare(message, poison) === 0,
  );

describe('a message that workers die of each time', () => {
  it('is reported and acknowledged after three deliveries, and costs no other message of its sender or of others', async () => {
    scene = await openReceiverScene({}, undefined, new FastClock(Infinity));
    const { service, receiver } = scene;
    const undecryptable: ReceiverEvents['undecryptable'][0][] = [];
    receiver.on('undecryptable', (facts) => undecryptable.push(facts));
    const [sender, other] = [await service.subscribe(), await service.subscribe()];
    const poison = await service.encrypt(sender, text('poison'));
    const bytes = Uint8Array.from(poison.serialize());
    haveWorkersDie((request) => has(request, bytes));
    await service.send(sender, text('before'));
    await service.post(sender, poison, { timestamp: 4711 });
    await service.send(sender, text('after'));
    await service.send(other, text('of another one'));
    expect(bodiesOf(await take(receiver, 3)).sort()).toEqual(['after', 'before', 'of another one']);
    await untilDelivered(scene);
    expect(undecryptable).toMatchObject([
      { sender: sender.aci, timestamp: 4711, retryRequested: true },
    ]);
    expect(service.redeliveries).toBe(2);
    expect(receiver.stats()).toMatchObject({ messages: 3, undecryptable: 1, deferred: 2 });
    await service.send(sender, text('later'));
    expect(bodiesOf(await take(receiver, 1))).toEqual(['later']);
  });

  it('is waited for while no worker lives at all', async () => {
    scene = await openReceiverScene({}, undefined, new FastClock(Infinity));
    const { service, receiver } = scene;
    let deaths = 0;
    haveWorkersDie(() => (deaths += 1) < 30);
    await service.send(await service.subscribe(), text('x'));
    expect(bodiesOf(await take(receiver, 1))).toEqual(['x']);
    expect(service.redeliveries).toBeGreaterThan(5);
    expect(receiver.stats()).toMatchObject({ messages: 1, undecryptable: 0 });
  });
});

describe('an envelope that workers die of unsealing', () => {
  it('is refused after three deliveries, and costs no other envelope', async () => {
    scene = await openReceiverScene({}, undefined, new FastClock(Infinity));
    const { service, receiver } = scene;
    const sender = await service.subscribe();
    const letters = ['one', 'poison', 'two'];
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the object that it was called on
    const original = Sealer.prototype.unseal;
    const envelopes: Uint8Array[] = [];
    const sealed = service.sealed.bind(service);
    vi.spyOn(service, 'sealed').mockImplementation(async (...args) => {
      const envelope = await sealed(...args);
      envelopes.push(envelope);
      return envelope;
    });
    vi.spyOn(Sealer.prototype, 'unseal').mockImplementation(async function (
      this: Sealer,
      given,
      options,
    ) {
      const poison = envelopes[letters.indexOf('poison')];
      const isPoisoned = given.some(
        (envelope) => poison !== undefined && Buffer.compare(envelope, poison) === 0,
      );
      if (isPoisoned) return given.map(() => ({ ok: false as const, error: died() }));
      return Reflect.apply(original, this, [given, options]);
    });
    for (const body of letters) await service.send(sender, text(body));
    expect(bodiesOf(await take(receiver, 2))).toEqual(['one', 'two']);
    await untilDelivered(scene);
    expect(receiver.stats().refused).toMatchObject({ 'worker-lost': 1, 'invalid-envelope': 0 });
    expect(service.redeliveries).toBe(2);
  });
});

it('letters that workers die of are counted by their bytes, and the oldest of thousands are forgotten', async () => {
  scene = await openReceiverScene({}, undefined, new FastClock(Infinity));
  const lost = new LostEnvelopes();
  const letter = (name: number): { bytes: Uint8Array<ArrayBuffer> } => ({
    bytes: new Uint8Array(new Uint32Array([name]).buffer),
  });
  expect([lost.isLast(letter(1)), lost.isLast(letter(1))]).toEqual([false, false]);
  for (let name = 2; name < 4_000; name++) expect(lost.isLast(letter(name))).toBe(false);
  expect(lost.isLast(letter(1))).toBe(true);
  for (let name = 4_000; name < 9_000; name++) lost.isLast(letter(name));
  expect(lost.isLast(letter(1))).toBe(false);
});
