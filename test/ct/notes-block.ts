// The figures in assembly/notes/constant-time.md: rendered from committed results alone, between
// two markers.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../bench/report/environment.js';
import { formatMarkdownTable, formatNumber } from '../../bench/report/table.js';
import type { Judgement } from './judge.js';
import { CT_RESULTS_DIRECTORY, type CtResult, type KernelResult } from './report.js';

export const NOTES_PATH = join(PACKAGE_ROOT, 'assembly', 'notes', 'constant-time.md');
const START_MARKER = '<!-- ct:start -->';
const END_MARKER = '<!-- ct:end -->';

/** By ascending version of Node. */
export function readCtResults(): CtResult[] {
  if (!existsSync(CT_RESULTS_DIRECTORY)) return [];
  return readdirSync(CT_RESULTS_DIRECTORY)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort()
    .map(
      (name) =>
        JSON.parse(readFileSync(join(CT_RESULTS_DIRECTORY, `${name}.json`), 'utf8')) as CtResult,
    );
}

export function renderNotesBlock(results: readonly CtResult[]): string {
  const machines = new Set(
    results.map(({ environment: { cpu, platform } }) => `${cpu}, ${platform}`),
  );
  const runs = results.flatMap(({ environment, kernels }) =>
    kernels.map((kernel) => ({ engine: engineOf(environment), kernel })),
  );
  const names = [
    ...new Set(runs.flatMap(({ kernel }) => kernel.routines.map(({ routine }) => routine))),
  ];
  const header = ['Node, kernel', ...names, 'controls'];
  const rows = runs.map(({ engine, kernel }) => [
    `${engine}, \`${kernel.kernel}\``,
    ...names.map((name) => cellOf(kernel.routines.find(({ routine }) => routine === name))),
    controlsOf(kernel),
  ]);
  return `${[...machines].join('; ')}.\n\n${formatMarkdownTable(header, rows)}`;
}

export function replaceNotesBlock(notes: string, block: string): string {
  const start = notes.indexOf(START_MARKER);
  const end = notes.indexOf(END_MARKER);
  if (start < 0 || end < start)
    throw new Error(`${NOTES_PATH} has no ${START_MARKER} ... ${END_MARKER}`);
  return `${notes.slice(0, start + START_MARKER.length)}\n\n${block}\n\n${notes.slice(end)}`;
}

function engineOf({ node, flags }: CtResult['environment']): string {
  return flags === '' ? node : `${node} with relaxed SIMD`;
}

function cellOf(result: Judgement | undefined): string {
  if (result === undefined) return '';
  const { leaks, maxT, medianNs, smallestVisibleNs } = result;
  const t = `${leaks ? 'LEAKS: ' : ''}${maxT.toFixed(1)}`;
  if (smallestVisibleNs === null) return t;
  const percent = Number(((100 * smallestVisibleNs) / medianNs).toPrecision(1));
  return `${t}; ${Number(smallestVisibleNs.toPrecision(2))} ns, ${percent} %`;
}

/** How many were caught, and the least t that did it. */
function controlsOf({ controls }: KernelResult): string {
  const caught = controls.filter((control) => control.caught);
  return `${caught.length} of ${controls.length}, ${formatNumber(Math.min(...controls.map(({ maxT }) => maxT)))}`;
}
