// The floors that the kernel is held to (one thread unless stated otherwise, 600-byte USMC, 1,024
// recipients), and the measurement of each.
import type { X25519Row } from '../kernel/x25519.js';
import type { Summary } from '../measure/statistics.js';
import { findRow, type EnvelopeRow, type RowIdentity } from './rows.js';

export type TargetId =
  | 'seal-prepared-libsignal'
  | 'seal-first-libsignal'
  | 'unseal-known-libsignal'
  | 'x25519-openssl'
  | 'seal-prepared-noble'
  | 'threads';

export interface TargetResult {
  readonly id: TargetId;
  readonly name: string;
  /** How many times as fast it must at least be on this line of Node. */
  readonly floor: number;
  readonly measured: Summary | null;
  readonly reached: boolean;
}

export interface Measured {
  /** Of the case that has all peers. */
  readonly rows: readonly EnvelopeRow[];
  readonly x25519: readonly X25519Row[];
  /** The one that sealcast picks by itself. */
  readonly kernel: string;
}

interface Target {
  readonly id: TargetId;
  readonly name: string;
  /** Node 20, Node 22, Node 24 and newer. */
  readonly floors: readonly [number, number, number];
  readonly measured: (measured: Measured) => Summary | undefined;
}

const own = ({ rows, kernel }: Measured, wanted: Partial<RowIdentity>): EnvelopeRow | undefined =>
  findRow(rows, { subject: 'sealcast', kernel, ...wanted });
const prepared = (measured: Measured): EnvelopeRow | undefined =>
  own(measured, { operation: 'seal', threads: 1, acquaintance: 'prepared' });

const TARGETS: readonly Target[] = [
  {
    id: 'seal-prepared-libsignal',
    name: 'sealing, prepared, against libsignal',
    floors: [2.5, 5, 6],
    measured: (measured) => prepared(measured)?.timesLibsignal,
  },
  {
    id: 'seal-first-libsignal',
    name: 'sealing, first contact, against libsignal',
    floors: [1, 1.7, 2],
    measured: (measured) =>
      own(measured, { operation: 'seal', threads: 1, acquaintance: 'first-contact' })
        ?.timesLibsignal,
  },
  {
    id: 'unseal-known-libsignal',
    name: 'unsealing, sender known, against libsignal',
    floors: [2, 3, 3.5],
    measured: (measured) =>
      own(measured, { operation: 'unseal', threads: 1, acquaintance: 'known' })?.timesLibsignal,
  },
  {
    id: 'x25519-openssl',
    name: 'bare X25519, batch of 256, against crypto.diffieHellman',
    floors: [0.75, 1.15, 1.4],
    measured: ({ x25519, kernel }) => x25519.find((row) => row.kernel === kernel)?.timesOpenssl,
  },
  {
    id: 'seal-prepared-noble',
    name: 'sealing, prepared, against noble',
    floors: [40, 80, 100],
    measured: (measured) => prepared(measured)?.timesNoble,
  },
  {
    id: 'threads',
    name: 'all threads against one, sealing, prepared',
    floors: [1.8, 1.8, 1.8],
    measured: ({ rows, kernel }) =>
      rows.find(
        (row) =>
          row.operation === 'seal' &&
          row.acquaintance === 'prepared' &&
          row.kernel === kernel &&
          row.timesOneThread,
      )?.timesOneThread,
  },
];

export function targetResults(nodeMajor: number, measured: Measured): TargetResult[] {
  const line = nodeMajor < 22 ? 0 : nodeMajor < 24 ? 1 : 2;
  return TARGETS.map((target) => {
    const floor = target.floors[line];
    const ratio = target.measured(measured) ?? null;
    return {
      id: target.id,
      name: target.name,
      floor,
      measured: ratio,
      reached: ratio !== null && ratio.median >= floor,
    };
  });
}
