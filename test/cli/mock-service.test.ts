// The command itself, as a process of its own, in front of Signal's mock service: in a terminal
// where a person would have one. Nothing is put into a store but by the command.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
  writeFileSync(join(directory, 'to'), service.description.subscribers.join('\n'));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

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

/**
 * Runs a command without a terminal.
 *
 * @param killAt text at which it kills itself.
 */
function run(argv: readonly string[], input = '', killAt?: string): Promise<Ended> {
  const [program = '', ...words] = node(...argv);
  const child = spawn(program, words, {
    env: { ...process.env, ...env, ...(killAt !== undefined && { SEALCAST_TEST_KILL_AT: killAt }) },
  });
  children.add(child);
  child.once('close', () => children.delete(child));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) =>
      resolve({ exitCode, stdout, stderr: stderr + (signal ?? '') }),
    );
  });
}

const inTerminal = (...argv: readonly string[]): TerminalSession =>
  new TerminalSession(node(...argv), env);

/** Who decrypted the text, once for each time. */
async function decryptedBy(text: string, subscribers?: readonly string[]): Promise<string[]> {
  const decrypted = await service.waitForDecrypted(text, subscribers ? { subscribers } : {});
  return decrypted.filter((each) => each.text === text).map(({ subscriber }) => subscriber);
}

/** A file of some of the subscribers. */
function recipients(name: string, from: number, to: number): [string, readonly string[]] {
  const file = join(directory, name);
  const some = service.description.subscribers.slice(from, to);
  writeFileSync(file, some.join('\n'));
  return [file, some];
}

