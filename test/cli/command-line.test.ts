import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { COMMANDS } from '#dist/src/cli/command-table.js';
import { findPlaces, readKeyFile } from '#dist/src/cli/places.js';
import { command, jsonLines } from '../harness/command.js';

describe('a command line', () => {
  it('without a command, and --help, lists every command and the exit codes', async () => {
    for (const argv of [[], ['--help'], ['-h'], ['help']]) {
      const { exitCode, stdout, stderr } = await command(argv);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      for (const { name } of COMMANDS) expect(stdout).toContain(`\n  ${name} `);
      expect(stdout).toContain('75');
    }
  });

  it.each(COMMANDS.map(({ name }) => name))('has help for %s in 80 columns', async (name) => {
    const { exitCode, stdout } = await command([name, '--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Usage: sealcast ${name}`);
    const isExample = (line: string): boolean =>
      line.startsWith('  sealcast') || line.includes('|');
    const lines = stdout.split('\n').filter((line) => !isExample(line));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(await command(['help', name])).toMatchObject({ stdout });
  });

  it('says the version', async () => {
    expect((await command(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    [['boradcast'], 'there is no command boradcast', 'did you mean broadcast?'],
    [['send'], 'there is no command send', 'did you mean broadcast?'],
    [['+15550001234'], 'there is no command of this name', 'sealcast --help'],
    [['--json', 'status'], 'the command comes first, before --json', 'sealcast --help'],
    [['status', '--jsn'], 'status has no option --jsn', 'did you mean --json?'],
    [['status', '--zzzzzz'], 'status has no option --zzzzzz', 'sealcast status --help'],
    [['status', '--json=1'], '--json takes no value'],
    [['status', '--json', '--json'], '--json is given twice'],
    [['status', 'a', 'b'], 'status takes at most [ID]', 'sealcast status --help'],
    [['contacts', 'a'], 'contacts takes no operand'],
    [['report'], 'report needs ID'],
    [['broadcast', '--to'], '--to needs a value: --to FILE'],
    [['broadcast', '--to', '--yes'], '--to needs a value: --to FILE'],
    [['broadcast', '--to='], '--to must not be empty'],
    [['broadcast', 'x'], 'broadcast needs --to FILE'],
    [['broadcast', '--to', 'x', '--id', 'a b'], '--id must be 1 to 128'],
    [
      ['broadcast', '--to', 'x', '--max-per-second', '0'],
      '--max-per-second must be a whole number from 1',
    ],
    [['broadcast', '--to', 'x', '--transcripts', 'each'], '--transcripts must be none or summary'],
    [['report', 'x', '--format', 'xml'], '--format must be csv or ndjson'],
    [['report', 'x', '--format', 'csv', '--json'], '--json is not for --format csv'],
    [['report', 'x', '--status', 'sent'], '--status must be one of sealed'],
  ])('%j is refused with exit code 1', async (argv, message, hint = '') => {
    const { exitCode, stdout, stderr } = await command(argv);
    expect(exitCode).toBe(1);
    if (argv.includes('--json')) {
      expect(jsonLines(stdout)).toMatchObject([{ event: 'error', exitCode: 1 }]);
      expect(stdout).toContain(JSON.stringify(message).slice(1, -1));
    } else expect(stdout).toBe('');
    expect(stderr).toContain(`sealcast: ${message}`);
    expect(stderr).toContain(hint);
  });

  it('has failures as NDJSON with --json', async () => {
    const argv = ['report', 'x', '--data-dir', '/dev/null/x'];
    expect((await command(argv)).exitCode).toBe(3);
    const { exitCode, stdout } = await command(['status', '--json', '--data-dir', '/dev/null/x']);
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ event: 'error', exitCode: 3 });
  });
});

describe('a store', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sealcast-place-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it.each(['status', 'account', 'contacts', 'resume', 'devices', 'receive'])(
    'that is not there is not made by %s',
    async (name) => {
      const path = join(directory, 'misspelt');
      const { exitCode, stderr } = await command([name, '--data-dir', path]);
      expect(exitCode).toBe(1);
      expect(stderr).toBe(
        `sealcast: there is no store in ${path}\n  to make one, run: sealcast link; to use another one, give --data-dir\n`,
      );
      expect(existsSync(path)).toBe(false);
    },
  );

  it('that is another user’s is refused, with its code in NDJSON', async () => {
    const path = join(directory, 'theirs');
    mkdirSync(path, { mode: 0o700 });
    const [uid, gid] = [process.getuid?.(), process.getegid?.()];
    // The superuser may read all directories.
    if (uid === 0) process.seteuid?.(65534);
    else chmodSync(path, 0);
    try {
      const { exitCode, stdout } = await command(['status', '--json', '--data-dir', path]);
      expect(exitCode).toBe(3);
      expect(jsonLines(stdout)).toMatchObject([
        {
          event: 'error',
          code: 'ERR_STORE_FAILED',
          hint: expect.stringContaining('as the owner') as string,
        },
      ]);
    } finally {
      if (uid === 0) process.seteuid?.(0);
      else chmodSync(path, 0o700);
      expect(process.getegid?.()).toBe(gid);
    }
  });
});

describe('places', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sealcast-places-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const config = (name: string, value: unknown): string => {
    const folder = join(directory, name, 'sealcast');
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'config.json');
    writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
    return file;
  };

  it('are options, then the environment, the user’s config, the machine’s, the default', () => {
    const system = config('etc', { dataDir: '/system', keyFile: '/system-key', staging: true });
    const none = join(directory, 'none.json');
    const home = { HOME: directory };
    expect(findPlaces({}, home, none)).toEqual({
      dataDir: join(directory, '.local/share/sealcast'),
      keyFile: undefined,
      staging: false,
    });
    const xdg = { ...home, XDG_DATA_HOME: '/data' };
    expect(findPlaces({}, xdg, none).dataDir).toBe('/data/sealcast');
    // The specification: a relative path counts as none.
    const relative = { ...home, XDG_DATA_HOME: 'data' };
    expect(findPlaces({}, relative, none).dataDir).toBe(join(directory, '.local/share/sealcast'));
    expect(findPlaces({}, xdg, system)).toEqual({
      dataDir: '/system',
      keyFile: '/system-key',
      staging: true,
    });
    config('user', { dataDir: '/user' });
    const user = { ...xdg, XDG_CONFIG_HOME: join(directory, 'user') };
    expect(findPlaces({}, user, system)).toMatchObject({
      dataDir: '/user',
      keyFile: '/system-key',
    });
    const env = { ...user, SEALCAST_DATA_DIR: '/env', SEALCAST_KEY_FILE: '' };
    expect(findPlaces({}, env, system)).toMatchObject({ dataDir: '/env', keyFile: '/system-key' });
    const options = { dataDir: '/option', keyFile: '/option-key' };
    expect(findPlaces(options, env, system)).toMatchObject(options);
  });

  it.each([
    ['{', 'is no JSON'],
    [[], 'must hold a JSON object'],
    [{ dataDirectory: '/x' }, 'there is no setting dataDirectory'],
    [{ dataDir: 1 }, 'dataDir must be a string'],
  ])('in a config file of %j are refused', (value, message) => {
    config('user', value);
    const env = { HOME: directory, XDG_CONFIG_HOME: join(directory, 'user') };
    expect(() => findPlaces({}, env, join(directory, 'none.json'))).toThrow(
      expect.objectContaining({ exitCode: 1, message: expect.stringContaining(message) as string }),
    );
  });

  it('have a key of 32 bytes, also in hex or base64, that others cannot read', () => {
    const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 7));
    const file = join(directory, 'key');
    for (const text of [key, key.toString('hex'), `${key.toString('base64')}\n`]) {
      writeFileSync(file, text, { mode: 0o600 });
      expect(Buffer.from(readKeyFile(file))).toEqual(key);
    }
    writeFileSync(file, 'secret-that-is-none');
    const refusal = (path: string): { exitCode: number; message: string; hint?: string } => {
      try {
        readKeyFile(path);
      } catch (error) {
        return error as { exitCode: number; message: string };
      }
      throw new Error('it was taken');
    };
    expect(refusal(file).message).toContain('must hold 32 bytes');
    expect(refusal(file).message).not.toContain('secret');
    expect(refusal(join(directory, 'none'))).toMatchObject({ exitCode: 1 });
    expect(refusal(join(directory, 'none')).hint).toContain('head -c 32 /dev/urandom');
    const open = join(directory, 'open');
    writeFileSync(open, key, { mode: 0o644 });
    expect(refusal(open)).toMatchObject({ exitCode: 1, hint: `run: chmod 600 ${open}` });
  });
});
