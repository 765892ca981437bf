// What a run of the timing test leaves behind, and how it is shown.
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../bench/report/environment.js';
import { formatNumber, formatTable } from '../../bench/report/table.js';
import type { ControlResult, Judgement, Measurement } from './judge.js';
import { T_SUSPECT } from './statistics.js';

export interface KernelResult {
  /** The build's file. */
  readonly kernel: string;
  /** Of the release, whose settings the timed build has. */
  readonly sha256: string;
  readonly routines: readonly Judgement[];
  readonly controls: readonly ControlResult[];
}

export interface CtResult {
  readonly environment: {
    readonly cpu: string;
    readonly platform: string;
    readonly node: string;
    readonly v8: string;
    /** Flags of Node, or none. */
    readonly flags: string;
  };
  readonly clockStepNs: number;
  readonly kernels: readonly KernelResult[];
  /** Builds that this engine does not run. */
  readonly skipped: readonly string[];
}

export const CT_RESULTS_DIRECTORY = join(PACKAGE_ROOT, 'test', 'ct', 'results');

export function describeMachine(): CtResult['environment'] {
  return {
    cpu: cpuName(),
    platform: `${process.platform}-${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    flags: process.execArgv.join(' '),
  };
}

/** With family and model where the system tells them: the name alone may say little. */
function cpuName(): string {
  const name = cpus()[0]?.model.trim() ?? 'unknown';
  if (!existsSync('/proc/cpuinfo')) return name;
  const info = readFileSync('/proc/cpuinfo', 'utf8');
  const family = /^cpu family\s*: (\d+)$/m.exec(info)?.[1];
  const model = /^model\s*: (\d+)$/m.exec(info)?.[1];
  return family === undefined || model === undefined
    ? name
    : `${name} (family ${family}, model ${model})`;
}

/** Where a result of this process goes. Node 20 with relaxed SIMD is an engine of its own. */
export function resultPath(): string {
  const major = process.versions.node.split('.')[0] ?? '';
  const suffix = process.execArgv.includes('--experimental-wasm-relaxed-simd')
    ? '-relaxed-simd'
    : '';
  return join(CT_RESULTS_DIRECTORY, `ct-node${major}${suffix}.json`);
}

export function formatKernel({ kernel, routines, controls }: KernelResult): string {
  const header = [
    kernel,
    'samples',
    'first call',
    'ns a call',
    'max |t|',
    'by chance',
    'visible ns',
    '%',
    'verdict',
  ];
  const rows = [
    ...routines.map((result) =>
      row(result.routine, result, result.leaks ? 'LEAKS' : 'no difference'),
    ),
    ...controls.map((result) =>
      row(`leaky ${result.routine}`, result, result.caught ? 'caught' : 'NOT CAUGHT'),
    ),
  ];
  return formatTable(header, rows);
}

function row(name: string, result: Measurement, verdict: string): string[] {
  const { sampleCount, firstNs, medianNs, maxT, chanceMaxT, smallestVisibleNs } = result;
  return [
    name,
    sampleCount.toLocaleString('en-US'),
    formatNumber(firstNs),
    formatNumber(medianNs),
    formatNumber(maxT),
    formatNumber(chanceMaxT),
    smallestVisibleNs === null ? '' : formatNumber(smallestVisibleNs),
    smallestVisibleNs === null ? '' : formatNumber((100 * smallestVisibleNs) / medianNs),
    verdict,
  ];
}

/** Every class that stands out, one a line. */
export function formatDifferences({ routines, controls }: KernelResult): string[] {
  return [...routines, ...controls].flatMap(({ routine, classes, medianNs }) =>
    classes
      .filter((result) => Math.max(result.maxTMean, result.maxTVariance) >= T_SUSPECT)
      .map(
        ({ name, maxTMean, maxTVariance, differenceNs }) =>
          `${routine}, ${name}: ${formatNumber(differenceNs)} ns (${formatNumber((100 * differenceNs) / medianNs)} %), ` +
          `|t| ${formatNumber(maxTMean)} of means, ${formatNumber(maxTVariance)} of variances`,
      ),
  );
}

export const isGood = ({ kernels }: CtResult): boolean =>
  kernels.every(
    ({ routines, controls }) =>
      routines.every(({ leaks }) => !leaks) && controls.every(({ caught }) => caught),
  );
