// `npm run ct`: whether the time of the kernel's routines depends on secrets, in every kernel build
// that runs here. A full run writes its result to test/ct/results; `--quick` looks for a few
// seconds and writes nothing. Exits with 1 if a routine leaks or a control is not caught.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { KernelName } from 'sealcast/kernel';
import { format } from 'prettier';
import { PACKAGE_ROOT } from '../../bench/report/environment.js';
import { allBuilds, kernelBuilds, readBuild, type KernelBuild } from '../harness/kernel-builds.js';
import { judge, runControl } from './judge.js';
import { TimedKernel } from './kernel.js';
import { clockStepNs, Subject, type Budget } from './measure.js';
import {
  CT_RESULTS_DIRECTORY,
  describeMachine,
  formatDifferences,
  formatKernel,
  isGood,
  resultPath,
  type CtResult,
  type KernelResult,
} from './report.js';
import { LEAKY_ROUTINES, ROUTINES } from './routines.js';

const { values } = parseArgs({ options: { quick: { type: 'boolean' } } });
const quick = values.quick ?? false;
/** Two kernels take some four minutes. */
const BUDGET: Budget = quick
  ? { milliseconds: 1_000, maxSamples: 50_000 }
  : { milliseconds: 8_000, maxSamples: 200_000 };
const CONTROL_BUDGET: Budget = {
  milliseconds: BUDGET.milliseconds / 2,
  maxSamples: BUDGET.maxSamples / 2,
};

interface LeaksModule {
  readonly compileLeakyKernel: (field: KernelName) => Promise<Uint8Array<ArrayBuffer>>;
}
const leaksUrl = pathToFileURL(join(PACKAGE_ROOT, 'test/ct/leaks.mjs')).href;
const { compileLeakyKernel } = (await import(leaksUrl)) as LeaksModule;

const environment = describeMachine();
const stepNs = clockStepNs();
console.log(
  `${environment.cpu}, ${environment.platform}, Node ${environment.node} (V8 ${environment.v8}), clock in steps of ${stepNs} ns`,
);
const skipped = allBuilds.filter((build) => !kernelBuilds.includes(build)).map(({ file }) => file);
for (const file of skipped)
  console.log(`skipped: ${file}, whose instructions this engine does not run`);

const kernels: KernelResult[] = [];
for (const build of kernelBuilds) {
  const result = await testKernel(build);
  console.log(`\n${formatKernel(result)}\n${formatDifferences(result).join('\n')}`);
  kernels.push(result);
}
const result: CtResult = { environment, clockStepNs: stepNs, kernels, skipped };
if (!quick) await writeResult(result);
if (!isGood(result)) process.exitCode = 1;

async function testKernel(build: KernelBuild): Promise<KernelResult> {
  const kernel = new TimedKernel(readBuild(build, 'inner'));
  const routines = ROUTINES.map((routine) => {
    showProgress(`${build.file}: ${routine.name}`);
    return judge(new Subject(routine, kernel), BUDGET, stepNs);
  });
  const leakyKernel = new TimedKernel(await compileLeakyKernel(build.name));
  const controls = LEAKY_ROUTINES.map((routine) => {
    showProgress(`${build.file}: leaky ${routine.name}`);
    return runControl(new Subject(routine, leakyKernel), CONTROL_BUDGET, stepNs);
  });
  showProgress('');
  return { kernel: build.file, sha256: sha256Of(build), routines, controls };
}

function sha256Of({ file }: KernelBuild): string {
  const manifest = JSON.parse(
    readFileSync(join(PACKAGE_ROOT, 'dist/kernel/manifest.json'), 'utf8'),
  ) as {
    file: string;
    sha256: string;
  }[];
  return manifest.find((entry) => entry.file === file)?.sha256 ?? '';
}

/** One line that rewrites itself in a terminal; nothing where it would fill a log. */
function showProgress(message: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
}

async function writeResult(written: CtResult): Promise<void> {
  mkdirSync(CT_RESULTS_DIRECTORY, { recursive: true });
  const path = resultPath();
  writeFileSync(
    path,
    await format(JSON.stringify(written, roundNumbers), { parser: 'json', printWidth: 120 }),
  );
  console.log(`\nwritten: ${path}`);
}

/** Four significant digits: more would be noise in a diff. */
function roundNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value)
    ? Number(value.toPrecision(4))
    : value;
}
