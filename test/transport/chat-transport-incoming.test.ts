import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ChatTransport, type MessageAck, type TransportListener } from 'sealcast';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { HandMadeConnections } from '../fakes/hand-made-connections.js';
import { refusedField } from '../harness/refusals.js';
import { notingListener } from '../harness/transport-listeners.js';
import { openTransport } from '../harness/transports.js';

const MAX_KEPT = 1_024;
const MIB = 1_024 * 1_024;

let source: HandMadeConnections;
let transport: ChatTransport;
beforeEach(async () => {
  source = new HandMadeConnections();
  transport = await openTransport(source);
});
afterEach(() => transport.close());

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `m${from + i}`);

describe('a message for the account that comes while no listener is there', () => {
  test('is given to the next listener in order, then that the queue is empty, then what is new', async () => {
    source.newest.deliver('first');
    source.newest.queueEmpty();
    source.newest.deliver('second');
    const listener = notingListener();
    transport.receive(listener);
    source.newest.deliver('third');
    await manyTurns();
    source.newest.deliver('fourth');
    expect(listener.heard).toEqual(['first', 'second', 'third', '(empty)', 'fourth']);
  });

  test('is given as it came, and can be acknowledged', async () => {
    source.newest.deliver('kept');
    const given: Parameters<NonNullable<TransportListener['onIncomingMessage']>>[] = [];
    transport.receive({ onIncomingMessage: (...message) => given.push(message) });
    await manyTurns();
    expect(given).toEqual([
      [new Uint8Array(Buffer.from('kept')), 1_000, { send: expect.any(Function) as unknown }],
    ]);
    expect(source.newest.acknowledged).toEqual([]);
    given[0]![2].send(200);
    expect(source.newest.acknowledged).toEqual(['kept']);
  });

  test('is not given from within receive', () => {
    source.newest.deliver('kept');
    const listener = notingListener();
    transport.receive(listener);
    expect(listener.heard).toEqual([]);
  });

  test('stays for the next one when a listener leaves before it was given', async () => {
    source.newest.deliver('kept');
    source.newest.queueEmpty();
    const [gone, next] = [notingListener(), notingListener()];
    transport.receive(gone)();
    await manyTurns();
    transport.receive(next);
    await manyTurns();
    expect([gone.heard, next.heard]).toEqual([[], ['kept', '(empty)']]);
  });

  test('is given to no listener when its connection is lost: the service delivers it again', async () => {
    const [lost] = source.all;
    lost!.deliver('kept');
    lost!.queueEmpty();
    lost!.interrupt();
    await untilTrue(() => source.all.length === 2);
    const listener = notingListener();
    transport.receive(listener);
    await manyTurns();
    expect(listener.heard).toEqual([]);
    source.newest.deliver('kept');
    source.newest.queueEmpty();
    expect(listener.heard).toEqual(['kept', '(empty)']);
  });

  test('stays where the listener takes no messages', async () => {
    source.newest.deliver('kept');
    source.newest.queueEmpty();
    const heard: string[] = [];
    const stop = transport.receive({ onQueueEmpty: () => heard.push('(empty)') });
    await manyTurns();
    source.newest.deliver('more');
    stop();
    const listener = notingListener();
    transport.receive(listener);
    await manyTurns();
    expect([heard, listener.heard]).toEqual([['(empty)'], ['kept', 'more', '(empty)']]);
  });
});

