import { Broadcaster, type Account } from 'sealcast';
import { encodeMessage } from '#dist/src/content/index.js';
import {
  decodeBroadcast,
  encodeBroadcast,
  type BroadcastRecord,
} from '#dist/src/store/tables/broadcasts.js';
import { decodeOutbox, encodeOutbox, type OutboxRecord } from '#dist/src/store/tables/outbox.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveHotline } from '../../examples/hotline/hotline.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { failTest } from '../harness/broadcasters.js';
import { openReceiverScene, text, type ReceiverScene } from '../harness/receivers.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

/** What a version that took 64 KiB has left in the store. */
const LONG = 'ü'.repeat(1025);

let scene: ReceiverScene;
let broadcaster: Broadcaster | undefined;
let subscribers: Subscriber[];
beforeEach(async () => {
  scene = await openReceiverScene();
  subscribers = await Promise.all(Array.from({ length: 3 }, () => scene.service.subscribe()));
});
afterEach(async () => {
  await broadcaster?.close();
  broadcaster = undefined;
  await scene[Symbol.asyncDispose]();
});

const keyOf = (id: string, { aci }: Subscriber): string => `${id}/${aci}`;

async function storeBroadcast(
  id: string,
  record: Partial<BroadcastRecord>,
  rows: readonly OutboxRecord[],
): Promise<void> {
  const timestamp = record.timestamp ?? Date.now() - 1000;
  const whole: BroadcastRecord = {
    state: 'sending',
    content: encodeMessage({ body: LONG }, timestamp),
    timestamp,
    urgent: true,
    createdAtMs: Date.now(),
    finishedAtMs: 0,
    invalidRecipients: 0,
    ...record,
  };
  await scene.store.commit([
    { table: 'broadcast', key: id, value: encodeBroadcast(whole) },
    ...rows.map((row, i) => {
      const key = keyOf(id, subscribers[i] ?? failTest('subscriber'));
      return { table: 'outbox' as const, key, value: encodeOutbox(row) };
    }),
  ]);
}

async function openBroadcaster(): Promise<Broadcaster> {
  const { store, service } = scene;
  const opened = await Broadcaster.open({
    store,
    transport: service,
    trustRoots: [service.trustRoot],
  });
  broadcaster = opened;
  await Promise.all(
    subscribers.map(({ aci, profileKey }) => opened.setProfileKey(aci, profileKey)),
  );
  return opened;
}

async function rowsOf(id: string): Promise<OutboxRecord[]> {
  const values = await scene.store.getMany(
    'outbox',
    subscribers.map((subscriber) => keyOf(id, subscriber)),
  );
  return values.map((value) => decodeOutbox(value ?? failTest('row')));
}
async function stateOf(id: string): Promise<string> {
  const [value] = await scene.store.getMany('broadcast', [id]);
  return decodeBroadcast(value ?? failTest('broadcast')).state;
}

const QUEUED: OutboxRecord = { state: 'queued' };
const SEALED: OutboxRecord = { state: 'done', status: 'sealed' };
const TOO_LARGE: OutboxRecord = {
  state: 'done',
  status: 'failed',
  errorCode: 'ERR_MESSAGE_TOO_LARGE',
};
const encrypted = (): OutboxRecord => ({
  state: 'encrypted',
  identityKey: Uint8Array.of(5, ...new Uint8Array(32).fill(9)),
  devices: [{ deviceId: 1, registrationId: 1, type: 'whisper', ciphertext: new Uint8Array(64) }],
});

describe('a longer text that an older version stored', () => {
  it.each(['sending', 'ingesting'] as const)(
    'goes to no recipient when it is resumed while %s',
    async (state) => {
      await storeBroadcast('old', { state }, [QUEUED, encrypted(), SEALED]);
      const opened = await openBroadcaster();
      const requests = scene.service.requests.length;
      expect(await opened.resume()).toMatchObject([
        { id: 'old', status: 'finished', summary: { recipients: 3, sealed: 1, failed: 2 } },
      ]);
      expect(await rowsOf('old')).toEqual([TOO_LARGE, TOO_LARGE, SEALED]);
      expect(await stateOf('old')).toBe('finished');
      expect(scene.service.requests.slice(requests)).toEqual([]);
      // And that was it.
      expect(await opened.resume()).toEqual([]);
    },
  );

  it('is refused when its recipients are given again', async () => {
    await storeBroadcast('old', { state: 'ingesting' }, [QUEUED, QUEUED, QUEUED]);
    const opened = await openBroadcaster();
    expect(() => opened.broadcast({ body: LONG }, [], { id: 'old' })).toThrow(
      expect.objectContaining({ code: 'ERR_MESSAGE_TOO_LARGE', field: 'message.body' }) as Error,
    );
    expect(await rowsOf('old')).toEqual([QUEUED, QUEUED, QUEUED]);
  });

  it('is not sent again to a recipient that could not read it', async () => {
    const { service } = scene;
    const timestamp = Date.now() - 5000;
    await storeBroadcast('old', { state: 'finished', timestamp, finishedAtMs: Date.now() }, [
      SEALED,
      SEALED,
      SEALED,
    ]);
    await openBroadcaster();
    const [first] = subscribers;
    if (first === undefined) failTest('subscriber');
    const { plaintext } = service.retryRequestFor(first, timestamp);
    await service.post(first, plaintext);
    const isAnswered = async (): Promise<boolean> => (await rowsOf('old'))[0]?.state === 'done';
    await untilTrue(() => service.queueLength === 0);
    while (!(await isAnswered()) || (await stateOf('old')) !== 'finished') await manyTurns(1);
    expect(service.countOf('sendSealed', first.aci)).toBe(0);
    expect((await rowsOf('old')).slice(1)).toEqual([SEALED, SEALED]);
  });
});

it('the hotline passes on a text of 2,048 bytes, and one that could not be sent as it is, and goes on', async () => {
  const { service, receiver } = scene;
  const opened = await openBroadcaster();
  const [admin, writer] = subscribers;
  if (admin === undefined || writer === undefined) failTest('subscribers');
  await opened.setProfileKey(admin.aci, admin.profileKey);
  const cases = { numberOf: () => Promise.resolve(7), callerOf: () => undefined };
  const serving = serveHotline(
    { broadcaster: opened, receiver } as unknown as Account,
    cases,
    new Set([admin.aci]),
  );
  await service.send(writer, text('🎈'.repeat(512)));
  await service.send(writer, text('sh\0ort'));
  await service.send(writer, text('\0'));
  await service.send(writer, text('end'));
  await untilTrue(() => service.textsOf(admin).length === 3);
  expect(service.textsOf(admin)).toEqual([`#7: ${'🎈'.repeat(510)}…`, '#7: short', '#7: end']);
  await receiver.close();
  await serving;
});

it('the hotline passes on two texts that their writer gave one timestamp', async () => {
  const { service, receiver } = scene;
  const opened = await openBroadcaster();
  const [admin, writer] = subscribers;
  if (admin === undefined || writer === undefined) failTest('subscribers');
  const cases = { numberOf: () => Promise.resolve(7), callerOf: () => undefined };
  const serving = serveHotline(
    { broadcaster: opened, receiver } as unknown as Account,
    cases,
    new Set([admin.aci]),
  );
  const timestamp = Date.now();
  for (const body of ['one', 'two']) await service.send(writer, text(body), { timestamp });
  await Promise.race([untilTrue(() => service.textsOf(admin).length === 2), serving]);
  expect(service.textsOf(admin)).toEqual(['#7: one', '#7: two']);
  await receiver.close();
  await serving;
});
