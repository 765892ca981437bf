import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import type { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, SealcastError, type Store } from 'sealcast';
import { findingOf } from '#dist/src/cli/doctor/finding.js';
import {
  checkDisk,
  checkLibsignal,
  checkLocalClock,
  checkNode,
  checkPermissions,
  libsignalVersion,
  TESTED_LIBSIGNAL,
} from '#dist/src/cli/doctor/machine-checks.js';
import { checkSkew } from '#dist/src/cli/doctor/service-checks.js';
import { checkLastReceive } from '#dist/src/cli/doctor/store-checks.js';
import { isPrimary } from '#dist/src/util/addresses.js';
import { broadcastChange } from '#dist/src/store/tables/broadcasts.js';
import { lastReceivedChange, loadLastReceivedMs } from '#dist/src/store/tables/account.js';
import {
  credentialsChange,
  pendingLinkChange,
  pendingRegistrationChange,
  type CredentialsRecord,
  type PniIdentity,
} from '#dist/src/store/tables/credentials.js';
import { pendingImportChange } from '#dist/src/store/tables/imports.js';
import { OwnDeviceService } from '../fakes/own-device-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { command, jsonLines, StandInCommandService } from '../harness/command.js';
import { SYSTEM_CLOCK } from '#dist/src/util/clock.js';

const DAY_MS = 86_400_000;
let directory: string;
let transport: OwnDeviceService;
let service: StandInCommandService;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sealcast-doctor-'));
  transport = new OwnDeviceService();
  service = new StandInCommandService(transport);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const path = (): string => join(directory, 'data');
const dataDir = (): readonly string[] => ['--data-dir', path()];

/** Changes the store, which is made where there is none. */
async function change(...changes: Parameters<Store['commit']>[0]): Promise<void> {
  await using store = await openStore({ path: path() });
  await store.commit(changes);
}

/** The store gets its account. */
async function openOnce(): Promise<void> {
  await using store = await openStore({ path: path() });
  const opened = await service.open(store);
  await opened[Symbol.asyncDispose]();
}

/** The service has the account, as a contact of it sees it. */
async function registerOwn(): Promise<void> {
  const { aci, profileKey, identityKeyPair } = transport.sender;
  own = Object.assign(await transport.subscribe(), { aci, profileKey, identity: identityKeyPair });
  transport.subscribers.set(aci, own);
}
let own: Subscriber;

type Lines = Record<string, Record<string, unknown>>;
/** Findings by name. */
async function findings(options: Parameters<typeof command>[1] = { service }): Promise<Lines> {
  const { stdout } = await command(['doctor', '--json', ...dataDir()], options);
  return Object.fromEntries(jsonLines(stdout).map((line) => [String(line['name']), line]));
}
const finding = (verdict: string, detail: string, hint?: string): object => ({
  verdict,
  detail: expect.stringContaining(detail) as string,
  ...(hint !== undefined && { hint: expect.stringContaining(hint) as string }),
});

const OFFLINE = [
  'Node.js',
  'kernel',
  'libsignal',
  'local clock',
  'store',
  'permissions',
  'disk',
  'account',
  'contacts',
  'broadcasts',
  'capabilities',
  'last receive',
  'connection',
];
const ONLINE = ['sealed path', 'prekeys', 'certificate', 'access key', 'devices', 'clock'];

