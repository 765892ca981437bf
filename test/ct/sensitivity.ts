// What a comparison of two classes could have seen, told by its own samples: classes are dealt out
// to them anew, so that no difference is left but chance, and then one class is slowed down by a
// known time.
import { compareInSeries, type Series } from './series.js';
import { maxTMean, maxTVariance, T_SUSPECT } from './statistics.js';

const DEALS = 5;
/** Each difference that is tried is this much larger than the last one. */
const STEP = 1.25;
const MAX_STEPS = 60;

export interface Sensitivity {
  /** Largest |t| that chance alone gave in all deals. */
  readonly chanceMaxT: number;
  /** Smallest difference that every deal showed, ns; null if none did. */
  readonly smallestVisibleNs: number | null;
}

/**
 * `stepNs`: what the times are multiples of, more or less. `marginNs`: a difference that is not
 * looked for. `random`: from 0 up to below 1.
 */
export function findSensitivity(
  { times, classes }: Series,
  stepNs: number,
  marginNs = 0,
  random = Math.random,
): Sensitivity {
  const deals = Array.from({ length: DEALS }, () => ({
    times,
    classes: shuffled(classes, random),
  }));
  const byChance = deals.flatMap((deal) => compareInSeries(deal, 1));
  const chanceMaxT = Math.max(maxTMean(byChance, marginNs), maxTVariance(byChance));
  let difference = Math.min(
    ...byChance.map(({ standardError }) => T_SUSPECT * standardError).filter((ns) => ns > 0),
  );
  for (let step = 0; step < MAX_STEPS && Number.isFinite(difference); step++) {
    const isSeen = (deal: Series): boolean =>
      maxTMean(compareInSeries(slowedDown(deal, difference, stepNs, random), 1), marginNs) >=
      T_SUSPECT;
    if (deals.every(isSeen)) return { chanceMaxT, smallestVisibleNs: difference };
    difference *= STEP;
  }
  return { chanceMaxT, smallestVisibleNs: null };
}

/**
 * Class 1 takes so much longer, as a clock would show it that goes in steps: a difference of a
 * tenth of a step moves every tenth time by one.
 */
function slowedDown(
  { times, classes }: Series,
  differenceNs: number,
  stepNs: number,
  random: () => number,
): Series {
  const steps = differenceNs / stepNs;
  const slowed = times.map((time, i) =>
    classes[i] === 1 ? time + stepNs * Math.floor(steps + random()) : time,
  );
  return { times: slowed, classes };
}

/** Fisher and Yates. */
function shuffled(values: Uint8Array, random: () => number): Uint8Array {
  const out = values.slice();
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const value = out[i]!;
    out[i] = out[j]!;
    out[j] = value;
  }
  return out;
}
