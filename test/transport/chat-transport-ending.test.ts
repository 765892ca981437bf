import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { type ChatTransport, type ConnectionSource } from 'sealcast';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { builtFile } from '../harness/built-file.js';
import { FakeService, type FakeResponse } from '../fakes/fake-service.js';
import { runProcess } from '../harness/run-process.js';
import { SlowService } from '../fakes/slow-service.js';
import { ASK, ASK_NAMES, openTransport } from '../harness/transports.js';

const OK: FakeResponse = { status: 200, body: {} };

let transport: ChatTransport | undefined;
afterEach(() => transport?.close());

async function open(
  service: ConnectionSource,
  options?: Parameters<typeof openTransport>[1],
): Promise<ChatTransport> {
  return (transport = await openTransport(service, options));
}

describe('a signal', () => {
  const reason = new Error('enough');

  test.each(ASK_NAMES)('%s: ends a request on its way', async (name) => {
    const service = new SlowService();
    const controller = new AbortController();
    const answer = ASK[name](await open(service), { signal: controller.signal });
    await service.untilAsked(1);
    controller.abort(reason);
    await expect(answer).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: reason });
  });

  test('ends the wait for a connection', async () => {
    const service = new FakeService();
    await open(service);
    service.refuseConnections();
    await service.dropConnections();
    await untilTrue(() => service.connectAttempts > 2);
    const controller = new AbortController();
    const answer = ASK.sendSealed(transport!, { signal: controller.signal });
    controller.abort(reason);
    await expect(answer).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: reason });
  });

  test('that fired already: nothing is sent', async () => {
    const service = new FakeService();
    await open(service);
    const signal = AbortSignal.abort(reason);
    await expect(ASK.sendSealed(transport!, { signal })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
      cause: reason,
    });
    expect(service.requests).toEqual([]);
  });

  test('has one listener however many requests share it, and none when they are over', async () => {
    const service = new SlowService();
    const { signal } = new AbortController();
    await open(service);
    const answers = Promise.all(
      Array.from({ length: 20 }, () => ASK.sendSealed(transport!, { signal })),
    );
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await service.untilAsked(20);
    service.answerAll(OK);
    await answers;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a request that is not answered', () => {
  test.each(ASK_NAMES)('%s: is given up as unavailable', async (name) => {
    await open(new SlowService(), { requestTimeoutMs: 20 });
    expect(await ASK[name](transport!)).toMatchObject({ status: 'unavailable' });
  });
});

describe('a transport that is closed', () => {
  test.each(ASK_NAMES)('%s: rejects with ERR_CLOSED, before and after', async (name) => {
    const service = new SlowService();
    const answer = ASK[name](await open(service));
    await service.untilAsked(1);
    const closed = transport!.close();
    await expect(answer).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await closed;
    await expect(ASK[name](transport!)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(service.open).toEqual([]);
  });

  test('ends the wait for a connection, and makes no other one', async () => {
    const service = new FakeService();
    await open(service);
    service.refuseConnections();
    await service.dropConnections();
    await untilTrue(() => service.connectAttempts > 2);
    const waiting = ASK.sendSealed(transport!);
    await Promise.all([
      transport!.close(),
      transport!.close(),
      expect(waiting).rejects.toMatchObject({ code: 'ERR_CLOSED' }),
    ]);
    const attempts = service.connectAttempts;
    await manyTurns();
    expect(service.connectAttempts).toBe(attempts);
  });

  test('leaves nothing that would keep the process alive', async () => {
    const script = builtFile('test/fakes/hung-transport.js');
    // What it says on stderr is not looked at: libsignal's threads may complain there that Node has
    // gone (0.103.0, 2026-11).
    const { exitCode, stdout } = await neverHangs(runProcess(script, []), 'the process');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '["ERR_CLOSED","ERR_CLOSED"]\n' });
  });

  test('disconnects what was still being connected to', async () => {
    const service = new FakeService();
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
    await service.dropConnections(({ authenticated }) => !authenticated);
    await untilTrue(() => attempts === 2);
    await transport!.close();
    proceed();
    await untilTrue(() => service.connections.length === 3 && service.open.length === 0);
  });
});

describe('a transport that is closed under its listener', () => {
  test('says so', async () => {
    const heard: string[] = [];
    await open(new FakeService());
    transport!.receive({ onConnectionEnded: ({ code }) => heard.push(code) });
    await transport!.close();
    await transport!.close();
    expect(heard).toEqual(['ERR_CLOSED']);
  });
});
