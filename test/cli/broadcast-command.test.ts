import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from 'sealcast';
import { readMessage } from '#dist/src/content/index.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { acis } from '../harness/broadcasters.js';
import {
  command,
  jsonLines,
  startCommand,
  StandInCommandService,
  TypedInput,
} from '../harness/command.js';

let directory: string;
let transport: MailboxService;
let service: StandInCommandService;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sealcast-command-'));
  transport = new MailboxService();
  service = new StandInCommandService(transport);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const dataDir = (): readonly string[] => ['--data-dir', join(directory, 'data')];

/** Subscribers who told the account their profile keys, as the store has them. */
async function subscribe(count: number): Promise<Subscriber[]> {
  const subscribers = await Promise.all(Array.from({ length: count }, () => transport.subscribe()));
  await using store = await openStore({ path: join(directory, 'data') });
  await using opened = await service.open(store);
  const { broadcaster } = opened.account;
  await Promise.all(
    subscribers.map(({ aci, profileKey }) => broadcaster.setProfileKey(aci, profileKey)),
  );
  return subscribers;
}

const recipientsOf = (subscribers: readonly Subscriber[]): string =>
  file('recipients.txt', `# subscribers\n\n${acis(subscribers).join('\n')}\n`);

const textsOf = (subscribers: readonly Subscriber[]): unknown[][] =>
  subscribers.map((subscriber) => transport.textsOf(subscriber));

const summaryOf = (stdout: string): Record<string, unknown> => jsonLines(stdout).pop() ?? {};

