import { ErrorCode, LibSignalErrorBase } from '@signalapp/libsignal-client';
import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { type ChatTransport, type ChatTransportOptions, type ConnectionSource } from 'sealcast';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { FakeService, type FakeResponse } from '../fakes/fake-service.js';
import { HandMadeConnections } from '../fakes/hand-made-connections.js';
import { SlowService } from '../fakes/slow-service.js';
import { AS_ACCOUNT, ASK, ASK_NAMES, openTransport } from '../harness/transports.js';

const OK: FakeResponse = { status: 200, body: {} };
const delinked = (): Error => new LibSignalErrorBase('delinked', 'DeviceDelinked', 'connect');
const tooOld = (): Error =>
  new LibSignalErrorBase('unexpected response status 499', 'IoError', 'connect');
const connectedElsewhere = (): LibSignalErrorBase =>
  new LibSignalErrorBase('connected elsewhere', 'ConnectedElsewhere', 'connect');

let transport: ChatTransport | undefined;
afterEach(() => transport?.close());

async function open(
  service: ConnectionSource,
  options?: Parameters<typeof openTransport>[1],
): Promise<ChatTransport> {
  return (transport = await openTransport(service, options));
}

describe('a connection that is lost', () => {
  test.each(ASK_NAMES)('%s: what was on its way is answered with unavailable', async (name) => {
    const service = new SlowService();
    const answer = ASK[name](await open(service));
    await service.untilAsked(1);
    await service.dropConnections();
    expect(await answer).toMatchObject({
      status: 'unavailable',
      cause: { code: ErrorCode.ChatServiceInactive },
    });
  });

  test('is made again, and what was asked meanwhile waits for it', async () => {
    const service = new FakeService().on('PUT', /./, () => OK);
    await open(service);
    service.refuseConnections();
    await service.dropConnections();
    await untilTrue(() => service.connectAttempts >= 6);
    const sealed = ASK.sendSealed(transport!);
    const unsealed = ASK.sendUnsealed(transport!);
    await manyTurns();
    expect(service.requests).toEqual([]);
    service.allowConnections();
    expect(await Promise.all([sealed, unsealed])).toEqual([{ status: 'sent' }, { status: 'sent' }]);
    expect(service.open).toHaveLength(2);
  });

  test.each(ASK_NAMES)('%s: is waited for as long as a request may take', async (name) => {
    const service = new FakeService();
    await open(service, { requestTimeoutMs: 20 });
    service.refuseConnections();
    await service.dropConnections();
    await untilTrue(() => service.connectAttempts > 2);
    expect(await ASK[name](transport!)).toMatchObject({ status: 'unavailable' });
    expect(service.requests).toEqual([]);
  });

  test('is made again one attempt at a time', async () => {
    const service = new FakeService().on('PUT', /./, () => OK);
    let attempts = 0;
    let proceed = (): void => undefined;
    await open({
      connectAuthenticated: (listener) => service.connectAuthenticated(listener),
      connectUnauthenticated: async (listener) => {
        attempts += 1;
        if (attempts > 1) await new Promise<void>((resolve) => (proceed = resolve));
        return service.connectUnauthenticated(listener);
      },
    });
    await service.dropConnections();
    const answers = Promise.all(Array.from({ length: 10 }, () => ASK.sendSealed(transport!)));
    await untilTrue(() => attempts === 2);
    await manyTurns();
    expect(attempts).toBe(2);
    proceed();
    expect(await answers).toEqual(Array.from({ length: 10 }, () => ({ status: 'sent' })));
    expect(attempts).toBe(2);
  });

  test('is heard of by the listener, and what comes in over the next one too', async () => {
    const heard: unknown[] = [];
    const service = new FakeService();
    await open(service, {
      listener: {
        onIncomingMessage: (envelope, timestampMs) => heard.push([envelope, timestampMs]),
        onQueueEmpty: () => heard.push('empty'),
        onConnectionInterrupted: (cause) => heard.push(cause instanceof Error),
      },
    });
    await service.dropConnections();
    await untilTrue(() => service.open.some(({ authenticated }) => authenticated));
    expect(heard).toEqual([true]);
    const { remote } = service.open.find(({ authenticated }) => authenticated)!;
    // WebSocketRequestMessage of the service: 1 verb, 2 path, 3 body, 4 id, 5 headers.
    const text = (field: number, value: string): Buffer =>
      Buffer.concat([Uint8Array.of((field << 3) | 2, value.length), Buffer.from(value)]);
    const bytes = (parts: Buffer[]): Uint8Array<ArrayBuffer> =>
      new Uint8Array(Buffer.concat(parts));
    const message = [
      text(1, 'PUT'),
      text(2, '/api/v1/message'),
      text(3, 'abc'),
      Buffer.of(0x20, 1),
    ];
    remote.sendRawServerRequest(bytes([...message, text(5, 'x-signal-timestamp: 1000')]));
    remote.sendRawServerRequest(
      bytes([text(1, 'PUT'), text(2, '/api/v1/queue/empty'), Buffer.of(0x20, 2)]),
    );
    await neverHangs(
      untilTrue(() => heard.length === 3),
      'the message',
    );
    expect(heard.slice(1)).toEqual([[new Uint8Array(Buffer.from('abc')), 1_000], 'empty']);
  });
});

