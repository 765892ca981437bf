import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Pace, progressText, showProgress } from '#dist/src/cli/progress.js';
import { table, duration } from '#dist/src/cli/text.js';
import { Terminal } from '#dist/src/cli/terminal.js';
import type { BroadcastProgress } from 'sealcast';
import { ManualClock } from '../fakes/manual-clock.js';
import { TextOutput } from '../harness/command.js';

const at = (
  recipients: number,
  sealed: number,
  more: Partial<BroadcastProgress> = {},
): BroadcastProgress => ({
  recipients,
  sealed,
  unsealed: 0,
  unregistered: 0,
  failed: 0,
  pending: recipients - sealed,
  ingested: true,
  waitingFor: [],
  ...more,
});

describe('progress', () => {
  it('has a rate and the time that is left, from what this run did', () => {
    const pace = new Pace();
    expect(pace.at(at(1000, 400), 0)).toBeUndefined();
    const now = at(1000, 500, { waitingFor: ['rate-limited'] });
    expect(pace.at(now, 2000)).toEqual({ perSecond: 50, leftMs: 10_000 });
    expect(progressText(now, pace.at(now, 2000))).toEqual([
      '500 of 1,000',
      '50/s',
      'about 10 s left',
      'waits: rate-limited',
    ]);
    const early = at(300, 3, { ingested: false, failed: 1 });
    expect(progressText(early, { perSecond: 1.5, leftMs: undefined })).toEqual([
      '3 of 300+',
      '1 not reached',
      '1.5/s',
    ]);
  });

  it('reads times as people do', () => {
    expect([0, 45_000, 200_000, 7_500_000].map(duration)).toEqual([
      '0 s',
      '45 s',
      '3 min 20 s',
      '2 h 5 min',
    ]);
  });

  const shown = (isTTY: boolean, env: Record<string, string>, ms: number): string => {
    const stderr = new TextOutput(isTTY);
    const [stdin, stdout] = [new PassThrough(), new TextOutput()];
    const terminal = new Terminal({ stdin, stdout, stderr, env });
    const clock = new ManualClock();
    const end = showProgress(terminal, () => at(100, 50), clock);
    clock.pass(ms);
    end();
    clock.pass(60_000);
    return stderr.text;
  };

  it('is a line every ten seconds where no person sees it', () => {
    expect(shown(false, {}, 9_999)).toBe('');
    expect(shown(false, {}, 20_000)).toBe('sending: 50 of 100\nsending: 50 of 100\n');
    expect(shown(true, { TERM: 'dumb' }, 9_999)).toBe('');
  });

  it('is a bar on a terminal, without colors where NO_COLOR says so', () => {
    const bar = `${'#'.repeat(15)}${'-'.repeat(15)}`;
    const plain = shown(true, { NO_COLOR: '1' }, 100);
    expect(plain).toBe(`\r\x1b[K[${bar}] 50 of 100\r\x1b[K`);
    expect(shown(true, {}, 100)).toContain(bar);
  });
});

it('a table has numbers to the right', () => {
  expect(
    table(
      ['id', 'sealed'],
      [
        ['a', '1'],
        ['longer', '1,000'],
      ],
    ),
  ).toEqual(['id      sealed', 'a            1', 'longer   1,000']);
});
