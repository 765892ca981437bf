import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from 'sealcast';
import { MailboxService } from '../fakes/mailbox-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { acis } from '../harness/broadcasters.js';
import { command, jsonLines, StandInCommandService } from '../harness/command.js';

let directory: string;
let transport: MailboxService;
let service: StandInCommandService;
let subscribers: Subscriber[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sealcast-command-'));
  transport = new MailboxService();
  service = new StandInCommandService(transport);
  subscribers = await Promise.all(Array.from({ length: 3 }, () => transport.subscribe()));
  await using store = await openStore({ path: join(directory, 'data') });
  await using opened = await service.open(store);
  const { broadcaster } = opened.account;
  for (const { aci, profileKey } of subscribers) await broadcaster.setProfileKey(aci, profileKey);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const nth = (index: number): string => acis(subscribers)[index] ?? '';
const run = (...argv: readonly string[]): ReturnType<typeof command> =>
  command([...argv, '--data-dir', join(directory, 'data')], { service });

describe('sealcast list', () => {
  it('adds, shows and removes members', async () => {
    expect(await run('list', 'add', 'news', nth(0), '--tag', 'ferry')).toMatchObject({
      exitCode: 0,
      stdout: `${nth(0)} added\n`,
    });
    await run('list', 'add', 'news', nth(1));
    expect((await run('list')).stdout).toBe('list  members\nnews        2\n');
    expect((await run('list', 'show', 'news', '--tag', 'ferry')).stdout).toBe(`${nth(0)} ferry\n`);
    const { stdout } = await run('list', 'show', 'news', '--json');
    expect(jsonLines(stdout)).toHaveLength(2);
    expect((await run('list', 'remove', 'news', nth(1))).stdout).toBe(`${nth(1)} removed\n`);
    expect((await run('list', 'remove', 'news', nth(1))).stdout).toBe(`${nth(1)} no member\n`);
  });

  it('adds no person who left by their own word, unless it resubscribes them', async () => {
    await run('list', 'add', 'news', nth(0));
    await run('list', 'remove', 'news', nth(0), '--stop');
    expect(await run('list', 'add', 'news', nth(0))).toMatchObject({
      exitCode: 7,
      stdout: `${nth(0)} suppressed\n`,
    });
    expect(await run('list', 'add', 'news', nth(0), '--resubscribe')).toMatchObject({
      exitCode: 0,
    });
  });

  it('imports CSV, names the rows that failed, and exports it again', async () => {
    const file = join(directory, 'members.csv');
    writeFileSync(file, `recipient,name\n${nth(0)},Ada\n+4915112345678,Ben\n`);
    const imported = await run('list', 'import', 'news', file);
    expect(imported).toMatchObject({
      exitCode: 7,
      stdout: '1 member added, 0 updated, 0 suppressed, 1 failed\n',
    });
    expect(imported.stderr).toMatch(/^row 3: it has a phone number: the service gives only a PNI/);
    expect((await run('list', 'export', 'news')).stdout).toBe(
      `recipient,tags,name\r\n${nth(0)},,Ada\r\n`,
    );
  });

  it.each([
    ['without a look-up', []],
    ['with a look-up', ['--look-up']],
  ])('refuses an import of a file that is not there, %s', async (_way, options) => {
    const file = join(directory, 'absent.csv');
    const { exitCode, stdout, stderr } = await run('list', 'import', 'news', file, ...options);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain(`read the members in ${file}: ENOENT`);
  });

  it('imports a file with look-ups, through the connection of the account', async () => {
    const file = join(directory, 'members.csv');
    writeFileSync(file, `recipient\n${nth(0)}\n`);
    const openedBefore = service.opened;
    expect(await run('list', 'import', 'news', file, '--look-up')).toMatchObject({
      exitCode: 0,
      stdout: '1 member added, 0 updated, 0 suppressed, 0 failed\n',
    });
    expect(service.opened).toBe(openedBefore + 1);
  });

  it.each([
    [['list', 'drop', 'news'], 'list has no action drop'],
    [['list', 'show'], 'list show needs the NAME of a list'],
    [['list', 'show', 'news'], 'the store has no list news'],
    [['list', 'add', 'news'], 'list add needs the ACI of a person'],
    [['list', 'import', 'news'], 'list import needs a FILE'],
    [['broadcast', '-', '--list', 'news', '--to', 'x'], 'give one of them'],
    [['broadcast', '-', '--to', 'x', '--tag', 'y'], '--tag needs --list NAME'],
  ])('refuses %j', async (argv, reason) => {
    const { exitCode, stderr } = await run(...argv);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(reason);
  });
});

describe('sealcast broadcast --list', () => {
  const send = (...argv: readonly string[]): ReturnType<typeof command> => {
    const text = join(directory, 'text');
    writeFileSync(text, 'The ferry is back.');
    return run('broadcast', text, '--list', 'news', ...argv);
  };

  it('sends to the members of the list, once a day', async () => {
    for (const index of [0, 1]) await run('list', 'add', 'news', nth(index));
    expect(await send()).toMatchObject({ exitCode: 0 });
    await run('list', 'add', 'news', nth(2));
    expect(await send()).toMatchObject({ exitCode: 0 });
    const texts = subscribers.map((subscriber) => transport.textsOf(subscriber));
    expect(texts).toEqual([['The ferry is back.'], ['The ferry is back.'], ['The ferry is back.']]);
  });

  it('sends to a segment of it', async () => {
    await run('list', 'add', 'news', nth(0));
    await run('list', 'add', 'news', nth(1), '--tag', 'ferry');
    expect(await send('--tag', 'ferry')).toMatchObject({ exitCode: 0 });
    expect(subscribers.map((subscriber) => transport.textsOf(subscriber).length)).toEqual([
      0, 1, 0,
    ]);
    expect(await send('--tag', 'bus')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('the list news has no such members') as string,
    });
  });
});
