import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { soak, type SoakSample } from './soak.js';

it('forty days of broadcasts, answers, resends and lost connections leave what twenty days leave', async () => {
  const path = mkdtempSync(join(tmpdir(), 'sealcast-soak-'));
  const samples: SoakSample[] = [];
  try {
    const options = { path, days: 40, subscribers: 6, reconnectsPerDay: 3 };
    for await (const sample of soak(options)) samples.push(sample);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
  const sizesOf = ({ rows, abortListeners, timers }: SoakSample): object => ({
    rows,
    abortListeners,
    timers,
  });
  const [twentieth, last] = [samples[19]!, samples.at(-1)];
  expect(sizesOf(last)).toEqual(sizesOf(twentieth));
  expect(last).toMatchObject({ abortListeners: 0, timers: 1, resent: 1 });
  expect(last.rows).toMatchObject({ contact: 6, session: 6, inbox: 0 });
  // Two weeks of broadcasts are kept; a day is pruned up to six hours late.
  expect(last.rows['broadcast']).toBeLessThanOrEqual(15);
  expect(last.messages).toBeGreaterThan(40 * 6);
});
