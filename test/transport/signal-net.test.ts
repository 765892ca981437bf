import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PublicKey } from '@signalapp/libsignal-client';
import { Net } from '@signalapp/libsignal-client/dist/net.js';
import { signalNet, type SignalNetOptions } from 'sealcast';
import { describe, expect, it } from 'vitest';
import { VERSION } from '#dist/src/transport/chat/signal-net.js';
import { packageRoot } from '../harness/consumer-project.js';
import { refusedField } from '../harness/refusals.js';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
/** Parts of libsignal's Net that TypeScript keeps to itself. */
const optionsOf = (net: Net): Readonly<Record<string, unknown>> =>
  (net as unknown as { readonly options: Readonly<Record<string, unknown>> }).options;

describe('the network of Signal', () => {
  it.each([
    ['production', 1, 'BXu6QIKVz5MA8gstzfOgRQGqyLqOwNKHL6INkv3IHWMF'],
    ['staging', 0, 'BbqY1DzohE4NUZoVF+L18oUPrK3kILllLEJh2UnPSsEx'],
  ] as const)('has libsignal’s Net and the trust roots of %s', async (env, number, root) => {
    const { net, trustRoots } = await signalNet({ env });
    expect(net).toBeInstanceOf(Net);
    expect(optionsOf(net)).toMatchObject({ env: number, userAgent: `sealcast/${VERSION}` });
    expect(trustRoots).toHaveLength(2);
    expect(base64(trustRoots[0]!)).toBe(root);
    for (const each of trustRoots)
      expect(PublicKey.deserialize(Uint8Array.from(each)).serialize()).toEqual(each);
  });

  it('is production’s, with sealed messages over the chat connection, unless told otherwise', async () => {
    const { net } = await signalNet();
    expect(optionsOf(net)).toMatchObject({ env: 1 });
    expect(Object.fromEntries(optionsOf(net)['remoteConfig'] as Map<string, string>)).toEqual({
      'grpc.MessagesAnonymousSendSingleRecipientMessage': 'ws',
      'grpc.AccountsAnonymousCheckAccountExistence.2': 'ws',
      'grpc.AttachmentsGetUploadForm': 'ws',
    });
    const other = await signalNet({ remoteConfig: {}, userAgent: 'bulletin/2' });
    expect(optionsOf(other.net)).toMatchObject({ userAgent: 'bulletin/2' });
    expect(optionsOf(other.net)['remoteConfig']).toEqual(new Map());
  });

  it('takes other trust roots, and copies them', async () => {
    const root = new Uint8Array(33).fill(5);
    const { trustRoots } = await signalNet({ trustRoots: [root] });
    root.fill(0);
    expect(trustRoots).toEqual([new Uint8Array(33).fill(5)]);
  });

  it.each<SignalNetOptions['proxy'] & (string | object)>([
    'socks5://user:secret@proxy.example:1080',
    'org.signal.tls://proxy.example:443',
    { scheme: 'http', host: '127.0.0.1', port: 3128 },
    { scheme: 'https', host: '::1' },
  ])('takes the proxy %j', async (proxy) => {
    await expect(signalNet({ proxy })).resolves.toBeDefined();
  });

  it.each<[object, string]>([
    [{ env: 'live' }, 'env'],
    [{ environment: 'staging' }, 'environment'],
    [{ userAgent: '' }, 'userAgent'],
    [{ userAgent: 'two\nlines' }, 'userAgent'],
    [{ userAgent: 'Signal-Desktop/7.0.0' }, 'userAgent'],
    [{ userAgent: 'mine signal-android/7.0' }, 'userAgent'],
    [{ userAgent: 'x'.repeat(129) }, 'userAgent'],
    [{ trustRoots: [] }, 'trustRoots'],
    [{ trustRoots: [new Uint8Array(32)] }, 'trustRoots'],
    [{ remoteConfig: { key: 1 } }, 'remoteConfig.key'],
    [{ proxy: 'proxy.example' }, 'proxy'],
    [{ proxy: 'http://user:secret@proxy.example/path' }, 'proxy'],
    [{ proxy: 'ftp://user:secret@proxy.example' }, 'proxy'],
    [{ proxy: null }, 'proxy'],
    [{ proxy: { scheme: 'http', host: 'a b' } }, 'proxy.host'],
    [{ proxy: { scheme: 'http', host: '' } }, 'proxy.host'],
    [{ proxy: { scheme: 'http', host: 'a', port: 0 } }, 'proxy.port'],
    [{ proxy: { scheme: 'http', host: 'a', port: 65_536 } }, 'proxy.port'],
    [{ proxy: { scheme: 1, host: 'a' } }, 'proxy.scheme'],
    [{ proxy: { scheme: 'http', host: 'a', password: 1 } }, 'proxy.password'],
    [{ proxy: { scheme: 'org.signal.tls', host: 'a', username: 'secret' } }, 'proxy'],
    [{ proxy: { scheme: 'http', host: 'a', prot: 1 } }, 'proxy.prot'],
  ])('refuses %j, and repeats no secret', async (options, field) => {
    const error: unknown = await signalNet(options as SignalNetOptions).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject(refusedField(field));
    expect(String(error)).not.toContain('secret');
  });
});

it('the version in the source is that of package.json', () => {
  const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as object;
  expect(manifest).toMatchObject({ version: VERSION });
});
