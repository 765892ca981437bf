import {
  MemoryStore,
  type Broadcaster,
  type BroadcasterEvents,
  type BroadcasterOptions,
  type BroadcastOptions,
} from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { broadcastChange, loadBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { PrimaryDeviceService } from '../fakes/primary-device.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { untilTrue } from '../harness/await-condition.js';
import { refusedField } from '../harness/refusals.js';
import { openBroadcaster } from '../harness/open-with-clock.js';
import { SYSTEM_CLOCK } from '#dist/src/util/clock.js';

let service: PrimaryDeviceService;
let store: MemoryStore;
let broadcaster: Broadcaster;
let subscribers: readonly Subscriber[];
let problems: BroadcasterEvents['transcriptProblem'][0][];
beforeEach(async () => {
  service = await PrimaryDeviceService.make();
  store = new MemoryStore();
  subscribers = await Promise.all([service.subscribe(), service.subscribe(), service.subscribe()]);
  problems = [];
});
afterEach(() => broadcaster.close());

async function open(options: Pick<BroadcasterOptions, 'transcripts'> = {}): Promise<void> {
  broadcaster = await openBroadcaster(
    {
      store,
      transport: service,
      trustRoots: [service.trustRoot],
      account: service.sender,
      threads: 1,
      unsealedFallback: 'never',
      ...options,
    },
    SYSTEM_CLOCK,
  );
  broadcaster.on('transcriptProblem', (problem) => problems.push(problem));
  for (const { aci, profileKey } of subscribers) await broadcaster.setProfileKey(aci, profileKey);
}
const send = (
  options: BroadcastOptions = {},
  recipients = subscribers.map(({ aci }) => aci),
): Promise<{ readonly timestamp: number }> =>
  broadcaster
    .broadcast({ body: 'The bridge is open.' }, recipients, { id: 'b', ...options })
    .summary();
const notes = (): unknown[] =>
  service.syncMessages.map(({ deviceId, sealed, timestamp, message }) => ({
    deviceId,
    sealed,
    timestamp,
    destination: message.sent?.destination,
    sentAt: Number(message.sent?.timestamp),
    body: message.sent?.message?.body,
    bodyAt: Number(message.sent?.message?.timestamp),
  }));
const note = (timestamp: number, body: string, deviceId = 1): unknown => ({
  deviceId,
  sealed: false,
  timestamp,
  destination: service.sender.aci,
  sentAt: timestamp,
  body,
  bodyAt: timestamp,
});

function gate(): { readonly opened: Promise<undefined>; readonly open: () => void } {
  let open!: () => void;
  const opened = new Promise<undefined>((resolve) => (open = () => resolve(undefined)));
  return { opened, open };
}

const ALL = 'The bridge is open.\n\nSent to 3 of 3 recipients.';

describe('the note to our own devices about a broadcast', () => {
  it('is one for all recipients, with the text and the numbers', async () => {
    await open();
    const gone = await service.subscribe();
    gone.registered = false;
    const recipients = [...subscribers, gone].map(({ aci }) => aci);
    const { timestamp } = await send({}, recipients);
    const body = 'The bridge is open.\n\nSent to 3 of 4 recipients (1 no longer registered).';
    expect(notes()).toEqual([note(timestamp, body)]);
    expect(problems).toEqual([]);
  });

  it('goes to all other devices in one request, as they come and go', async () => {
    await service.addDevice(service.phone, 3);
    await open();
    const first = await send({ id: 'first' });
    expect(notes()).toEqual([note(first.timestamp, ALL), note(first.timestamp, ALL, 3)]);
    service.phone.devices.delete(3);
    await service.addDevice(service.phone, 1);
    await service.addDevice(service.phone, 4);
    service.syncMessages.length = 0;
    const second = await send({ id: 'second' });
    expect(notes()).toEqual([note(second.timestamp, ALL), note(second.timestamp, ALL, 4)]);
  });

  it('goes out once, also where the broadcast is resumed or sent again', async () => {
    await open();
    await send();
    await send();
    await broadcaster.resume('b').summary();
    await broadcaster.resume();
    await broadcaster.close();
    await open();
    await broadcaster.resume();
    expect(notes()).toHaveLength(1);
    expect(await loadBroadcast(store, 'b')).toMatchObject({ transcript: 'sent' });
  });

  it('that fails is an event, does not fail the broadcast, and goes out with resume()', async () => {
    await open();
    service.intercepts.set('sendUnsealed', () => ({ status: 'unavailable' }));
    const { timestamp } = await send();
    expect(problems).toMatchObject([{ id: 'b', error: { code: 'ERR_SERVICE_UNAVAILABLE' } }]);
    expect(notes()).toEqual([]);
    service.intercepts.clear();
    await broadcaster.close();
    await open();
    expect(await broadcaster.resume()).toEqual([]);
    expect(notes()).toEqual([note(timestamp, ALL)]);
  });

  it.each(['come in', 'are sent to'])(
    'goes out once where it is sent while further recipients %s',
    async (phase) => {
      await open();
      service.intercepts.set('sendUnsealed', () => ({ status: 'unavailable' }));
      const { timestamp } = await send();
      const more = await service.subscribe();
      await broadcaster.setProfileKey(more.aci, more.profileKey);
      const answer = gate();
      service.intercepts.set('sendUnsealed', () => answer.opened);
      const asked = service.countOf('sendUnsealed');
      const resuming = broadcaster.resume();
      await untilTrue(() => service.countOf('sendUnsealed') > asked);
      const held = gate();
      if (phase === 'are sent to') service.intercepts.set('sendSealed', () => held.opened);
      const before = service.countOf('sendSealed', more.aci);
      const run = broadcaster.broadcast(
        { body: 'The bridge is open.' },
        (async function* () {
          yield more.aci;
          if (phase === 'come in') await held.opened;
        })(),
        { id: 'b' },
      );
      await untilTrue(async () =>
        phase === 'come in'
          ? (await loadBroadcast(store, 'b'))?.state === 'ingesting'
          : service.countOf('sendSealed', more.aci) > before,
      );
      answer.open();
      await resuming;
      expect(await loadBroadcast(store, 'b')).toMatchObject({ transcript: 'sent' });
      held.open();
      expect(await run.summary()).toMatchObject({ recipients: 4, sealed: 4 });
      expect(await loadBroadcast(store, 'b')).toMatchObject({
        state: 'finished',
        transcript: 'sent',
      });
      expect(notes()).toEqual([note(timestamp, ALL)]);
    },
  );

  it('has the same timestamp where a crash came before its mark', async () => {
    await open();
    const { timestamp } = await send();
    const record = await loadBroadcast(store, 'b');
    if (record === undefined) throw new Error('no broadcast');
    await store.commit([broadcastChange('b', { ...record, transcript: 'due' })]);
    await broadcaster.resume();
    expect(notes()).toEqual([note(timestamp, ALL), note(timestamp, ALL)]);
  });

  it('is none where the caller says so, and none of a primary device unless asked for', async () => {
    await open();
    await send({ transcripts: 'none' });
    expect(notes()).toEqual([]);
    await broadcaster.close();
    store = new MemoryStore();
    Object.assign(service.sender, { deviceId: 1 });
    service.phone.devices.clear();
    await service.addDevice(service.phone, 2);
    await open();
    await send({ id: 'c' });
    expect(notes()).toEqual([]);
    const { timestamp } = await send({ id: 'd', transcripts: 'summary' });
    expect(notes()).toEqual([note(timestamp, ALL, 2)]);
  });

  it('is what the Broadcaster was opened with, where the broadcast does not say', async () => {
    await open({ transcripts: 'none' });
    await send({ id: 'none' });
    expect(notes()).toEqual([]);
    const { timestamp } = await send({ id: 'asked', transcripts: 'summary' });
    expect(notes()).toEqual([note(timestamp, ALL)]);
  });

  it.each(['none', 'summary'] as const)(
    'is kept with the broadcast as %s, which resume() follows',
    async (transcripts) => {
      await open();
      const never = new Promise<never>(() => undefined);
      service.intercepts.set('sendSealed', () => never);
      const stop = new AbortController();
      const sent = send({ transcripts, signal: stop.signal });
      while (service.countOf('sendSealed') === 0) await new Promise(setImmediate);
      stop.abort();
      await expect(sent).rejects.toMatchObject({ code: 'ERR_ABORTED' });
      service.intercepts.clear();
      await broadcaster.close();
      await open({ transcripts: transcripts === 'none' ? 'summary' : 'none' });
      const { timestamp } = await broadcaster.resume('b').summary();
      expect(notes()).toEqual(transcripts === 'none' ? [] : [note(timestamp, ALL)]);
    },
  );

  it('is not sent where there is no other device', async () => {
    Object.assign(service.sender, { deviceId: 1 });
    service.phone.devices.clear();
    await open();
    service.intercepts.set('fetchPreKeys', (destination) =>
      destination === service.sender.aci ? { status: 'not-found' } : undefined,
    );
    await send({ transcripts: 'summary' });
    expect(notes()).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('is refused under another name', async () => {
    await open();
    expect(() =>
      broadcaster.broadcast({ body: 'x' }, [], { transcripts: 'each' as 'none' }),
    ).toThrow(expect.objectContaining(refusedField('transcripts')));
    await expect(open({ transcripts: 'each' as 'none' })).rejects.toMatchObject(
      refusedField('transcripts'),
    );
  });
});
