// Small operations, done over and over on this thread: who does them, and how often for a sample.
import { concatBytes, equalBytes } from '../../test/reference/bytes.js';
import type { RoundTask } from './rounds.js';

/** A kernel or a peer that can do an operation. */
export interface Subject {
  readonly name: string;
  /** Operations that `run(1)` does. */
  readonly operationsPerTurn: number;
  readonly run: (turns: number) => void;
  /**
   * Result for inputs that are the same for all subjects; undefined where the subject picks them
   * itself.
   */
  readonly result?: () => Uint8Array;
}

/**
 * One sample: about what a kernel takes for a batch of 256, so that what disturbs the machine meets
 * all alike.
 */
const SAMPLE_MS = 5;
/**
 * Time of warming up, ms. Engines optimize WebAssembly after 5 to 14 ms of work, in the background,
 * where a busy machine takes longer.
 */
const WARMUP_MS = 100;

/** One input after the other, over and over; the result is that of the first `checkedCount`. */
export function cycling(
  name: string,
  inputCount: number,
  checkedCount: number,
  operation: (input: number) => Uint8Array,
): Subject {
  return {
    name,
    operationsPerTurn: 1,
    run(turns) {
      for (let turn = 0; turn < turns; turn++) operation(turn % inputCount);
    },
    result: () =>
      concatBytes(...Array.from({ length: checkedCount }, (_, input) => operation(input))),
  };
}

/** Nothing is timed before all of them have computed the same of the same. */
export function requireSameResults(what: string, subjects: readonly Subject[]): void {
  const checked = subjects.filter(({ result }) => result !== undefined);
  const [reference] = checked;
  const expected = reference?.result?.();
  for (const subject of checked) {
    const actual = subject.result?.();
    if (actual === undefined || expected === undefined || !equalBytes(actual, expected)) {
      throw new Error(
        `${what}: ${subject.name} and ${reference?.name ?? ''} computed different things`,
      );
    }
  }
}

/** Warms up, and finds how many turns make a sample. */
export function calibrated({ name, operationsPerTurn, run }: Subject): RoundTask {
  let turns = 1;
  const startMs = performance.now();
  for (;;) {
    const beforeMs = performance.now();
    run(turns);
    const nowMs = performance.now();
    const elapsedMs = nowMs - beforeMs;
    if (nowMs - startMs >= WARMUP_MS && elapsedMs >= SAMPLE_MS / 2) {
      turns = Math.max(1, Math.round((turns * SAMPLE_MS) / elapsedMs));
      break;
    }
    if (elapsedMs < SAMPLE_MS / 2) turns *= 2;
  }
  const sampleTurns = turns;
  return { name, operationCount: sampleTurns * operationsPerTurn, run: () => run(sampleTurns) };
}
