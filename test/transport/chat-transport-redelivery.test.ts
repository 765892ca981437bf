import { ErrorCode, LibSignalErrorBase } from '@signalapp/libsignal-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ChatTransport } from 'sealcast';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { FakeService } from '../fakes/fake-service.js';
import { gate, HandMadeConnections } from '../fakes/hand-made-connections.js';
import { SlowService } from '../fakes/slow-service.js';
import { notingListener } from '../harness/transport-listeners.js';
import { ASK, NO_BACKOFF, openTransport } from '../harness/transports.js';

const COUNTED = { status: 'ok', preKeys: 1, kyberPreKeys: 2 };
const connectedElsewhere = (): LibSignalErrorBase =>
  new LibSignalErrorBase('connected elsewhere', 'ConnectedElsewhere', 'connect');

let source: HandMadeConnections;
let transport: ChatTransport;
beforeEach(async () => {
  source = new HandMadeConnections();
  transport = await openTransport(source);
});
afterEach(() => transport.close());

/** Holds attempts to connect back from now on, until it is called. */
function holdConnections(): () => void {
  const { opened, open } = gate();
  source.connected = () => opened;
  return open;
}

describe('redelivery', () => {
  test('closes the account’s connection, no other, and makes a new one', async () => {
    const listener = notingListener();
    transport.receive(listener);
    await manyTurns();
    source.newest.deliver('one');
    transport.redeliver();
    expect(source.open).toEqual([]);
    // Not from within the call.
    expect(listener.heard).toEqual(['one']);
    await untilTrue(() => source.all.length === 2);
    source.newest.deliver('one');
    expect(listener.heard).toEqual(['one', '(ended)', 'one']);
    expect(() => listener.acks[0]!.send(200)).toThrow('gone');
    listener.acks[1]!.send(200);
    expect(source.newest.acknowledged).toEqual(['one']);
    expect([source.all.length, source.nobodys]).toEqual([2, 1]);
  });

  test('is at once, whatever the waits after a loss are', async () => {
    const own = new HandMadeConnections();
    await using slow = await openTransport(own, {
      backoff: { baseMs: 3_600_000, capMs: 3_600_000, random: () => 0.9 },
    });
    slow.redeliver();
    await neverHangs(
      untilTrue(() => own.all.length === 2),
      'the connection',
    );
  });

  test('is waited for by what is asked meanwhile', async () => {
    const proceed = holdConnections();
    transport.redeliver();
    const answer = transport.countPreKeys();
    await untilTrue(() => source.all.length === 2);
    expect(await Promise.race([answer, manyTurns().then(() => 'none yet')])).toBe('none yet');
    proceed();
    expect(await answer).toEqual(COUNTED);
  });

  test('asked for again while it is under way is the same one', async () => {
    const own = new HandMadeConnections();
    await using redelivering = await openTransport(own, { backoff: { baseMs: 3_600_000 } });
    const [ended, connected] = [gate(), gate()];
    own.ended = () => ended.opened;
    own.connected = () => connected.opened;
    redelivering.redeliver();
    redelivering.redeliver();
    await manyTurns();
    redelivering.redeliver();
    // The old connection has not ended yet.
    expect(own.all).toHaveLength(1);
    ended.open();
    await untilTrue(() => own.all.length === 2);
    redelivering.redeliver();
    connected.open();
    expect(await redelivering.countPreKeys()).toEqual(COUNTED);
    expect(own.all).toHaveLength(2);
    redelivering.redeliver();
    await untilTrue(() => own.all.length === 3);
  });

  test('asked for when something came already over the connection that is being made: that one is made again', async () => {
    const listener = notingListener();
    transport.receive(listener);
    const proceed = holdConnections();
    transport.redeliver();
    await untilTrue(() => source.all.length === 2);
    source.newest.deliver('early');
    transport.redeliver();
    transport.redeliver();
    source.newest.deliver('not heard');
    await manyTurns();
    expect(source.all).toHaveLength(2);
    proceed();
    expect(await transport.countPreKeys()).toEqual(COUNTED);
    expect(source.all.map(({ isOpen }) => isOpen)).toEqual([false, false, true]);
    source.newest.deliver('early');
    expect(listener.heard).toEqual(['(ended)', 'early', '(ended)', 'early']);
  });

  test('of a connection that was lost before it was handed out: it is made again once', async () => {
    const proceed = holdConnections();
    transport.redeliver();
    await untilTrue(() => source.all.length === 2);
    source.newest.deliver('early');
    transport.redeliver();
    source.newest.interrupt();
    proceed();
    await untilTrue(() => source.all.length === 3);
    await manyTurns();
    expect(source.all.map(({ isOpen }) => isOpen)).toEqual([false, false, true]);
  });

  test('leaves what the old connection still says unheard', async () => {
    const listener = notingListener();
    transport.receive(listener);
    const [old] = source.all;
    transport.redeliver();
    await untilTrue(() => source.all.length === 2);
    old!.deliver('late');
    old!.queueEmpty();
    // What the service ends the older of two connections with; on the newer it would be for good.
    old!.interrupt(connectedElsewhere());
    await manyTurns();
    expect(listener.heard).toEqual(['(ended)']);
    expect(await transport.countPreKeys()).toEqual(COUNTED);
    expect(source.all).toHaveLength(2);
  });

  test('is not told to the listener that left', async () => {
    const listener = notingListener();
    const stop = transport.receive(listener);
    transport.redeliver();
    stop();
    await untilTrue(() => source.all.length === 2);
    expect(listener.heard).toEqual([]);
  });

  test('that fails is tried again, as after a loss', async () => {
    let failures = 0;
    source.connected = () =>
      ++failures <= 3 ? Promise.reject(new Error('away')) : Promise.resolve();
    transport.redeliver();
    expect(await transport.countPreKeys()).toEqual(COUNTED);
    expect(failures).toBe(4);
  });

  test('that the service refuses for good is not tried again', async () => {
    source.connected = () => Promise.reject(connectedElsewhere());
    transport.redeliver();
    const cause = { code: ErrorCode.ConnectedElsewhere };
    await expect(transport.countPreKeys()).rejects.toMatchObject({
      code: 'ERR_TRANSPORT_REFUSED',
      cause,
    });
    transport.redeliver();
    await manyTurns();
    expect(source.all).toHaveLength(2);
  });

  test('while the connection waits to be made after a loss: does not shorten the wait', async () => {
    const own = new HandMadeConnections();
    await using slow = await openTransport(own, {
      backoff: { baseMs: 3_600_000, capMs: 3_600_000, random: () => 0.9 },
    });
    own.newest.interrupt();
    slow.redeliver();
    await manyTurns();
    expect(own.all).toHaveLength(1);
  });

  test.each<[string, () => Promise<void>]>([
    ['fails', () => Promise.reject(new Error('gone already'))],
    ['hangs', () => new Promise<void>(() => undefined)],
  ])('goes on where the end of the old connection %s', async (_what, ended) => {
    source.ended = ended;
    transport.redeliver();
    await untilTrue(() => source.all.length === 2);
    expect(await transport.countPreKeys()).toEqual(COUNTED);
    source.ended = () => Promise.resolve();
  });

  test('ends with the transport', async () => {
    const own = new HandMadeConnections();
    const ended = gate();
    own.ended = () => ended.opened;
    const closing = await openTransport(own, { backoff: { ...NO_BACKOFF, baseMs: 3_600_000 } });
    closing.redeliver();
    let isClosed = false;
    const closed = closing.close().then(() => (isClosed = true));
    await manyTurns();
    // What was being closed is closed when `close` is over.
    expect(isClosed).toBe(false);
    ended.open();
    await closed;
    closing.redeliver();
    await manyTurns();
    expect(own.all).toHaveLength(1);
  });
});

