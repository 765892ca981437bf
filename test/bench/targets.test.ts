import { describe, expect, it } from 'vitest';
import { targetResults, type Measured } from '../../bench/envelope/targets.js';
import type { EnvelopeRow } from '../../bench/envelope/rows.js';
import type { Summary } from '../../bench/measure/statistics.js';

const exactly = (value: number): Summary => ({ median: value, p25: value, p75: value });
const row = (given: Partial<EnvelopeRow>): EnvelopeRow => ({
  operation: 'seal',
  subject: 'sealcast',
  kernel: 'fma',
  threads: 1,
  acquaintance: 'prepared',
  name: '',
  microsecondsPerEnvelope: exactly(30),
  cpuMicrosecondsPerEnvelope: exactly(30),
  envelopesPerSecond: 33_333,
  ...given,
});

describe('the floors', () => {
  const measured: Measured = {
    kernel: 'fma',
    rows: [
      // The other kernel's, slower, which nothing is to be taken from.
      row({ kernel: 'int', timesLibsignal: exactly(2), timesNoble: exactly(40) }),
      row({ timesLibsignal: exactly(6), timesNoble: exactly(99) }),
      row({ acquaintance: 'first-contact', timesLibsignal: exactly(1.9) }),
      row({ threads: 2, timesLibsignal: exactly(11), timesOneThread: exactly(1.85) }),
      row({ operation: 'unseal', acquaintance: 'known', timesLibsignal: exactly(3.2) }),
    ],
    x25519: [
      { name: 'fma', kernel: 'fma', microseconds: exactly(20), timesOpenssl: exactly(1.5) },
      { name: 'int', kernel: 'int', microseconds: exactly(40), timesOpenssl: exactly(0.7) },
    ],
  };
  const verdicts = (nodeMajor: number): [number, number | undefined, boolean][] =>
    targetResults(nodeMajor, measured).map((target) => [
      target.floor,
      target.measured?.median,
      target.reached,
    ]);

  it('are those of the line of Node, and are held against the kernel that is picked there', () => {
    expect(verdicts(26)).toEqual([
      [6, 6, true],
      [2, 1.9, false],
      [3.5, 3.2, false],
      [1.4, 1.5, true],
      [100, 99, false],
      [1.8, 1.85, true],
    ]);
    expect(verdicts(24)).toEqual(verdicts(26));
    expect(verdicts(22).map(([floor]) => floor)).toEqual([5, 1.7, 3, 1.15, 80, 1.8]);
    expect(verdicts(20).map(([floor]) => floor)).toEqual([2.5, 1, 2, 0.75, 40, 1.8]);
  });

  it('are not reached by what was not measured', () => {
    const [first] = targetResults(26, { ...measured, rows: [] });
    expect([first?.measured, first?.reached]).toEqual([null, false]);
  });
});
