// The command itself, as a process of its own, in front of Signal's mock service: in a terminal
// where a person would have one.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { PrivateKey } from '@signalapp/libsignal-client';
import { openStore } from 'sealcast';
import { accountChange, encodeAccount } from '#dist/src/store/tables/account.js';
import { credentialsChange } from '#dist/src/store/tables/credentials.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { builtFile } from '../harness/built-file.js';
import { jsonLines } from '../harness/command.js';
import { TerminalSession } from '../harness/pty.js';
import { readDrawn } from '../harness/read-qr.js';
import { MockService } from '../mock-service/mock-service.js';

const SUBSCRIBERS = 20;
const hasScript = spawnSync('script', ['--version']).status === 0;

/** Commands that run. */
const children = new Set<ChildProcess>();
let directory: string;
let service: MockService;
let env: Record<string, string>;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sealcast-command-'));
  service = await MockService.start({ subscribers: SUBSCRIBERS });
  const file = join(directory, 'service.bin');
  writeFileSync(file, serialize(service.description));
  env = { SEALCAST_TEST_SERVICE: file, SEALCAST_DATA_DIR: join(directory, 'data') };
  await storeAccount();
  writeFileSync(join(directory, 'to'), service.description.subscribers.join('\n'));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The store as a link leaves it. */
async function storeAccount(): Promise<void> {
  const { aci, deviceId, registrationId, identityPrivateKey, password } =
    service.description.broadcaster;
  const publicKey = PrivateKey.deserialize(identityPrivateKey).getPublicKey();
  await using store = await openStore({ path: join(directory, 'data') });
  await store.commit([
    accountChange(
      encodeAccount({
        aci,
        deviceId,
        registrationId,
        identityPublicKey: publicKey.serialize(),
        identityPrivateKey,
        profileKey: new Uint8Array(32).fill(7),
      }),
    ),
    credentialsChange({ password, capabilities: { spqr: true }, createdAtMs: Date.now() }),
  ]);
}

const node = (...argv: readonly string[]): readonly string[] => [
  process.execPath,
  builtFile('test/cli/command-process.js'),
  ...argv,
];

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command without a terminal. */
function run(argv: readonly string[], input = '', killAfter?: string): Promise<Ended> {
  const [program = '', ...words] = node(...argv);
  const child = spawn(program, words, { env: { ...process.env, ...env } });
  children.add(child);
  child.once('close', () => children.delete(child));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (killAfter !== undefined && stdout.includes(killAfter)) child.kill('SIGKILL');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) =>
      resolve({ exitCode, stdout, stderr: stderr + (signal ?? '') }),
    );
  });
}

/** Resolves when the command has uploaded prekeys. */
async function uploaded(): Promise<void> {
  for (;;) {
    const requests = await service.requests();
    if (requests.some(({ verb, path }) => verb === 'PUT' && path.startsWith('/v2/keys'))) return;
    if (children.size === 0) throw new Error('the command ended without uploading prekeys');
    await new Promise(setImmediate);
  }
}

it('receives, and hears the profile keys of all who write', async () => {
  const receiving = run(['receive', '--json', '--max-messages', String(SUBSCRIBERS)]);
  // The subscribers begin sessions with the prekeys that the command uploads first.
  await uploaded();
  await service.subscribersSayHello('HELLO');
  const { exitCode, stdout, stderr } = await receiving;
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  const senders = jsonLines(stdout).map(({ sender }) => sender);
  expect(new Set(senders)).toEqual(new Set(service.description.subscribers));
  const contacts = await run(['contacts', '--json']);
  expect(jsonLines(contacts.stdout).filter(({ canSeal }) => canSeal)).toHaveLength(SUBSCRIBERS);
});