describe('sealcast broadcast', () => {
  it('sends the text of a file, and says what became of it', async () => {
    const subscribers = await subscribe(3);
    const argv = ['broadcast', file('text', 'The ferry\r\nis back.\n\n'), '--id', 'ferry'];
    const to = ['--to', recipientsOf(subscribers), ...dataDir()];
    const { exitCode, stdout, stderr } = await command([...argv, ...to], { service });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ferry: 3 sealed, of 3 recipients, in \d+ s\n$/);
    expect(stderr).toBe('broadcast ferry: 3 recipients\n');
    expect(textsOf(subscribers)).toEqual(subscribers.map(() => ['The ferry\nis back.']));
  });

  it('sends the text of standard input once a day, however often it runs', async () => {
    const subscribers = await subscribe(2);
    const recipients = recipientsOf(subscribers);
    const reversed = file('reversed.txt', acis(subscribers).reverse().join('\r\n'));
    const ids = new Set<unknown>();
    for (const to of [recipients, `@${reversed}`]) {
      const argv = ['broadcast', '--to', to, '--json', ...dataDir()];
      const { exitCode, stdout } = await command(argv, { service, input: 'hello\n' });
      expect(exitCode).toBe(0);
      ids.add(summaryOf(stdout)['id']);
    }
    expect(ids.size).toBe(1);
    expect([...ids][0]).toMatch(/^\d{4}-\d\d-\d\d-[0-9a-f]{16}$/);
    expect(textsOf(subscribers)).toEqual([['hello'], ['hello']]);
    const other = ['broadcast', '--to', recipients, ...dataDir()];
    await command(other, { service, input: 'another\n' });
    expect(textsOf(subscribers)).toEqual([
      ['hello', 'another'],
      ['hello', 'another'],
    ]);
  });

  it('sends the styles of Markdown, as another broadcast than the same text without', async () => {
    const subscribers = await subscribe(1);
    const to = ['--to', recipientsOf(subscribers), ...dataDir()];
    const input = '**The ferry** is ||back||.';
    for (const markup of [[], ['--markdown']]) {
      const { exitCode } = await command(['broadcast', ...markup, ...to], { service, input });
      expect(exitCode).toBe(0);
    }
    expect(textsOf(subscribers)).toEqual([[input, 'The ferry is back.']]);
    const sent = transport.arrivals.map(({ contentBytes }) => readMessage(contentBytes));
    expect(sent.at(-1)?.bodyRanges).toEqual([
      { start: 0, length: 9, style: 'bold' },
      { start: 13, length: 4, style: 'spoiler' },
    ]);
  });

  it('has deliveries as NDJSON, and exit code 7 where some do not have it', async () => {
    const [one, other] = await subscribe(2);
    other!.registered = false;
    const argv = ['broadcast', '--id', 'b', '--json', ...dataDir()];
    const to = ['--to', recipientsOf([one!, other!])];
    const { exitCode, stdout } = await command([...argv, ...to], { service, input: 'x' });
    expect(exitCode).toBe(7);
    const lines = jsonLines(stdout);
    expect(lines).toHaveLength(3);
    expect(lines).toContainEqual({ event: 'delivery', recipient: one!.aci, status: 'sealed' });
    expect(lines).toContainEqual({
      event: 'delivery',
      recipient: other!.aci,
      status: 'unregistered',
    });
    expect(lines[2]).toMatchObject({ event: 'summary', id: 'b', sealed: 1, unregistered: 1 });

    const report = await command(['report', 'b', ...dataDir()]);
    expect(report.exitCode).toBe(0);
    expect(report.stdout.split('\n').slice(1, -1).sort()).toEqual(
      [`${one!.aci},sealed,`, `${other!.aci},unregistered,`].sort(),
    );
    const unregistered = ['report', 'b', '--format', 'ndjson', '--status', 'unregistered'];
    expect(jsonLines((await command([...unregistered, ...dataDir()])).stdout)).toEqual([
      { recipient: other!.aci, status: 'unregistered' },
    ]);
    const status = await command(['status', 'b', '--json', ...dataDir()]);
    expect(jsonLines(status.stdout)).toMatchObject([{ id: 'b', state: 'finished', sealed: 1 }]);
    expect((await command(['status', 'b', ...dataDir()])).stdout).toContain('unregistered   1\n');
    const all = await command(['status', ...dataDir()]);
    expect(all.stdout).toMatch(/^id {2}state {5}created .*\nb {3}finished {2}\d{4}-/);
    expect((await command(['status', 'none', ...dataDir()])).exitCode).toBe(1);
    expect((await command(['report', 'none', ...dataDir()])).exitCode).toBe(1);

    const contacts = await command(['contacts', ...dataDir()]);
    expect(contacts.stdout).toContain(`${one!.aci}  sealed\n`);
    expect(contacts.stderr).toBe('2 contacts, 2 that can be sealed to\n');
    const json = jsonLines((await command(['contacts', '--json', ...dataDir()])).stdout);
    expect(json).toContainEqual(
      expect.objectContaining({ serviceId: one!.aci, canSeal: true, hasProfileKey: true }),
    );
    expect(JSON.stringify(json)).not.toContain(Buffer.from(one!.profileKey).toString('base64'));
  });

  it('sends nothing in a dry run', async () => {
    const subscribers = await subscribe(1);
    const argv = ['broadcast', '--dry-run', '--to', recipientsOf(subscribers), ...dataDir()];
    const { exitCode, stdout } = await command(argv, { service, input: 'x' });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('(dry run, nothing was sent): 1 sealed');
    expect(textsOf(subscribers)).toEqual([[]]);
    expect((await command(['status', ...dataDir()])).stderr).toBe('no broadcasts in the store\n');
  });

  it.each([
    ['+1 555 000 1234', 'line 2: a phone number, and nothing can be sealed to it'],
    ['PNI:9d0652a3-dcc3-4d11-975f-74d61598733f', 'line 2: a phone number’s identity (PNI)'],
    ['alice', 'line 2: not a service id (a UUID)'],
  ])('refuses recipients such as %s, before anything is sent', async (line, message) => {
    const [subscriber] = await subscribe(1);
    const opened = service.opened;
    const to = file('recipients', `${subscriber!.aci}\n${line}\n`);
    const argv = ['broadcast', '--to', to, ...dataDir()];
    const { exitCode, stderr } = await command(argv, { service, input: 'x' });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
    // A number, or a name, stays out of logs.
    expect(stderr).not.toContain(line);
    expect(service.opened).toBe(opened);
  });

  it.each([
    ['the text is empty', ''],
    ['the text is empty', ' \n'],
    ['the text has 65,538 bytes of UTF-8, and may have 65,536', 'ä'.repeat(32_769)],
  ])('refuses a text: %s (%#)', async (message, input) => {
    const to = file('recipients', '9d0652a3-dcc3-4d11-975f-74d61598733f');
    const { exitCode, stderr } = await command(['broadcast', '--to', to], { service, input });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
    expect(service.opened).toBe(0);
  });

  it.each([
    ['9d0652a3-dcc3-4d11-975f-74d61598733f,alice', 'one service id alone'],
    ['"9d0652a3-dcc3-4d11-975f-74d61598733f"', 'one service id alone'],
    ['\uFFFD\uFFFD9\0d\0', 'plain text in UTF-8'],
    ['alice', '"sealcast contacts" lists service ids'],
  ])('says what is wrong with a line such as %j', async (line, hint) => {
    const { exitCode, stderr } = await command(['broadcast', '--to', file('to', line)]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('line 1: not a service id (a UUID)');
    expect(stderr).toContain(hint);
  });

  it('takes recipients with a byte order mark, spaces, capitals, CRLF, and twice', async () => {
    const subscribers = await subscribe(2);
    const [one = '', other = ''] = acis(subscribers);
    const to = file('to', `\uFEFF  ${one.toUpperCase()}\t\r\n\r\n${other}\r\n${one} `);
    const argv = ['broadcast', '--id', 'b', '--to', to, '--json', ...dataDir()];
    const { exitCode, stdout } = await command(argv, { service, input: 'x' });
    expect(exitCode).toBe(0);
    expect(summaryOf(stdout)).toMatchObject({ recipients: 2, sealed: 2 });
    expect(textsOf(subscribers)).toEqual([['x'], ['x']]);
  });

  it('asks for the text where standard input is a terminal', async () => {
    const to = file('to', '9d0652a3-dcc3-4d11-975f-74d61598733f');
    const { exitCode, stderr } = await command(['broadcast', '--to', to], {
      input: new TypedInput(),
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('needs the text: a FILE, or standard input');
  });

  it('refuses files that are none, or empty', async () => {
    const cases: [string, string][] = [
      [join(directory, 'none'), 'read the recipients: ENOENT'],
      [directory, 'is no file: recipients are read twice'],
      ['-', 'recipients come from a file'],
      [file('empty', '# none\n'), 'has no recipients'],
    ];
    for (const [to, message] of cases) {
      const { exitCode, stderr } = await command(['broadcast', '--to', to], { input: 'x' });
      expect(exitCode).toBe(1);
      expect(stderr).toContain(message);
    }
  });
});

describe('above 50 recipients, sealcast broadcast', () => {
  beforeEach(async () => {
    await using store = await openStore({ path: join(directory, 'data') });
    expect(store.epoch).toBe(1);
  });

  const many = (): string =>
    file(
      'many',
      Array.from(
        { length: 51 },
        (_, i) => `${i.toString(16).padStart(8, '0')}-dcc3-4d11-975f-74d61598733f`,
      ).join('\n'),
    );

  it('refuses without --yes where no person can be asked', async () => {
    const { exitCode, stderr } = await command(['broadcast', '--to', many(), ...dataDir()], {
      service,
      input: 'x',
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('add --yes');
    expect(service.opened).toBe(0);
  });

  it('asks a person, and sends after a yes alone', async () => {
    for (const [answer, exitCode] of [
      ['n', 1],
      ['', 1],
      ['y', 7],
    ] as const) {
      const input = new TypedInput();
      const argv = ['broadcast', file('text', 'x'), '--to', many(), ...dataDir()];
      const running = startCommand(argv, { service, input, isTTY: true });
      await running.stderr.has('Send to 51 recipients of ');
      input.write(`${answer}\r`);
      expect(await running.ended).toBe(exitCode);
      if (exitCode === 1) expect(running.stderr.text).toContain('nothing was sent');
    }
    expect(service.opened).toBe(1);
  });

  it('needs no question in a dry run', async () => {
    const argv = ['broadcast', '--to', many(), '--dry-run', ...dataDir()];
    expect((await command(argv, { service, input: 'x' })).exitCode).toBe(0);
  });
});

describe('a broadcast that is stopped', () => {
  async function stopped(...signals: readonly NodeJS.Signals[]): Promise<{
    readonly subscribers: readonly Subscriber[];
    readonly exits: readonly number[];
  }> {
    const subscribers = await subscribe(12);
    const never = new Promise<never>(() => undefined);
    transport.intercepts.set('sendSealed', (_destination, sent) => (sent > 3 ? never : undefined));
    const argv = ['broadcast', '--id', 'b', '--to', recipientsOf(subscribers), ...dataDir()];
    const running = startCommand(argv, { service, input: 'x' });
    while (transport.countOf('sendSealed') < 5) await new Promise(setImmediate);
    for (const signal of signals) running.signals.emit(signal);
    const exitCode = await running.ended;
    transport.intercepts.clear();
    expect(exitCode).toBe(75);
    expect(running.stderr.text).toMatch(/sealcast: stopped: .* of 12 recipients wait/);
    expect(running.stderr.text).toContain('to go on: sealcast resume b');
    expect(running.signals.listenerCount('SIGINT')).toBe(0);
    return { subscribers, exits: running.exits };
  }

  it('by SIGINT is resumed, and each recipient gets one message', async () => {
    const { subscribers, exits } = await stopped('SIGINT');
    expect(exits).toEqual([]);
    const status = await command(['status', 'b', '--json', ...dataDir()]);
    expect(jsonLines(status.stdout)).toMatchObject([{ state: 'sending', recipients: 12 }]);
    const resumed = await command(['resume', '--json', ...dataDir()], { service });
    expect(resumed.exitCode).toBe(0);
    expect(jsonLines(resumed.stdout).at(-1)).toMatchObject({
      event: 'summary',
      id: 'b',
      recipients: 12,
      sealed: 12,
    });
    expect(textsOf(subscribers)).toEqual(subscribers.map(() => ['x']));
    const again = await command(['resume', ...dataDir()], { service });
    expect(again).toMatchObject({ exitCode: 0, stderr: 'nothing to resume\n' });
    const finished = await command(['resume', 'b', ...dataDir()], { service });
    expect(finished).toMatchObject({ exitCode: 0, stderr: 'broadcast b is finished\n' });
    expect((await command(['resume', 'none', ...dataDir()], { service })).exitCode).toBe(1);
  });

  it('by SIGTERM, and once more, ends at once', async () => {
    const { exits } = await stopped('SIGTERM', 'SIGINT');
    expect(exits).toEqual([75]);
  });

  it('by a challenge says how to answer it', async () => {
    const subscribers = await subscribe(2);
    transport.intercepts.set('sendSealed', () => ({
      status: 'challenge',
      token: 'the-token',
      options: ['captcha'],
    }));
    const argv = ['broadcast', '--id', 'b', '--to', recipientsOf(subscribers), ...dataDir()];
    const { exitCode, stderr } = await command(argv, { service, input: 'x' });
    expect(exitCode).toBe(5);
    expect(stderr).toContain('sealcast challenge --token the-token');
    transport.intercepts.clear();
    expect((await command(['resume', 'b', ...dataDir()], { service })).exitCode).toBe(0);
    expect(textsOf(subscribers)).toEqual([['x'], ['x']]);
  });
});

describe('sealcast receive', () => {
  /** A subscriber writes to the account, which is away. */
  async function write(subscriber: Subscriber, content: object): Promise<void> {
    await using store = await openStore({ path: join(directory, 'data') });
    if (!hasPreKeys) await transport.publishPreKeys(store);
    hasPreKeys = true;
    await transport.send(subscriber, content);
  }
  let hasPreKeys: boolean;
  beforeEach(() => {
    hasPreKeys = false;
  });

  it('writes messages as NDJSON without keys, and each of them once', async () => {
    const [subscriber] = await subscribe(1);
    const { profileKey } = subscriber!;
    for (const body of ['one', 'two'])
      await write(subscriber!, { dataMessage: { body, profileKey } });
    const argv = ['receive', '--json', '--max-messages', '1', ...dataDir()];
    const bodies: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const { exitCode, stdout } = await command(argv, { service });
      expect(exitCode).toBe(0);
      const [message] = jsonLines(stdout);
      expect(message).toMatchObject({ event: 'message', sender: subscriber!.aci });
      expect(stdout).not.toContain('profileKey');
      expect(stdout).not.toContain(Buffer.from(subscriber!.profileKey).toString('base64'));
      bodies.push((message!['dataMessage'] as Record<string, unknown>)['body']);
    }
    expect(bodies).toEqual(['one', 'two']);
  });

  it('writes text for a person, and ends well at a signal', async () => {
    const [subscriber] = await subscribe(1);
    await write(subscriber!, { dataMessage: { body: 'a\u001b[2Jb\nc' } });
    const running = startCommand(['receive', ...dataDir()], { service });
    await running.stdout.has('\n');
    running.signals.emit('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(running.stdout.text).toBe(`${subscriber!.aci}: a\uFFFD[2Jb\n  c\n`);
  });
});

describe('sealcast demo', () => {
  it('sends to subscribers who decrypt, without a service or a store', async () => {
    const { exitCode, stdout } = await command(['demo', '--subscribers', '7', '--json']);
    expect(exitCode).toBe(0);
    expect(jsonLines(stdout)).toMatchObject([
      { event: 'demo', subscribers: 7, sealed: 7, envelopes: 7, decrypted: 7 },
    ]);
    expect((await command(['demo', '--subscribers', '2'])).stdout).toContain('decrypted   2\n');
  });
});