describe('a service that refuses the account for good', () => {
  test('when it is connected to: says so', async () => {
    const service = new FakeService();
    service.refuseConnections(delinked);
    await expect(openTransport(service)).rejects.toMatchObject({
      code: 'ERR_TRANSPORT_REFUSED',
      reason: 'delinked',
      cause: { code: ErrorCode.DeviceDelinked },
    });
  });

  test('when it is connected to, for this client is too old, in an error of no type of its own: says so', async () => {
    const service = new FakeService();
    service.refuseConnections(() => tooOld());
    await expect(openTransport(service)).rejects.toMatchObject({
      code: 'ERR_TRANSPORT_REFUSED',
      cause: { code: ErrorCode.IoError },
    });
  });

  test('later on, for this client is too old: is not asked again', async () => {
    const service = new FakeService();
    await open(service);
    service.refuseConnections(() => tooOld());
    await service.dropConnections();
    for (const name of ASK_NAMES)
      await expect(ASK[name](transport!)).rejects.toMatchObject({ code: 'ERR_TRANSPORT_REFUSED' });
    expect(service.connectAttempts).toBe(4);
  });

  test('when it is just not there: says that', async () => {
    const service = new FakeService();
    service.refuseConnections();
    await expect(openTransport(service)).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
      cause: { message: 'the service is away' },
    });
    expect(service.connectAttempts).toBe(2);
  });

  test('when it limits how often it is connected to: says how long to wait', async () => {
    const service = new FakeService();
    service.refuseConnections(() => {
      const limited = new LibSignalErrorBase('rate limited', 'RateLimitedError', 'connect');
      return Object.assign(limited, { retryAfterSecs: 90 });
    });
    await expect(openTransport(service)).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
      retryable: true,
      retryAfterMs: 90_000,
    });
  });

  test('later on: is not asked again, and what needs no account goes on', async () => {
    const service = new FakeService().on('PUT', /./, () => OK);
    await open(service);
    const account = service.connections.find(({ authenticated }) => authenticated)!;
    account.listener.onConnectionInterrupted(connectedElsewhere());
    for (const name of AS_ACCOUNT) {
      const cause = { code: ErrorCode.ConnectedElsewhere };
      await expect(ASK[name](transport!)).rejects.toMatchObject({
        code: 'ERR_TRANSPORT_REFUSED',
        cause,
      });
    }
    expect(await ASK.sendSealed(transport!)).toEqual({ status: 'sent' });
    expect(service.connectAttempts).toBe(2);
  });

  test('later on: the listener hears that nothing more comes, after the interruption', async () => {
    const service = new FakeService();
    const heard: unknown[] = [];
    await open(service);
    transport!.receive({
      onConnectionInterrupted: () => heard.push('interrupted'),
      onConnectionEnded: (error) => heard.push(error),
    });
    service.connections
      .find(({ authenticated }) => authenticated)!
      .listener.onConnectionInterrupted(connectedElsewhere());
    await untilTrue(() => heard.length === 2);
    const cause = { code: ErrorCode.ConnectedElsewhere };
    expect(heard).toMatchObject(['interrupted', { code: 'ERR_TRANSPORT_REFUSED', cause }]);
    await transport!.close();
    expect(heard).toHaveLength(2);
  });

  test('when it connects again: the listener hears that nothing more comes', async () => {
    const service = new FakeService();
    const heard: unknown[] = [];
    await open(service);
    transport!.receive({ onConnectionEnded: (error) => heard.push(error) });
    service.refuseConnections(delinked);
    await service.dropConnections();
    await untilTrue(() => heard.length === 1);
    expect(heard).toMatchObject([
      {
        code: 'ERR_TRANSPORT_REFUSED',
        reason: 'delinked',
        cause: { code: ErrorCode.DeviceDelinked },
      },
    ]);
  });

  test('before there is a listener: the listener that comes hears of it', async () => {
    const service = new FakeService();
    const heard: unknown[] = [];
    await open(service);
    service.connections
      .find(({ authenticated }) => authenticated)!
      .listener.onConnectionInterrupted(connectedElsewhere());
    transport!.receive({ onConnectionEnded: ({ code }) => heard.push(code) });
    await untilTrue(() => heard.length === 1);
    expect(heard).toEqual(['ERR_TRANSPORT_REFUSED']);
  });

  test('connected elsewhere is tried again where the option says so', async () => {
    const service = new FakeService();
    const heard: unknown[] = [];
    transport = await openTransport(service, { retryConnectedElsewhere: { baseMs: 2, capMs: 4 } });
    transport.receive({ onConnectionEnded: ({ code }) => heard.push(code) });
    for (let round = 1; round <= 3; round++) {
      const known = service.connectAttempts;
      service.connections
        .findLast(({ authenticated }) => authenticated)!
        .listener.onConnectionInterrupted(connectedElsewhere());
      await untilTrue(() => service.connectAttempts > known);
      expect(await ASK.countPreKeys(transport)).toBeDefined();
    }
    expect(heard).toEqual([]);
  });

  test.each([null, 'yes', 5, { baseMS: 1 }])(
    'refuses retryConnectedElsewhere: %j',
    async (retryConnectedElsewhere) => {
      const options = { retryConnectedElsewhere } as unknown as ChatTransportOptions;
      await expect(openTransport(new FakeService(), options)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
      });
    },
  );

  test('while requests wait for the connection: ends their wait', async () => {
    const service = new FakeService();
    await open(service);
    service.refuseConnections();
    await service.dropConnections();
    await untilTrue(() => service.connectAttempts > 2);
    const waiting = ASK.sendUnsealed(transport!);
    service.refuseConnections(delinked);
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_TRANSPORT_REFUSED' });
  });
});

