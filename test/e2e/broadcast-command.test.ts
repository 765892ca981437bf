import { describe, expect, test } from 'vitest';
import { builtFile } from '../support/built-file.js';
import { runProcess } from '../support/run-process.js';

const COMMAND = builtFile('test/examples/broadcast/main.js');
const TIMEOUT_MS = 60_000;

describe('the broadcast command', () => {
  test.each([
    ['no subscribers', ['--subscribers', '0'], "--subscribers must be a whole number from 1 to 10000, not '0'"],
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
    ['a broken number of threads', ['--threads=1.5'], "--threads must be a whole number from 1 to 64, not '1.5'"],
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
  ])(
    'refuses %s in one line and exits with 2',
    async (_, args, message) => {
      const { exitCode, stdout, stderr } = await runProcess(COMMAND, args);
      expect(stderr.split('\n')).toEqual([expect.stringContaining(`broadcast: ${message}`), '']);
      expect(stdout).toBe('');
      expect(exitCode).toBe(2);
    },
    TIMEOUT_MS,
  );

  test(
    'explains its options and exits with 0',
    async () => {
      const { exitCode, stdout, stderr } = await runProcess(COMMAND, ['--help']);
      for (const option of ['--subscribers N', '--message TEXT', '--threads N', '--help'])
        expect(stdout).toContain(option);
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'reaches 3 subscribers, reports in plain lines when piped, and exits with 0',
    async () => {
      const { exitCode, stdout, stderr } = await runProcess(COMMAND, ['--subscribers', '3', '--threads', '1']);
      expect(stderr).toBe('');
      // Printable characters and line ends only: no escape sequence, no carriage return.
      expect(stdout).toMatch(/^[\x20-\x7e\n]+$/);
      for (const stage of ['accounts', 'profile keys', 'prekeys', 'encrypt', 'seal', 'deliver', 'confirm']) {
        expect(stdout).toMatch(new RegExp(`^${stage} +3 of 3 +\\d+\\.\\d\\d s$`, 'm'));
      }
      expect(stdout).toMatch(/^sealed +3$/m);
      expect(stdout).toMatch(/^failed +0$/m);
      expect(stdout).toMatch(/^decrypted +3 of 3$/m);
      expect(stdout).toMatch(/^kernel +\w+, 1 thread$/m);
      expect(exitCode).toBe(0);
    },
    TIMEOUT_MS,
  );
});