it.runIf(hasScript)('broadcasts in a terminal, and all subscribers decrypt', async () => {
  const text = join(directory, 'text');
  writeFileSync(text, 'The ferry is back.\n');
  const argv = ['broadcast', text, '--to', join(directory, 'to'), '--id', 'ferry'];
  const session = new TerminalSession(node(...argv), env);
  expect(await session.ended).toBe(0);
  expect(session.text).toContain(`ferry: ${SUBSCRIBERS} sealed, of ${SUBSCRIBERS} recipients`);
  // The progress was a bar.
  expect(session.text).toContain('[');
  const decrypted = await service.waitForDecrypted('The ferry is back.');
  const who = decrypted.filter(({ text: got }) => got === 'The ferry is back.');
  expect(new Set(who.map(({ subscriber }) => subscriber)).size).toBe(SUBSCRIBERS);

  const status = await run(['status', 'ferry', '--json']);
  expect(jsonLines(status.stdout)).toMatchObject([{ state: 'finished', sealed: SUBSCRIBERS }]);
  const report = await run(['report', 'ferry', '--status', 'sealed']);
  expect(report.stdout.trimEnd().split('\n')).toHaveLength(SUBSCRIBERS + 1);
});

it('is killed in the middle, and resumes', async () => {
  const argv = ['broadcast', '--to', join(directory, 'to'), '--id', 'cut', '--json'];
  const killed = await run([...argv, '--max-per-second', '10'], 'Again.\n', '"delivery"');
  expect(killed.exitCode).toBeNull();
  const status = jsonLines((await run(['status', 'cut', '--json'])).stdout)[0]!;
  expect(status).toMatchObject({ recipients: SUBSCRIBERS, maxPerSecond: 10 });
  expect(status['waiting']).toBeGreaterThan(0);
  const resumed = await run(['resume', 'cut', '--json']);
  expect(resumed.exitCode).toBe(0);
  expect(jsonLines(resumed.stdout).at(-1)).toMatchObject({
    event: 'summary',
    sealed: SUBSCRIBERS,
  });
  const decrypted = await service.waitForDecrypted('Again.');
  const who = decrypted.filter(({ text }) => text === 'Again.').map((each) => each.subscriber);
  expect(who).toHaveLength(SUBSCRIBERS);
  expect(new Set(who).size).toBe(SUBSCRIBERS);
});

it.runIf(hasScript)('links in a terminal: the phone scans the code that it draws', async () => {
  const dataDir = join(directory, 'linked');
  const session = new TerminalSession(node('link', '--name', 'news'), {
    ...env,
    SEALCAST_DATA_DIR: dataDir,
  });
  await session.shows('pub_key=');
  await session.shows('\n');
  const drawn = readDrawn(session.text);
  expect(session.text).toContain(drawn);
  const deviceId = await service.scanCode(drawn);
  expect(await session.ended).toBe(0);
  const { aci } = service.description.broadcaster;
  const account = await run(['account', '--json', '--data-dir', dataDir]);
  expect(jsonLines(account.stdout)).toMatchObject([
    { aci, deviceId, isPrimary: false, deviceName: 'news' },
  ]);
});

it('registers a number in three runs', async () => {
  const place = ['--data-dir', join(directory, 'registered')];
  const refused = await run(['register', '+15550100777', ...place]);
  expect(refused).toMatchObject({ exitCode: 1 });
  const begun = await run(['register', '+15550100777', '--yes', ...place]);
  expect(begun).toMatchObject({ exitCode: 0 });
  const requested = await run(['captcha', ...place], 'signalcaptcha://solved\n');
  expect(requested).toMatchObject({ exitCode: 0 });
  const registered = await run(['code', '--json', ...place], '111111\n');
  expect(registered).toMatchObject({ exitCode: 0 });
  expect(jsonLines(registered.stdout)).toMatchObject([
    { event: 'registered', number: '+15550100777', deviceId: 1 },
  ]);
  const account = await run(['account', '--json', ...place]);
  expect(jsonLines(account.stdout)).toMatchObject([{ isPrimary: true, number: '+15550100777' }]);
});
