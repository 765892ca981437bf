import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { StorageOutcome } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIGNAL_AUTHORITY } from '#dist/src/transport/chat/signal-authority.js';
import { askStorage } from '#dist/src/transport/chat/storage-host.js';

const mock = createRequire(import.meta.url).resolve('@signalapp/mock-server/package.json');
const certificate = (name: string): string =>
  readFileSync(join(dirname(mock), 'certs', name), 'utf8');
const LOGIN = { username: 'a user', password: 'a password' };

let server: Server;
let requests: unknown[];
let answer: { readonly status: number; readonly body?: Uint8Array };
beforeEach(async () => {
  requests = [];
  answer = { status: 200, body: Uint8Array.of(1, 2, 3) };
  const keys = { key: certificate('key.pem'), cert: certificate('full-cert.pem') };
  server = createServer(keys, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method, url, headers } = request;
      requests.push([method, url, headers.authorization, Buffer.concat(parts).toString('hex')]);
      response.writeHead(answer.status).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

function ask(
  authority = certificate('ca-cert.pem'),
  signal = new AbortController().signal,
): Promise<StorageOutcome> {
  const { port } = server.address() as AddressInfo;
  const service = { url: `https://localhost:${port}/under`, certificateAuthority: authority };
  const request = { verb: 'PUT', path: '/v1/storage/read', body: Uint8Array.of(255) } as const;
  return askStorage(service, LOGIN, request, signal);
}

describe('a request to the storage service', () => {
  it('has the login and the body, and gives the body of the answer', async () => {
    expect(await ask()).toEqual({ status: 'ok', body: Uint8Array.of(1, 2, 3) });
    const login = Buffer.from('a user:a password').toString('base64');
    expect(requests).toEqual([['PUT', '/under/v1/storage/read', `Basic ${login}`, 'ff']]);
  });

  it.each<[number, object]>([
    [204, { status: 'unchanged' }],
    [401, { status: 'unauthorized' }],
    [404, { status: 'not-found' }],
    [413, { status: 'too-large' }],
    [503, { status: 'unavailable', httpStatus: 503 }],
  ])('answered with %i is an outcome', async (status, outcome) => {
    answer = { status };
    expect(await ask()).toMatchObject(outcome);
  });

  it('goes to no host of another certificate authority', async () => {
    expect(await ask(SIGNAL_AUTHORITY)).toMatchObject({ status: 'unavailable' });
    expect(requests).toEqual([]);
  });

  it('is refused an answer that is too long', async () => {
    answer = { status: 200, body: new Uint8Array(17 * 1024 * 1024) };
    expect(await ask()).toMatchObject({ status: 'unavailable' });
  });

  it('ends when it is aborted', async () => {
    const reason = new Error('enough');
    await expect(ask(undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