describe('sealcast doctor', () => {
  it('says where the store has no account, and where there is no store', async () => {
    const none = await command(['doctor', ...dataDir()], { service });
    expect(none.exitCode).toBe(3);
    expect(none.stdout).toContain(`fail store: there is no store in ${path()}\n     to make one`);
    await change();
    const { exitCode, stdout } = await command(['doctor', ...dataDir()], { service });
    expect(exitCode).toBe(3);
    expect(stdout).toContain('fail account: the store has none\n     run: sealcast link\n');
  });

  it('checks the connection too', async () => {
    await openOnce();
    await registerOwn();
    transport.devices = [{ deviceId: 1, lastSeenMs: 0 }];
    const lines = await findings();
    expect(Object.keys(lines)).toEqual([...OFFLINE, ...ONLINE]);
    const verdicts = Object.fromEntries(
      Object.entries(lines).map(([name, { verdict }]) => [name, verdict]),
    );
    expect(verdicts).toMatchObject({
      kernel: 'ok',
      libsignal: 'ok',
      'local clock': 'ok',
      store: 'ok',
      permissions: 'ok',
      account: 'ok',
      contacts: 'warn',
      broadcasts: 'ok',
      connection: 'ok',
      'sealed path': 'ok',
      prekeys: 'warn',
      certificate: 'ok',
      'access key': 'ok',
      devices: 'ok',
      clock: 'skip',
    });
    expect(lines['certificate']).toMatchObject(finding('ok', 'valid for '));
    expect(lines['prekeys']).toMatchObject(finding('warn', '0 and 0 Kyber', 'sealcast receive'));
  });

  it('without a network, says all that needs none', async () => {
    await openOnce();
    const error = new SealcastError('ERR_SERVICE_UNAVAILABLE', 'connect: no network');
    const offline = Object.assign(new StandInCommandService(transport), {
      open: () => Promise.reject(error),
    });
    const lines = await findings({ service: offline });
    expect(Object.keys(lines)).toEqual(OFFLINE);
    expect(lines['connection']).toMatchObject(
      finding('fail', 'ERR_SERVICE_UNAVAILABLE', 'check network'),
    );
  });

  it('says that another program has the store', async () => {
    await using store = await openStore({ path: path() });
    const lines = await findings();
    expect(store.epoch).toBe(1);
    expect(lines['store']).toMatchObject(finding('fail', 'ERR_STORE_LOCKED', 'end it first'));
    expect((await command(['doctor', ...dataDir()], { service })).exitCode).toBe(3);
  });

  it.each([
    ['delinked', 'sealcast link'],
    ['connected-elsewhere', 'end the other program'],
    ['expired', 'install the newest sealcast'],
  ] as const)('says what to do about a refusal: %s', (reason, hint) => {
    const error = new SealcastError('ERR_TRANSPORT_REFUSED', 'refused', { reason });
    expect(findingOf(error)).toMatchObject(finding('fail', 'refused', hint));
  });

  it('shows nothing secret', async () => {
    await openOnce();
    const { stdout, stderr } = await command(['doctor', '--json', ...dataDir()], { service });
    for (const secret of [
      transport.sender.profileKey,
      transport.sender.identityKeyPair.privateKey.serialize(),
    ]) {
      for (const encoding of ['base64', 'hex'] as const)
        expect(stdout + stderr).not.toContain(Buffer.from(secret).toString(encoding));
    }
  });
});

describe('of the machine, sealcast doctor', () => {
  it.each([
    ['v18.20.0', 'fail'],
    ['v20.18.3', 'fail'],
    ['v20.19.0', 'warn'],
    ['v22.1.0', 'ok'],
    ['v26.0.0-nightly', 'ok'],
  ])('judges Node.js %s', (version, verdict) => {
    const found = checkNode(version);
    expect(found).toMatchObject(finding(verdict, version));
    if (verdict !== 'ok') expect(found.hint).toBe('install Node.js 22 or newer');
  });

  it('knows the libsignal that is installed, and when it was the newest', async () => {
    expect(TESTED_LIBSIGNAL.version).toBe(libsignalVersion());
    const { newestMs, version } = TESTED_LIBSIGNAL;
    expect(await checkLibsignal(newestMs + 180 * DAY_MS)).toMatchObject(finding('ok', version));
    expect(await checkLibsignal(newestMs + 181 * DAY_MS)).toMatchObject(
      finding('warn', 'the newest 181 days ago', 'install the newest sealcast'),
    );
    expect(await checkLibsignal(newestMs, '0.99.3')).toMatchObject(finding('warn', 'older than'));
    expect(await checkLibsignal(newestMs + 900 * DAY_MS, '0.120.0')).toMatchObject(
      finding('ok', '0.120.0'),
    );
  });

  it('sees a clock that cannot be right', async () => {
    expect(checkLocalClock(0)).toMatchObject(finding('fail', '1970-01-01', 'set the clock'));
    await openOnce();
    const clock = { ...bound(SYSTEM_CLOCK), now: () => Date.UTC(2020, 1) };
    expect((await findings({ service, clock }))['local clock']).toMatchObject({ verdict: 'fail' });
  });

  it('sees permissions and owners of the files', async () => {
    await change();
    const places = { dataDir: path() };
    expect(await checkPermissions(places)).toMatchObject({ verdict: 'ok' });
    chmodSync(path(), 0o750);
    expect(await checkPermissions(places)).toMatchObject(
      finding('warn', 'other users', `chmod -R go= ${path()}`),
    );
    chmodSync(path(), 0o700);
    chmodSync(join(path(), 'data.mdb'), 0o644);
    expect(await checkPermissions(places)).toMatchObject(finding('warn', 'data.mdb'));
    expect(await checkPermissions(places, 4_000_000)).toMatchObject(
      finding('fail', 'belongs to user', 'as its owner'),
    );
  });

  it('sees a disk that is almost full', async () => {
    const room = (() => Promise.resolve({ bavail: 10, bsize: 4096 })) as unknown as typeof statfs;
    expect(await checkDisk('/', room)).toMatchObject(finding('warn', '0 MiB free', 'make room'));
  });
});

