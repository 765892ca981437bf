// Times in the order in which they were taken, each with its class.
import { compareClasses, type CropTest } from './statistics.js';

export interface Series {
  /** ns */
  readonly times: Float64Array;
  readonly classes: Uint8Array;
}

/** A time and its neighbours. */
const GROUP_SAMPLES = 8;

export interface Centred {
  /** Each time less the median of the others of its group. */
  readonly times: Float64Array;
  /** How far apart the middle five of its group lie. */
  readonly spreads: Float64Array;
}

/**
 * What else runs on a machine changes its pace from one millisecond to the next, by far more than a
 * leak would. Neighbours share the pace, and what they are is independent of the sample's own
 * class. What does not fill a group in the end is left out.
 */
export function lessNeighbours(times: Float64Array): Centred {
  const count = times.length - (times.length % GROUP_SAMPLES);
  const centred = new Float64Array(count);
  const spreads = new Float64Array(count);
  const sorted = new Float64Array(GROUP_SAMPLES);
  for (let at = 0; at < count; at += GROUP_SAMPLES) {
    sorted.set(times.subarray(at, at + GROUP_SAMPLES));
    sorted.sort();
    // Without one of eight the median of seven is the fourth of all, or the fifth if the one is
    // among the first four.
    const fourth = sorted[3]!;
    const fifth = sorted[4]!;
    for (let i = at; i < at + GROUP_SAMPLES; i++)
      centred[i] = times[i]! - (times[i]! <= fourth ? fifth : fourth);
    spreads.fill(sorted[5]! - sorted[1]!, at, at + GROUP_SAMPLES);
  }
  return { times: centred, spreads };
}

/**
 * Compares a class with class 0: by their times, as dudect does; by their times less their
 * neighbours'; and by these in the quieter half of the groups.
 */
export function compareInSeries({ times, classes }: Series, second: number): CropTest[] {
  const centred = lessNeighbours(times);
  const quiet = centred.spreads.toSorted()[centred.spreads.length >> 1] ?? 0;
  const ofClass = (wanted: number): [Float64Array, Float64Array, Float64Array] => [
    times.filter((_, i) => classes[i] === wanted),
    centred.times.filter((_, i) => classes[i] === wanted),
    centred.times.filter((_, i) => classes[i] === wanted && centred.spreads[i]! <= quiet),
  ];
  const [timesA, centredA, quietA] = ofClass(0);
  const [timesB, centredB, quietB] = ofClass(second);
  return [
    ...compareClasses(timesA, timesB, 'smallest'),
    ...compareClasses(centredA, centredB, 'central'),
    ...compareClasses(quietA, quietB, 'central'),
  ];
}
