// What a process may forbid or lack, and what of the package works there.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const packageRoot = dirname(createRequire(import.meta.url).resolve('sealcast/package.json'));
const isLinux = process.platform === 'linux';
/** Its permission model forbids fsync; that of Node 22 and older does not have addons. */
const hasPermissions = Number(process.versions.node.split('.')[0]) >= 24;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sealcast-surroundings-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What works, one word each; an error's code instead where it does not. */
const SCRIPT = `
  const said = {};
  const attempt = async (name, work) => {
    said[name] = await work().catch(({ name, code }) => code ?? name);
  };
  await attempt('sealer', async () => {
    const { Sealer } = await import('sealcast');
    const { IdentityKeyPair } = await import('@signalapp/libsignal-client');
    const identityKeyPair = IdentityKeyPair.generate();
    const recipientIdentityKey = identityKeyPair.publicKey;
    const sealer = await Sealer.create({ identityKeyPair, threads: 1 });
    const [sealed] = await sealer.seal([{ recipientIdentityKey, content: new Uint8Array(3) }]);
    // Three zeros are no USMC, which libsignal finds.
    const [unsealed] = await sealer.unseal([sealed.envelope]);
    await sealer.close();
    return unsealed.error.code === 'ERR_INVALID_ENVELOPE' ? 'works' : unsealed.error.code;
  });
  await attempt('store', async () => {
    const { openStore } = await import('sealcast');
    const store = await openStore({ path: process.env.STORE_PATH });
    await store.commit([{ table: 'session', key: 'a', value: Uint8Array.of(1) }]);
    await store.close();
    return 'works';
  });
  await attempt('broadcaster', async () => {
    const { Broadcaster, MemoryStore } = await import('sealcast');
    const names = ['sendSealed', 'sendUnsealed', 'fetchPreKeys', 'accountExists', 'fetchSenderCertificate'];
    const transport = Object.fromEntries(names.map((name) => [name, async () => ({ status: 'unavailable' })]));
    const { IdentityKeyPair } = await import('@signalapp/libsignal-client');
    const identityKeyPair = IdentityKeyPair.generate();
    const account = { aci: '9d0652a3-dcc3-4d11-975f-74d61598733f', deviceId: 1, registrationId: 1, identityKeyPair };
    const trustRoots = [identityKeyPair.publicKey];
    const options = { store: new MemoryStore(), transport, trustRoots, account, threads: 1 };
    const broadcaster = await Broadcaster.open(options);
    await broadcaster.close();
    return 'works';
  });
  console.log(JSON.stringify(said));`;

function attempts(nodeArgs: readonly string[], shell = ''): unknown {
  const node = [process.execPath, ...nodeArgs, '--input-type=module', '--eval', '"$SCRIPT"'].join(
    ' ',
  );
  const env = { ...process.env, SCRIPT, STORE_PATH: join(directory, 'store') };
  const { stdout, stderr } = spawnSync('sh', ['-c', `${shell} exec ${node}`], {
    cwd: packageRoot,
    env,
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

describe.skipIf(process.platform === 'win32')('a process', () => {
  test('that forbids code generation from strings can seal, and is told what it cannot do', () => {
    expect(attempts(['--disallow-code-generation-from-strings'])).toEqual({
      sealer: 'works',
      store: 'ERR_NOT_IMPLEMENTED',
      broadcaster: 'ERR_NOT_IMPLEMENTED',
    });
  });

  // How many addresses V8 takes differs with its version; the limit was found with that of Node 20.
  test.skipIf(!isLinux || !process.version.startsWith('v20.'))(
    'with few addresses is told so, and works where V8 reserves none for checks',
    () => {
      const limit = 'ulimit -v 9000000;';
      expect(attempts([], limit)).toMatchObject({
        sealer: 'ERR_OUT_OF_MEMORY',
        broadcaster: 'ERR_OUT_OF_MEMORY',
      });
      expect(attempts(['--disable-wasm-trap-handler'], limit)).toMatchObject({
        sealer: 'works',
        broadcaster: 'works',
      });
    },
  );

  test.skipIf(!hasPermissions)(
    'under the permission model works with the permissions that the docs name',
    () => {
      const readable = [
        packageRoot,
        realpathSync(join(packageRoot, 'node_modules')),
        directory,
        '/etc/alpine-release',
      ];
      expect(
        attempts([
          '--permission',
          '--no-warnings',
          ...readable.map((path) => `--allow-fs-read=${path}`),
          `--allow-fs-write=${directory}`,
          '--allow-addons',
          '--allow-worker',
        ]),
      ).toEqual({ sealer: 'works', store: 'works', broadcaster: 'works' });
    },
  );
});