const bound = (clock: typeof SYSTEM_CLOCK): typeof SYSTEM_CLOCK => ({
  now: () => clock.now(),
  monotonicMs: () => clock.monotonicMs(),
  setTimeout: (callback, ms) => clock.setTimeout(callback, ms),
  sleep: (ms, signal) => clock.sleep(ms, signal),
});

const IDENTITY: PniIdentity = {
  pni: 'PNI:9d0652a3-dcc3-4d11-975f-74d61598733f',
  registrationId: 1,
  identityPublicKey: new Uint8Array(33).fill(5),
  identityPrivateKey: new Uint8Array(32).fill(6),
};
const CREDENTIALS: CredentialsRecord & { readonly pniIdentity: PniIdentity } = {
  password: 'secret',
  capabilities: { spqr: true },
  createdAtMs: 1,
  pniIdentity: IDENTITY,
};
const PREKEYS = {
  signedPreKey: new Uint8Array(1),
  lastResortKyberPreKey: new Uint8Array(1),
};
const STEP = {
  registrationId: 1,
  identityPublicKey: IDENTITY.identityPublicKey,
  identityPrivateKey: IDENTITY.identityPrivateKey,
  profileKey: new Uint8Array(32).fill(7),
  credentials: CREDENTIALS,
  aciPreKeys: PREKEYS,
  pniPreKeys: PREKEYS,
};
const REGISTRATION = {
  ...STEP,
  number: '+15550100',
  sessionId: 'session',
  discoverableByPhoneNumber: true,
};

describe('of the store, sealcast doctor', () => {
  it.each([
    [
      'a link that was cut off',
      pendingLinkChange({ ...STEP, aci: '9d0652a3-dcc3-4d11-975f-74d61598733f' }),
      finding('fail', 'a link was cut off', 'sealcast link'),
    ],
    [
      'a registration that was cut off',
      pendingRegistrationChange({ ...REGISTRATION, isRequested: true }),
      finding('fail', 'a registration was cut off', 'sealcast code'),
    ],
    [
      'a registration that waits for its code',
      pendingRegistrationChange({ ...REGISTRATION, isRequested: false }),
      finding('warn', 'a registration is under way', 'sealcast captcha'),
    ],
    [
      'an import that was cut off',
      pendingImportChange({ aci: 'x', deviceId: 1, state: 'copying', counts: '{}' }),
      finding('fail', 'an import was cut off', 'sealcast import'),
    ],
  ])('sees %s', async (_name, pending, expected) => {
    await change(pending);
    expect((await findings())['account']).toMatchObject(expected);
  });

  it('sees capabilities that the service refuses', async () => {
    await openOnce();
    await change(credentialsChange({ ...CREDENTIALS, capabilities: { spqr: false } }));
    expect((await findings())['capabilities']).toMatchObject(finding('fail', 'spqr'));
    await change(credentialsChange({ ...CREDENTIALS, capabilities: { profiles_v2: true } }));
    expect((await findings())['capabilities']).toMatchObject(finding('fail', 'profiles_v2'));
    await change(credentialsChange(CREDENTIALS));
    expect((await findings())['capabilities']).toMatchObject(finding('ok', 'spqr'));
  });

  it('sees broadcasts that wait to be resumed', async () => {
    await openOnce();
    await change(
      broadcastChange('b', {
        state: 'sending',
        content: new Uint8Array(2),
        timestamp: 1,
        urgent: true,
        createdAtMs: 1,
        finishedAtMs: 0,
        invalidRecipients: 0,
      }),
    );
    expect((await findings())['broadcasts']).toMatchObject(
      finding('warn', '1 broadcast unfinished', 'sealcast resume'),
    );
  });

  it('counts days since the last receive, and fails a linked device at 45', async () => {
    const nowMs = Date.UTC(2026, 10, 28);
    const linked = { aci: 'x', deviceId: 2, isPrimary: false, hasProfileKey: true };
    const primary = { ...linked, deviceId: 1, isPrimary: true };
    expect(isPrimary(primary)).toBe(true);
    await using store = await openStore({ path: path() });
    expect(await checkLastReceive(store, linked, nowMs)).toMatchObject(
      finding('warn', 'never', 'sealcast receive'),
    );
    for (const [days, verdict, other] of [
      [0, 'ok', 'ok'],
      [6, 'ok', 'ok'],
      [7, 'warn', 'warn'],
      [44, 'warn', 'warn'],
      [45, 'fail', 'warn'],
    ] as const) {
      await store.commit([lastReceivedChange(nowMs - days * DAY_MS)]);
      expect(await checkLastReceive(store, linked, nowMs)).toMatchObject({ verdict });
      expect(await checkLastReceive(store, primary, nowMs)).toMatchObject({ verdict: other });
    }
  });

  it('has the day of the last receive from any command that received', async () => {
    await using store = await openStore({ path: path() });
    const opened = await service.open(store);
    expect(await loadLastReceivedMs(store)).toBeUndefined();
    transport.listener?.onQueueEmpty?.();
    await opened[Symbol.asyncDispose]();
    const atMs = await loadLastReceivedMs(store);
    expect(Math.abs(Date.now() - (atMs ?? 0))).toBeLessThan(DAY_MS);
  });

  it('after the connection was lost, counts from before', async () => {
    await using store = await openStore({ path: path() });
    const opened = await service.open(store);
    transport.listener?.onConnectionInterrupted?.(null);
    await opened[Symbol.asyncDispose]();
    expect(await loadLastReceivedMs(store)).toBeUndefined();
  });
});