describe('a transport that connects again and again', () => {
  test('gives each attempt a signal of its own: a listener that libsignal leaves on it is gone with it', async () => {
    const service = new HandMadeConnections();
    const signals = new Set<AbortSignal>();
    const source: ConnectionSource = {
      connectUnauthenticated: () => service.connectUnauthenticated(),
      connectAuthenticated: (listener, signal) => {
        signals.add(signal);
        signal.addEventListener('abort', () => undefined);
        return service.connectAuthenticated(listener);
      },
    };
    await open(source);
    for (let round = 1; round <= 50; round++) {
      service.newest.interrupt();
      await untilTrue(() => signals.size > round);
    }
    for (const signal of signals) expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  });
});

describe('several unauthenticated connections', () => {
  test('share the requests: each takes the connection with the fewest in flight', async () => {
    const service = new SlowService();
    await open(service, { unauthenticatedConnections: 3 });
    const answers = Array.from({ length: 9 }, () => ASK.sendSealed(transport!));
    await service.untilAsked(9);
    const counts = new Map<number, number>();
    for (const { connection } of service.requests)
      counts.set(connection, (counts.get(connection) ?? 0) + 1);
    expect([...counts.values()]).toEqual([3, 3, 3]);
    service.answerAll(OK);
    await Promise.all(answers);
  });

  test('replace one that is lost', async () => {
    const service = new FakeService().on('PUT', /./, () => OK);
    await open(service, { unauthenticatedConnections: 2 });
    const [lost] = service.connections.filter(({ authenticated }) => !authenticated);
    service.refuseConnections();
    await lost!.drop();
    await untilTrue(() => service.connectAttempts > 3);
    for (let i = 0; i < 5; i++)
      expect(await ASK.sendSealed(transport!)).toEqual({ status: 'sent' });
    expect(service.requests.every(({ connection }) => connection !== lost!.number)).toBe(true);
  });
});

test('alerts of the service reach the listener, also one that comes after the connect', async () => {
  const source = new HandMadeConnections();
  await using transport = await openTransport(source);
  const heard: unknown[] = [];
  source.newest.alert([
    'idle-primary-device',
    'no alert\n',
    ...Array.from({ length: 20 }, () => 'x'),
  ]);
  const stop = transport.receive({ onAlerts: (alerts) => heard.push(alerts) });
  expect(heard).toEqual([]);
  await manyTurns();
  expect(heard).toEqual([['idle-primary-device', ...Array.from({ length: 7 }, () => 'x')]]);
  source.newest.alert(['another']);
  source.newest.alert([]);
  expect(heard.slice(1)).toEqual([['another']]);
  stop();
});
