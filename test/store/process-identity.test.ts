import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { isRunning, ownIdentity } from '#dist/src/store/lmdb/process-identity.js';
import { untilTrue } from '../harness/await-condition.js';
import { temporaryDirectory } from '../harness/store-files.js';

const own = ownIdentity();
/** More than any system gives out. */
const NO_PID = 2 ** 30;
const undo: (() => void)[] = [];

afterEach(() => {
  for (const step of undo.splice(0)) step();
});

const startTicksOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')[19]!;

describe('whether a process runs', () => {
  test('is known of this one, and of one that is not there', () => {
    expect(isRunning(own)).toBe(process.platform === 'linux' ? true : undefined);
    expect(isRunning({ ...own, pid: NO_PID })).toBe(false);
  });

  test('is not known of one of another place', () => {
    expect(isRunning({ ...own, place: 'elsewhere' })).toBeUndefined();
    expect(isRunning({ ...own, pid: NO_PID, place: 'elsewhere' })).toBeUndefined();
  });

  test('is not known where nothing says when the process of that pid started', () => {
    expect(isRunning({ pid: own.pid, place: own.place })).toBeUndefined();
  });

  test.skipIf(process.platform !== 'linux')(
    'a process of the same pid that started at another time is another',
    () => {
      expect(isRunning({ ...own, startTicks: '1' })).toBe(false);
    },
  );

  test.skipIf(process.platform !== 'linux')(
    'is read rightly of a program with parentheses in its name',
    () => {
      const directory = temporaryDirectory();
      undo.push(directory.remove);
      const program = join(directory.path, 'a) Z 1 (');
      symlinkSync('/bin/sleep', program);
      const child = spawn(program, ['1000'], { stdio: 'ignore' });
      undo.push(() => child.kill('SIGKILL'));
      const pid = child.pid!;
      expect(isRunning({ ...own, pid, startTicks: startTicksOf(pid) })).toBe(true);
    },
  );

  test.skipIf(process.platform !== 'linux')(
    'one that ended no longer runs, though its parent did not ask yet',
    async () => {
      const parent = spawn('sh', ['-c', 'cat <&3 >&2 & echo $!; exec sleep 1000'], {
        stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
      });
      undo.push(() => parent.kill('SIGKILL'));
      const [line] = (await once(parent.stdout!, 'data')) as [Buffer];
      const pid = Number(line.toString());
      const startTicks = startTicksOf(pid);
      // From then on the parent is a program that asks after no child; and then the child's input
      // ends.
      await untilTrue(() => readFileSync(`/proc/${parent.pid!}/comm`, 'utf8') === 'sleep\n');
      expect(isRunning({ ...own, pid, startTicks })).toBe(true);
      (parent.stdio[3] as Writable).end();
      await untilTrue(() => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
      expect(isRunning({ ...own, pid, startTicks })).toBe(false);
    },
  );
});
