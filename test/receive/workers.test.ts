import { setImmediate as nextTurn } from 'node:timers/promises';
import { IdentityKeyPair } from '@signalapp/libsignal-client';
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import { WorkerWatch } from '../harness/worker-watch.js';
import { FastClock } from '../fakes/fast-clock.js';

let scene: ReceiverScene;
let workers: WorkerWatch;
beforeEach(() => {
  workers = new WorkerWatch();
});
afterEach(async () => {
  workers.stop();
  await scene[Symbol.asyncDispose]();
});

describe('workers that die', () => {
  it('cost no message, and no order', async () => {
    scene = await openReceiverScene({ threads: 2 }, undefined, new FastClock(1000));
    const { service, receiver } = scene;
    const senders = await Promise.all(Array.from({ length: 40 }, () => service.subscribe()));
    const bodies = Array.from({ length: 12 }, (_, i) => `text ${i}`);
    const messages = take(receiver, senders.length * bodies.length);
    for (const [round, body] of bodies.entries()) {
      for (const sender of senders) await service.send(sender, text(body));
      // Between two of its tasks: within libsignal, the end of a thread is the end of the process.
      if (round % 4 === 1) await killIdle(round);
    }
    const given = await messages;
    for (const { aci } of senders)
      expect(bodiesOf(given.filter(({ sender }) => sender === aci))).toEqual(bodies);
    await untilDelivered(scene);
    expect(receiver.stats()).toMatchObject({ undecryptable: 0, messages: given.length });
    expect(workers.exited.length).toBeGreaterThanOrEqual(3);
  });

  async function killIdle(round: number): Promise<void> {
    await untilDelivered(scene);
    const worker = workers.alive[round % 2];
    void worker?.terminate();
    // What comes now meets a thread that is about to die.
    await nextTurn();
  }
});

describe('secrets', () => {
  it('are in no error, event, line of the log, or metric', async () => {
    const lines: unknown[] = [];
    const logger = Object.fromEntries(
      ['debug', 'info', 'warn', 'error'].map((level) => [
        level,
        (...line: unknown[]) => lines.push(line),
      ]),
    ) as never;
    const names = [
      'received',
      'received:refused',
      'received:undecryptable',
      'received:stage',
      'retry-request',
      'resend',
    ];
    const onMetric = (message: unknown): number => lines.push(message);
    for (const name of names) subscribe(`sealcast:${name}`, onMetric);
    expect(channel('sealcast:received').hasSubscribers).toBe(true);
    scene = await openReceiverScene({ logger }, undefined, new FastClock(1000));
    const { service, receiver, store } = scene;
    for (const name of ['refused', 'undecryptable', 'profileKey', 'identityChange'] as const) {
      receiver.on(name, (facts: object) =>
        lines.push({ ...facts, sender: undefined, serviceId: undefined }),
      );
    }
    const sender = await service.subscribe();
    const body = 'a very private plaintext';
    await service.send(sender, { dataMessage: { body, profileKey: sender.profileKey } });
    await take(receiver, 1);
    await store.commit([{ table: 'session', key: `${sender.aci}.1`, value: null }]);
    const stranger = { ...sender, identity: IdentityKeyPair.generate() };
    await service.send(
      sender,
      { dataMessage: { body } },
      { certificate: service.certificateOf(stranger) },
    );
    const prekey = await service.encrypt(sender, { dataMessage: { body } });
    const spoiled = Uint8Array.from(prekey.serialize());
    spoiled[spoiled.length - 20] = (spoiled[spoiled.length - 20] ?? 0) ^ 1;
    await service.post(sender, { type: () => 3, serialize: () => spoiled } as never, {
      sealed: false,
    });
    await untilDelivered(scene);
    await untilTrue(() => service.retryRequests.length === 1);
    const getMany = vi.spyOn(store, 'getMany').mockRejectedValue(new Error('the disk is gone'));
    await service.send(sender, { dataMessage: { body } });
    const failure: unknown = await take(receiver, 1).catch((error: unknown) => error);
    expect(String(failure)).toContain('the disk is gone');
    getMany.mockRestore();
    for (const name of names) unsubscribe(`sealcast:${name}`, onMetric);
    expect(lines.length).toBeGreaterThan(8);
    const said =
      lines.map((line) => JSON.stringify(line)).join('\n') +
      String(failure) +
      JSON.stringify(failure);
    const { identityKeyPair, profileKey } = service.sender;
    const secrets = [identityKeyPair.privateKey.serialize(), profileKey, sender.profileKey];
    const forms = secrets.flatMap((secret) => [
      Buffer.from(secret).toString('hex'),
      Buffer.from(secret).toString('base64').slice(0, 40),
      [...secret.subarray(0, 8)].join(),
    ]);
    for (const form of [...forms, body, sender.aci, service.sender.aci])
      expect(said).not.toContain(form);
  });
});
