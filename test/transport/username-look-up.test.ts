import { usernames } from '@signalapp/libsignal-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChatTransport } from 'sealcast';
import { FakeService } from '../fakes/fake-service.js';
import { ACI, openTransport } from '../harness/transports.js';

const UUID = '0b6a3f0e-1111-4222-8333-444455556666';
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

let service: FakeService;
let transport: ChatTransport;
beforeAll(async () => {
  service = new FakeService();
  transport = await openTransport(service);
});
afterAll(() => transport.close());

/** Makes the service know a username; any other has no account. */
function know(username: string): void {
  const path = `/v1/accounts/username_hash/${base64url(usernames.hash(username))}`;
  service.on('GET', /^\/v1\/accounts\/username_hash\//, (request) =>
    request.path === path ? { status: 200, body: { uuid: ACI } } : { status: 404 },
  );
}

describe('a transport looks up', () => {
  test('the account of a username, unauthenticated and by its hash alone', async () => {
    know('ada.42');
    expect(await transport.lookUpUsername({ username: 'ada.42' })).toEqual({
      status: 'ok',
      aci: ACI,
    });
    const [request] = service.requests.slice(-1);
    expect(request?.authenticated).toBe(false);
    expect(request?.path).not.toContain('ada');
  });

  test('no account where there is none', async () => {
    know('ada.42');
    expect(await transport.lookUpUsername({ username: 'ben.42' })).toEqual({
      status: 'not-found',
    });
  });

  test('the account of a link, by the username that it has now', async () => {
    know('ada.42');
    const { entropy, encryptedUsername } = usernames.createUsernameLink('ada.42');
    service.on('GET', /^\/v1\/accounts\/username_link\//, ({ path }) =>
      path.endsWith(UUID)
        ? {
            status: 200,
            body: { usernameLinkEncryptedValue: base64url(encryptedUsername) },
          }
        : { status: 404 },
    );
    const link = { uuid: UUID, entropy: Uint8Array.from(entropy) };
    expect(await transport.lookUpUsername({ link })).toEqual({ status: 'ok', aci: ACI });
    const old = { ...link, uuid: UUID.replace('0b6a', 'ffff') };
    expect(await transport.lookUpUsername({ link: old })).toEqual({ status: 'not-found' });
    const wrong = { ...link, entropy: new Uint8Array(32) };
    expect(await transport.lookUpUsername({ link: wrong })).toMatchObject({ status: 'rejected' });
  });

  test('no sooner than the service allows', async () => {
    service.on('GET', /^\/v1\/accounts\/username_hash\//, () => ({
      status: 429,
      headers: { 'retry-after': '900' },
    }));
    expect(await transport.lookUpUsername({ username: 'ada.42' })).toEqual({
      status: 'rate-limited',
      retryAfterMs: 900_000,
    });
  });

  test.each([
    [{ username: 'ada' }, 'username'],
    [{ username: 'ada.0' }, 'username'],
    [{ username: 7 }, 'username'],
    [{ link: { uuid: 'x', entropy: new Uint8Array(32) } }, 'link.uuid'],
    [{ link: { uuid: UUID, entropy: new Uint8Array(31) } }, 'link.entropy'],
  ])('nothing of %j, which is refused', async (request, field) => {
    await expect(transport.lookUpUsername(request as { username: string })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field,
    });
  });
});