describe('more than is kept', () => {
  test.each<[string, () => void, string[]]>([
    [
      'of messages',
      () => {
        for (const name of names(MAX_KEPT + 3)) source.newest.deliver(name);
      },
      names(MAX_KEPT),
    ],
    [
      'of bytes',
      () => {
        for (const name of names(16)) source.newest.deliver(name, MIB);
        source.newest.deliver('too much');
      },
      names(16),
    ],
    ['of bytes at once', () => source.newest.deliver('too much', 16 * MIB + 1), []],
    [
      'of bytes, with room for the message after it, which would come before it',
      () => {
        source.newest.deliver('m0', 15 * MIB);
        source.newest.deliver('too much', 2 * MIB);
        source.newest.deliver('small');
      },
      ['m0'],
    ],
  ])(
    '%s: is delivered again over a new connection, after what was kept',
    async (_what, deliver, kept) => {
      const [first] = source.all;
      deliver();
      first!.queueEmpty();
      expect(source.all).toHaveLength(1);
      const listener = notingListener((_text, ack) => ack.send(200));
      transport.receive(listener);
      await untilTrue(() => source.all.length === 2);
      expect(first!.isOpen).toBe(false);
      expect(first!.acknowledged).toEqual(kept);
      source.newest.deliver('again');
      source.newest.queueEmpty();
      expect(listener.heard).toEqual([...kept, '(ended)', 'again', '(empty)']);
      await manyTurns();
      expect([source.all.length, source.nobodys]).toEqual([2, 1]);
    },
  );

  test('as much as is kept: the connection stays', async () => {
    for (const name of names(16)) source.newest.deliver(name, MIB);
    const stop = transport.receive(notingListener());
    await manyTurns();
    stop();
    // What was given counts no more.
    for (const name of names(MAX_KEPT)) source.newest.deliver(name);
    const listener = notingListener();
    transport.receive(listener);
    await manyTurns();
    expect(listener.heard).toEqual(names(MAX_KEPT));
    expect(source.all).toHaveLength(1);
  });

  test('and no listener: the connection stays until one comes', async () => {
    for (const name of names(MAX_KEPT + 1)) source.newest.deliver(name);
    const heard: string[] = [];
    const stop = transport.receive({ onQueueEmpty: () => heard.push('(empty)') });
    await manyTurns();
    source.newest.queueEmpty();
    // The end of the queue is that of the next connection.
    expect([source.all.length, heard]).toEqual([1, []]);
    stop();
    const leaving = notingListener(() => leave());
    const leave = transport.receive(leaving);
    await manyTurns();
    expect([source.all.length, leaving.heard]).toEqual([1, ['m0']]);
    const listener = notingListener();
    transport.receive(listener);
    await untilTrue(() => source.all.length === 2);
    expect(listener.heard).toEqual([...names(MAX_KEPT - 1, 1), '(ended)']);
  });

  test('and the connection is lost: the next one makes up for it', async () => {
    for (const name of names(MAX_KEPT + 1)) source.newest.deliver(name);
    source.newest.interrupt();
    await untilTrue(() => source.all.length === 2);
    source.newest.deliver('again');
    const listener = notingListener();
    transport.receive(listener);
    await manyTurns();
    expect(listener.heard).toEqual(['again']);
    expect(source.all).toHaveLength(2);
  });
});