describe('redelivery over libsignal’s connections', () => {
  test('answers what is on its way as the account with unavailable, and leaves the rest alone', async () => {
    const service = new SlowService();
    await using slow = await openTransport(service);
    const [asAccount, asNobody] = [ASK.sendUnsealed(slow), ASK.sendSealed(slow)];
    await service.untilAsked(2);
    slow.redeliver();
    expect(await asAccount).toMatchObject({ status: 'unavailable' });
    service.answerAll({ status: 200, body: {} });
    expect(await asNobody).toEqual({ status: 'sent' });
    await untilTrue(() => service.open.length === 2);
    expect(service.connections.map(({ authenticated }) => authenticated).sort()).toEqual([
      false,
      true,
      true,
    ]);
  });

  test('gives what comes over the new one, and an acknowledgement reaches the service', async () => {
    const service = new FakeService();
    await using listening = await openTransport(service);
    const listener = notingListener((_text, ack) => ack.send(200));
    listening.receive(listener);
    const accounts = (): typeof service.open =>
      service.open.filter(({ authenticated }) => authenticated);
    const [first] = accounts();
    listening.redeliver();
    await untilTrue(() => accounts().length === 1 && accounts()[0] !== first);
    const { remote } = accounts()[0]!;
    // WebSocketRequestMessage of the service: 1 verb, 2 path, 3 body, 4 id.
    const text = (field: number, value: string): Buffer =>
      Buffer.concat([Uint8Array.of((field << 3) | 2, value.length), Buffer.from(value)]);
    const message = [
      text(1, 'PUT'),
      text(2, '/api/v1/message'),
      text(3, 'abc'),
      Buffer.of(0x20, 1),
    ];
    remote.sendRawServerRequest(new Uint8Array(Buffer.concat(message)));
    await neverHangs(
      untilTrue(() => listener.heard.includes('abc')),
      'the message',
    );
    expect(listener.heard).toEqual(['(ended)', 'abc']);
  });
});
