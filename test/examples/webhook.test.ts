import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Receiver } from 'sealcast';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { forwardMessages } from '../../examples/webhook/webhook.mjs';

interface Posted {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const SENDER = '9d0652a3-dcc3-4d11-975f-74d61598733f';

let server: Server;
let url: string;
let posted: Posted[];
/** What the webhook answers, one after the other; 204 from then on. 0: it closes the connection. */
let statuses: number[];
beforeEach(async () => {
  posted = [];
  statuses = [];
  server = createServer((request, response) => {
    void text(request).then((body) => {
      posted.push({ headers: request.headers, body });
      const status = statuses.shift() ?? 204;
      if (status === 0) request.socket.destroy();
      else response.writeHead(status, { location: '/elsewhere' }).end('a body');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

/**
 * A receiver that gives out these texts; `dealtWith` counts those after which the next one was
 * asked for.
 */
function receiverOf(
  ...bodies: readonly (string | undefined)[]
): Receiver & { readonly dealtWith: number } {
  const receiver = {
    dealtWith: 0,
    async *[Symbol.asyncIterator]() {
      for (const [i, body] of bodies.entries()) {
        const dataMessage = body === undefined ? {} : { body };
        yield await Promise.resolve({
          sender: SENDER,
          senderDevice: 1,
          timestamp: 1_000 + i,
          content: { dataMessage },
        });
        receiver.dealtWith++;
      }
    },
  };
  return receiver as unknown as Receiver & typeof receiver;
}

const quick = { firstDelayMs: 0 };

test('the webhook gets each text with its sender and timestamp, in order, and nothing without a text', async () => {
  expect(
    await forwardMessages(receiverOf('one', undefined, 'two'), {
      url,
      headers: { authorization: 'Bearer x' },
    }),
  ).toBe(2);
  expect(posted.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
    { sender: SENDER, timestamp: 1_000, body: 'one' },
    { sender: SENDER, timestamp: 1_002, body: 'two' },
  ]);
  const [first, second] = posted.map(({ headers }) => headers);
  expect(first).toMatchObject({ 'content-type': 'application/json', authorization: 'Bearer x' });
  expect(first?.['idempotency-key']).toMatch(/^[0-9a-f]{64}$/);
  expect(first?.['idempotency-key']).not.toBe(second?.['idempotency-key']);
});

test('a message is posted again after an outage, a rate limit and a lost connection, under the same key', async () => {
  statuses = [503, 429, 0];
  const reasons: string[] = [];
  const onRetry = (reason: string): unknown => reasons.push(reason);
  expect(await forwardMessages(receiverOf('one'), { url, ...quick, onRetry })).toBe(1);
  expect(reasons.slice(0, 2)).toEqual(['HTTP 503', 'HTTP 429']);
  expect(reasons).toHaveLength(3);
  expect(posted).toHaveLength(4);
  expect(new Set(posted.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
});

test('the loop ends after the last attempt, with the message not dealt with and not named in the error', async () => {
  statuses = Array.from({ length: 9 }, () => 500);
  const receiver = receiverOf('one', 'two');
  const error: unknown = await forwardMessages(receiver, { url, ...quick, attempts: 3 }).catch(
    (reason: unknown) => reason,
  );
  expect(error).toEqual(new Error('post to the webhook: HTTP 500 in the last of 3 attempts'));
  expect(posted).toHaveLength(3);
  expect(receiver.dealtWith).toBe(0);
});

test('a refusal that another attempt would meet too is not tried again', async () => {
  statuses = [400];
  await expect(forwardMessages(receiverOf('one'), { url, ...quick })).rejects.toThrow(
    'post to the webhook: HTTP 400',
  );
  expect(posted).toHaveLength(1);
});

test('a redirect is not followed: the text goes where it was to go', async () => {
  statuses = [302, 302];
  await expect(forwardMessages(receiverOf('one'), { url, ...quick, attempts: 2 })).rejects.toThrow(
    '2 attempts',
  );
  expect(posted).toHaveLength(2);
});

test.each(['http://example.com/', 'ftp://127.0.0.1/'])(
  '%s is refused before anything is taken',
  async (unsafe) => {
    const receiver = receiverOf('one');
    await expect(forwardMessages(receiver, { url: unsafe })).rejects.toThrow(
      'the webhook needs an https: url',
    );
    expect(receiver.dealtWith).toBe(0);
  },
);