describe('a listener', () => {
  test('hears nothing more once it was stopped, and what comes then waits for the next', async () => {
    const [first, second] = [notingListener(), notingListener()];
    const stop = transport.receive(first);
    await manyTurns();
    source.newest.deliver('one');
    source.newest.queueEmpty();
    stop();
    source.newest.deliver('two');
    transport.receive(second);
    await manyTurns();
    source.newest.interrupt();
    expect([first.heard, second.heard]).toEqual([
      ['one', '(empty)'],
      ['two', '(empty)', '(lost)'],
    ]);
  });

  test('that stops while it is given what was kept gets nothing further of it', async () => {
    for (const name of names(3)) source.newest.deliver(name);
    const first = notingListener(() => stop());
    const stop = transport.receive(first);
    await manyTurns();
    const second = notingListener();
    transport.receive(second);
    await manyTurns();
    expect([first.heard, second.heard]).toEqual([['m0'], ['m1', 'm2']]);
  });

  test('is given what comes while it is given what was kept after that', async () => {
    for (const name of names(2)) source.newest.deliver(name);
    const listener = notingListener((text) => {
      if (text === 'm0') source.newest.deliver('newer');
    });
    transport.receive(listener);
    await manyTurns();
    expect(listener.heard).toEqual(['m0', 'm1', 'newer']);
  });

  test('that asks for redelivery while it is given what was kept gets nothing further of it', async () => {
    for (const name of names(3)) source.newest.deliver(name);
    const listener = notingListener((text) => {
      if (text === 'm0') transport.redeliver();
    });
    transport.receive(listener);
    await untilTrue(() => source.all.length === 2);
    source.newest.deliver('again');
    expect(listener.heard).toEqual(['m0', '(ended)', 'again']);
  });

  test('is one at a time', async () => {
    const stop = transport.receive({});
    expect(() => transport.receive({})).toThrow(expect.objectContaining(refusedField('listener')));
    stop();
    const listener = notingListener();
    transport.receive(listener);
    // It ends its own listening, not that of whoever came after it.
    stop();
    await manyTurns();
    source.newest.deliver('one');
    expect(listener.heard).toEqual(['one']);
  });

  test('that the transport was made with is the only one, and hears all from the start', async () => {
    const listener = notingListener();
    const own = new HandMadeConnections();
    own.connected = async (connection) => {
      connection.deliver('early');
      await manyTurns();
    };
    await using listening = await openTransport(own, { listener });
    expect(() => listening.receive({})).toThrow(expect.objectContaining(refusedField('listener')));
    own.newest.queueEmpty();
    expect(listener.heard).toEqual(['early', '(empty)']);
    own.newest.interrupt();
    await untilTrue(() => own.all.length === 2);
    expect(listener.heard).toEqual(['early', '(empty)', '(lost)', 'early']);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a function', () => undefined],
    ['no function', { onIncomingMessage: 'no function' }],
    ['a number', { onQueueEmpty: 0 }],
  ])('is no listener: %s', (_what, listener) => {
    expect(() => transport.receive(listener as never)).toThrow(
      expect.objectContaining(refusedField('listener')),
    );
    transport.receive({});
  });

  test('hears nothing of a transport that is closed', async () => {
    const listener = notingListener();
    source.newest.deliver('kept');
    transport.receive(listener);
    const closed = transport.close();
    source.newest.deliver('late');
    source.newest.queueEmpty();
    source.newest.interrupt();
    await closed;
    expect(listener.heard).toEqual([]);
    expect(() => transport.receive(listener)).toThrow(
      expect.objectContaining({ code: 'ERR_CLOSED' }),
    );
  });
});

describe('an error that a listener throws', () => {
  const thrown: unknown[] = [];
  const note = (error: unknown): number => thrown.push(error);
  let others: NodeJS.UncaughtExceptionListener[] = [];
  beforeEach(() => {
    thrown.length = 0;
    others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', note);
  });
  afterEach(() => {
    process.off('uncaughtException', note);
    for (const other of others) process.on('uncaughtException', other);
  });

  test('is thrown at the process, and takes nothing of what was kept with it', async () => {
    for (const name of names(3)) source.newest.deliver(name);
    source.newest.queueEmpty();
    const acks: MessageAck[] = [];
    const listener = notingListener((text, ack) => {
      acks.push(ack);
      if (text !== 'm1') throw new Error(`not ${text}`);
    });
    transport.receive(listener);
    await manyTurns();
    expect(listener.heard).toEqual(['m0', 'm1', 'm2', '(empty)']);
    expect(thrown).toEqual([new Error('not m0'), new Error('not m2')]);
    for (const ack of acks) ack.send(200);
    expect(source.newest.acknowledged).toEqual(names(3));
  });

  test('at the end of the queue is thrown once', async () => {
    source.newest.queueEmpty();
    transport.receive({
      onQueueEmpty: () => {
        throw new Error('not empty');
      },
    });
    await manyTurns();
    expect(thrown).toEqual([new Error('not empty')]);
  });
});
