import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { builtFile } from '../harness/built-file.js';
import { runProcess } from '../harness/run-process.js';
import { temporaryDirectory } from '../harness/store-files.js';

const COMMAND = builtFile('examples/broadcast/main.js');

describe('the broadcast command', () => {
  test.each([
    [
      'no subscribers',
      ['--subscribers', '0'],
      "--subscribers must be a whole number from 1 to 10000, not '0'",
    ],
    [
      'more subscribers than it can make',
      ['--subscribers', '10001'],
      "--subscribers must be a whole number from 1 to 10000, not '10001'",
    ],
    [
      'a number of subscribers in words',
      ['--subscribers', 'many'],
      "--subscribers must be a whole number from 1 to 10000, not 'many'",
    ],
    [
      'a number of subscribers that is not in digits',
      ['--subscribers', '1e3'],
      "--subscribers must be a whole number from 1 to 10000, not '1e3'",
    ],
    ['a missing number of subscribers', ['--subscribers'], '--subscribers needs a value'],
    ['a negative number of subscribers', ['--subscribers', '-5'], '--subscribers needs a value'],
    ['no threads', ['--threads=0'], "--threads must be a whole number from 1 to 64, not '0'"],
    [
      'a broken number of threads',
      ['--threads=1.5'],
      "--threads must be a whole number from 1 to 64, not '1.5'",
    ],
    ['a store without a path', ['--store='], '--store must not be empty'],
    ['an empty message', ['--message', ' '], '--message must not be empty'],
    [
      'a message that is too long',
      ['--message', 'é'.repeat(1_025)],
      '--message must be at most 2048 bytes long, not 2050',
    ],
    ['a value where there is none', ['--help=yes'], '--help takes no value'],
    ['an option that it does not have', ['--recipients', '5'], 'there is no option --recipients'],
    ['an argument without an option', ['5'], "Unexpected argument '5'"],
    ['a short option that it does not have', ['-x'], 'there is no option -x'],
  ])('refuses %s in one line and exits with 2', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await runProcess(COMMAND, args);
    expect(stderr.split('\n')).toEqual([expect.stringContaining(`broadcast: ${message}`), '']);
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });

  test('explains its options and exits with 0', async () => {
    const { exitCode, stdout, stderr } = await runProcess(COMMAND, ['--help']);
    for (const option of [
      '--subscribers N',
      '--message TEXT',
      '--threads N',
      '--store PATH',
      '--help',
    ])
      expect(stdout).toContain(option);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  test('reaches 3 subscribers, reports in plain lines when piped, and exits with 0', async () => {
    const { exitCode, stdout, stderr } = await runProcess(COMMAND, [
      '--subscribers',
      '3',
      '--threads',
      '1',
    ]);
    expect(stderr).toBe('');
    // Printable characters and line ends only: no escape sequence, no carriage return.
    expect(stdout).toMatch(/^[\x20-\x7e\n]+$/);
    for (const stage of ['accounts', 'profile keys', 'broadcast', 'confirm']) {
      expect(stdout).toMatch(new RegExp(`^${stage} +3 of 3 +\\d+\\.\\d\\d s$`, 'm'));
    }
    expect(stdout).toMatch(/^sealed +3$/m);
    expect(stdout).toMatch(/^failed +0$/m);
    expect(stdout).toMatch(/^decrypted +3 of 3$/m);
    expect(stdout).toMatch(/^kernel +\w+, 1 thread$/m);
    expect(exitCode).toBe(0);
  });

  test('goes on where the last run with the same store ended, with subscribers old and new', async () => {
    const { path, remove } = temporaryDirectory();
    const runWith = (subscribers: number): ReturnType<typeof runProcess> =>
      runProcess(COMMAND, [
        '--subscribers',
        String(subscribers),
        '--threads',
        '1',
        '--store',
        path,
      ]);
    const expectRun = async (
      subscribers: number,
      added: number,
      certificates: string,
    ): Promise<void> => {
      const { exitCode, stdout, stderr } = await runWith(subscribers);
      expect(stderr).toBe('');
      expect(stdout).toMatch(new RegExp(`^decrypted +${subscribers} of ${subscribers}$`, 'm'));
      expect(stdout).toMatch(new RegExp(`^profile keys learned +${added} of ${subscribers}$`, 'm'));
      // Their hellos began the sessions.
      expect(stdout).toMatch(new RegExp(`^sessions begun from prekeys +0 of ${subscribers}$`, 'm'));
      expect(stdout).toMatch(new RegExp(`^certificates fetched +${certificates}$`, 'm'));
      expect(exitCode).toBe(0);
    };
    try {
      await expectRun(3, 3, '1');
      // One is asked for where no other answer (the count of prekeys) told the service's time
      // before.
      await expectRun(3, 0, '[01]');
      await expectRun(5, 2, '[01]');
      await expectRun(2, 0, '[01]');

      // As a run leaves it that was killed: the sessions are there, and the accounts that they are
      // with are not.
      await rm(join(path, 'mock-service'));
      const { exitCode, stderr } = await runWith(3);
      expect(stderr.split('\n')).toEqual([
        expect.stringMatching(/^broadcast failed: .* was cut off/),
        '',
      ]);
      expect(exitCode).toBe(1);
    } finally {
      remove();
    }
  });

  test('fails in one line, and exits with 1, when the store cannot be opened', async () => {
    const { exitCode, stdout, stderr } = await runProcess(COMMAND, ['--store', COMMAND]);
    expect(stderr.split('\n')).toEqual([expect.stringMatching(/^broadcast failed: /), '']);
    expect(stdout).toBe('');
    expect(exitCode).toBe(1);
  });
});
