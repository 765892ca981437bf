// A transport in front of a stand-in for the service, and the requests that it got.
import { afterAll, beforeAll } from 'vitest';
import type { ChatTransport } from 'sealcast';
import { FakeService, type FakeRequest } from '../fakes/fake-service.js';
import { openTransport } from '../harness/transports.js';

export const PNI = 'PNI:796abedb-ca4e-4f18-8803-1fde5b921f9f';
export const IDENTITY_KEY = new Uint8Array(33).fill(5);
export const VERIFIER = new Uint8Array(32).fill(4);

export let service: FakeService;
export let transport: ChatTransport;
/** The tests of the file share a transport, whose uploads the service accepts. */
export function useAccountTransport(): void {
  beforeAll(async () => {
    service = new FakeService();
    service.on('PUT', /./, () => ({ status: 200 }));
    transport = await openTransport(service);
  });
  afterAll(() => transport.close());
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export function lastRequest(): FakeRequest {
  const [request] = service.requests.slice(-1);
  if (request === undefined) throw new Error('nothing was asked');
  return request;
}

/** What was asked, and by whom. */
export function lastAsked(): object {
  const { verb, path, authenticated, headers } = lastRequest();
  return { verb, path, authenticated, headers: Object.fromEntries(headers) };
}

export const asAccount = (verb: string, path: string): object => ({
  verb,
  path,
  authenticated: true,
  headers: verb === 'PUT' ? { 'content-type': 'application/json' } : {},
});