describe('of the service, sealcast doctor', () => {
  beforeEach(openOnce);
  beforeEach(registerOwn);

  it('compares the access key with the one that is registered', async () => {
    expect((await findings())['access key']).toMatchObject(finding('ok', 'ours is registered'));
    own.access = 'unrestricted';
    expect((await findings())['access key']).toMatchObject(finding('ok', 'any account may send'));
    own.access = 'none';
    expect((await findings())['access key']).toMatchObject(
      finding('warn', 'none is registered', 'registerAccessKey'),
    );
    own.access = 'key';
    own.profileKey = new Uint8Array(32).fill(1);
    expect((await findings())['access key']).toMatchObject(
      finding('fail', 'another one is registered', 'registerAccessKey'),
    );
  });

  it('judges the sender certificate: its life, its device, its service', async () => {
    transport.certificateLifeMs = 1000;
    expect((await findings())['certificate']).toMatchObject(finding('fail', 'only', 'the clock'));
    transport.certificateLifeMs = 7 * DAY_MS;
    transport.certificateFacts = { deviceId: 9 };
    expect((await findings())['certificate']).toMatchObject(finding('fail', 'another device'));
    transport.certificateFacts = { foreign: true };
    expect((await findings())['certificate']).toMatchObject(finding('fail', 'another service'));
  });

  it('says what the service refuses', async () => {
    transport.intercepts.set('fetchSenderCertificate', () => ({ status: 'unauthorized' }));
    expect((await findings())['certificate']).toMatchObject(
      finding('fail', 'unauthorized', 'link this device again'),
    );
    transport.intercepts.set('accountExists', () => ({ status: 'unavailable' }));
    expect((await findings())['sealed path']).toMatchObject(
      finding('fail', 'unavailable', 'try again later'),
    );
    transport.intercepts.clear();
    own.registered = false;
    expect((await findings())['sealed path']).toMatchObject(finding('fail', 'no longer exists'));
  });

  it('counts prekeys of the number too', async () => {
    await change(credentialsChange(CREDENTIALS));
    expect(await findings()).toHaveProperty(['prekeys of the number']);
  });

  it.each([
    [5_000, 'ok', '5.0 s behind'],
    [-5_000, 'ok', '5.0 s ahead of'],
    [120_000, 'warn', '120.0 s behind'],
    [-120_000, 'warn', '120.0 s ahead of'],
  ])('judges a clock that is off by %d ms', (skewMs, verdict, detail) => {
    expect(checkSkew(skewMs)).toMatchObject(finding(verdict, detail));
  });
});