describe.runIf(hasScript)('a person with a phone', () => {
  it('links in a terminal: the phone scans the code that the command draws', async () => {
    const session = inTerminal('link', '--name', 'news');
    await session.shows(/pub_key=\S+\s/);
    const drawn = readDrawn(session.text);
    expect(session.text).toContain(drawn);
    const deviceId = await service.scanCode(drawn);
    expect(await session.ended).toBe(0);
    expect(session.text).toContain('scanned');
    const { aci, number } = service.description.broadcaster;
    expect(session.text).toContain(`linked to ${number} as device ${deviceId}`);
    const account = await run(['account', '--json']);
    expect(jsonLines(account.stdout)).toMatchObject([
      { aci, deviceId, isPrimary: false, deviceName: 'news' },
    ]);
  });

  it('receives, and hears the profile keys of all who write', async () => {
    const receiving = run(['receive', '--json', '--max-messages', String(SUBSCRIBERS)]);
    await service.subscribersSayHello('HELLO');
    const { exitCode, stdout, stderr } = await receiving;
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    const messages = jsonLines(stdout);
    expect(new Set(messages.map(({ sender }) => sender))).toEqual(
      new Set(service.description.subscribers),
    );
    for (const { event, dataMessage } of messages)
      expect({ event, dataMessage }).toMatchObject({
        event: 'message',
        dataMessage: { body: 'HELLO' },
      });
    const contacts = await run(['contacts', '--json']);
    expect(jsonLines(contacts.stdout).filter(({ canSeal }) => canSeal)).toHaveLength(SUBSCRIBERS);
  });

  it('broadcasts, all subscribers decrypt, and the phone has a note', async () => {
    const text = join(directory, 'text');
    writeFileSync(text, 'The ferry is back.\n');
    const noted = service.nextTranscript();
    const session = inTerminal('broadcast', text, '--to', join(directory, 'to'), '--id', 'ferry');
    expect(await session.ended).toBe(0);
    expect(session.text).toContain(`ferry: ${SUBSCRIBERS} sealed, of ${SUBSCRIBERS} recipients`);
    // The progress was a bar.
    expect(session.text).toContain('[');
    const who = await decryptedBy('The ferry is back.');
    expect(new Set(who)).toEqual(new Set(service.description.subscribers));
    expect(who).toHaveLength(SUBSCRIBERS);
    expect(await noted).toBe(
      `The ferry is back.\n\nSent to ${SUBSCRIBERS} of ${SUBSCRIBERS} recipients.`,
    );
  });

  it('reads back what became of it', async () => {
    const status = await run(['status', 'ferry', '--json']);
    expect(jsonLines(status.stdout)).toMatchObject([{ state: 'finished', sealed: SUBSCRIBERS }]);
    const csv = await run(['report', 'ferry', '--format', 'csv']);
    expect(csv.stdout.trimEnd().split('\n').sort()).toEqual(
      [
        ...service.description.subscribers.map((aci) => `${aci},sealed,`),
        'recipient,status,error',
      ].sort(),
    );
    const ndjson = await run(['report', 'ferry', '--format', 'ndjson', '--status', 'sealed']);
    const lines = jsonLines(ndjson.stdout);
    expect(new Set(lines.map(({ recipient }) => recipient))).toEqual(
      new Set(service.description.subscribers),
    );
    expect(lines.every(({ status: each }) => each === 'sealed')).toBe(true);
  });

  it('has a broadcast killed in the middle, and resumes it', async () => {
    const argv = ['broadcast', '--to', join(directory, 'to'), '--id', 'cut', '--json'];
    const killed = await run([...argv, '--max-per-second', '5'], 'Again.\n', '"delivery"');
    expect(killed.exitCode).toBeNull();
    const status = jsonLines((await run(['status', 'cut', '--json'])).stdout)[0]!;
    expect(status).toMatchObject({ recipients: SUBSCRIBERS, maxPerSecond: 5 });
    expect(status['waiting']).toBeGreaterThan(0);
    const resumed = await run(['resume', 'cut', '--json']);
    expect(resumed.exitCode).toBe(0);
    expect(jsonLines(resumed.stdout).at(-1)).toMatchObject({
      event: 'summary',
      sealed: SUBSCRIBERS,
    });
    const who = await decryptedBy('Again.');
    expect(new Set(who).size).toBe(SUBSCRIBERS);
    expect(who).toHaveLength(SUBSCRIBERS);
  });

  it('presses Ctrl-C, and resumes the broadcast that it stopped', async () => {
    const [to, some] = recipients('eight', 0, 8);
    const text = join(directory, 'text');
    writeFileSync(text, 'One a second.\n');
    const pace = ['--max-per-second', '1', '--transcripts', 'none'];
    const session = inTerminal('broadcast', text, '--to', to, '--id', 'interrupted', ...pace);
    await session.shows(/[1-7] of 8[^+]/);
    session.interrupt();
    expect(await session.ended).toBe(75);
    expect(session.text).toContain('stopping; again to end at once');
    expect(session.text).toMatch(/stopped: \d sent now, \d of 8 recipients wait/);
    expect(session.text).toContain('to go on: sealcast resume interrupted');
    const resumed = await run(['resume', '--json']);
    expect(resumed.exitCode).toBe(0);
    expect(jsonLines(resumed.stdout).at(-1)).toMatchObject({ id: 'interrupted', sealed: 8 });
    const who = await decryptedBy('One a second.', some);
    expect([...who].sort()).toEqual([...some].sort());
  });

  it('presses Ctrl-C twice, which ends the command at once, and resumes', async () => {
    const [to, some] = recipients('four', 8, 12);
    const text = join(directory, 'text');
    writeFileSync(text, 'Twice.\n');
    const argv = ['broadcast', text, '--to', to, '--id', 'twice', '--max-per-second', '1'];
    const session = inTerminal(...argv);
    await session.shows(/[1-3] of 4[^+]/);
    // A request that gets no answer: the first signal waits for it.
    process.kill(service.processId, 'SIGSTOP');
    try {
      session.interrupt();
      await session.shows('stopping; again to end at once');
      session.interrupt();
      expect(await session.ended).toBe(75);
    } finally {
      process.kill(service.processId, 'SIGCONT');
    }
    expect(session.text).not.toContain('to go on');
    const resumed = await run(['resume', 'twice', '--json']);
    expect(resumed.exitCode).toBe(0);
    expect(jsonLines(resumed.stdout).at(-1)).toMatchObject({ id: 'twice', sealed: 4 });
    const who = await decryptedBy('Twice.', some);
    expect([...who].sort()).toEqual([...some].sort());
  });
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
