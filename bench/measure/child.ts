// Benchmarks whose work needs a process of its own.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 2 ** 20;

/** Readings that a child writes as JSON, one for each run of the measured work. */
export async function readChild<Reading>(
  path: string,
  args: readonly string[],
  nodeOptions: readonly string[] = [],
): Promise<Reading[]> {
  const { stdout } = await run(process.execPath, [...nodeOptions, path, ...args], {
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  return JSON.parse(stdout) as Reading[];
}

/** When all code is compiled. */
export function lastOf<Reading>(readings: readonly Reading[]): Reading {
  return readingAt(readings, readings.length - 1);
}

/** A process's first. */
export function firstOf<Reading>(readings: readonly Reading[]): Reading {
  return readingAt(readings, 0);
}

function readingAt<Reading>(readings: readonly Reading[], at: number): Reading {
  const reading = readings[at];
  if (reading === undefined) throw new Error('a benchmark read nothing');
  return reading;
}
