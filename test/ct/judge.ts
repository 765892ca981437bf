// From a routine to a verdict.
import type { Budget, Subject, WarmUp } from './measure.js';
import { findSensitivity, type Sensitivity } from './sensitivity.js';
import { compareInSeries, type Series } from './series.js';
import { maxTMean, maxTVariance, T_CERTAIN, T_SUSPECT, type CropTest } from './statistics.js';

/** What became of one class against the first. */
export interface ClassResult {
  readonly name: string;
  readonly sampleCount: number;
  /** Largest |t| of all crops: of means, of variances. */
  readonly maxTMean: number;
  readonly maxTVariance: number;
  /**
   * By how much a call is slower than one of the first class, ns: at the crop with the smallest
   * error, or with the largest t.
   */
  readonly differenceNs: number;
}

export interface Measurement extends WarmUp, Sensitivity {
  readonly routine: string;
  readonly secret: string;
  readonly sampleCount: number;
  /** Samples of the class that the others are held against. */
  readonly firstClassSampleCount: number;
  /** How often it was measured, each time with twice the samples. */
  readonly attempts: number;
  /** Median of a call, ns. */
  readonly medianNs: number;
  readonly maxT: number;
  readonly classes: readonly ClassResult[];
}

export interface Judgement extends Measurement {
  readonly leaks: boolean;
}
export interface ControlResult extends Measurement {
  readonly caught: boolean;
}

/**
 * Of a routine's time, what is not held against it: straight-line code takes up to 0.012 % more or
 * less with other operands (assembly/notes/constant-time.md, "What the operands do"), and enough
 * samples show the smallest part of that. One field multiplication of a ladder's 2,550 is eight
 * times as much.
 */
const OPERAND_MARGIN = 0.000_05;
const MAX_ATTEMPTS = 3;
/**
 * A machine that is busy with other things may hide a small leak for a while, and a control that is
 * missed fails the run.
 */
const MAX_CONTROL_ATTEMPTS = 4;

/**
 * |t| < 4.5 acquits, |t| >= 10 condemns. In between it is measured again, with twice the samples: a leak's t grows by
 * sqrt(2), what was chance comes out below 4.5. What is not below it after three attempts leaks.
 */
export function judge(subject: Subject, budget: Budget, stepNs: number): Judgement {
  const measurement = repeat(
    subject,
    budget,
    stepNs,
    MAX_ATTEMPTS,
    (maxT) => maxT < T_SUSPECT || maxT >= T_CERTAIN,
  );
  return { ...measurement, leaks: measurement.maxT >= T_SUSPECT };
}

/** A control is measured again until it is caught. */
export function runControl(subject: Subject, budget: Budget, stepNs: number): ControlResult {
  const measurement = repeat(
    subject,
    budget,
    stepNs,
    MAX_CONTROL_ATTEMPTS,
    (maxT) => maxT >= T_SUSPECT,
  );
  return { ...measurement, caught: measurement.maxT >= T_SUSPECT };
}

function repeat(
  subject: Subject,
  { milliseconds, maxSamples }: Budget,
  stepNs: number,
  maxAttempts: number,
  isDone: (maxT: number) => boolean,
): Measurement {
  const warmUp = subject.warmUp();
  for (let attempt = 1; ; attempt++) {
    const factor = 2 ** (attempt - 1);
    const series = subject.measure({
      milliseconds: factor * milliseconds,
      maxSamples: factor * maxSamples,
    });
    const medianNs = series.times.toSorted()[series.times.length >> 1]!;
    const marginNs = OPERAND_MARGIN * medianNs;
    const classes = compareAll(subject, series, marginNs);
    const maxT = Math.max(
      ...classes.map((result) => Math.max(result.maxTMean, result.maxTVariance)),
    );
    if (!isDone(maxT) && attempt < maxAttempts) continue;
    const { name, secret, callsPerSample } = subject.routine;
    const sensitivity = findSensitivity(series, stepNs, marginNs);
    const smallest = sensitivity.smallestVisibleNs;
    return {
      routine: name,
      secret,
      sampleCount: series.times.length,
      firstClassSampleCount: countOf(series, 0),
      attempts: attempt,
      ...warmUp,
      medianNs: medianNs / callsPerSample,
      maxT,
      classes,
      chanceMaxT: sensitivity.chanceMaxT,
      smallestVisibleNs: smallest === null ? null : smallest / callsPerSample,
    };
  }
}

function compareAll({ routine }: Subject, series: Series, marginNs: number): ClassResult[] {
  return routine.classes.slice(1).map(({ name }, i) => {
    const tests = compareInSeries(series, i + 1);
    return {
      name,
      sampleCount: countOf(series, i + 1),
      maxTMean: maxTMean(tests, marginNs),
      maxTVariance: maxTVariance(tests),
      differenceNs: tellingTest(tests, marginNs).difference / routine.callsPerSample,
    };
  });
}

/**
 * Of a difference that is seen the crop that shows it best, otherwise the one that could have shown
 * the smallest.
 */
function tellingTest(tests: readonly CropTest[], marginNs: number): CropTest {
  const seen = maxTMean(tests, marginNs) >= T_SUSPECT;
  const worth = ({ tMean, standardError }: CropTest): number =>
    seen ? Math.abs(tMean) : -standardError;
  return tests.reduce((best, test) => (worth(test) > worth(best) ? test : best));
}

const countOf = ({ classes }: Series, wanted: number): number =>
  classes.filter((label) => label === wanted).length;
