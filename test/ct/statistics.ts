// The statistics of the timing test: Welch's t between two classes of samples, whole and cropped,
// of their means (first order) and of their variances (second order), as in Reparaz, Balasch and
// Verbauwhede, "Dude, is my code constant time?" (2017). Samples are nanoseconds.

/**
 * |t| from which a difference is held to be real; by chance alone it comes once in 150,000
 * comparisons.
 */
export const T_SUSPECT = 4.5;
/** |t| from which dudect calls a leak certain. */
export const T_CERTAIN = 10;

/** Shares of the samples that are kept: every fifth of dudect's percentiles, and all. */
export const CROPS: readonly number[] = [
  ...Array.from({ length: 20 }, (_, i) => 1 - 0.5 ** ((i + 1) / 2)),
  1,
];

/**
 * A crop that leaves fewer samples of a class is passed over: Welch's t takes means to be normally
 * distributed.
 */
const MIN_CLASS_SAMPLES = 100;

/**
 * Which samples a crop keeps. `smallest`, as dudect: what interrupts a measurement only ever slows
 * it down. `central`, for samples that are differences from an expected value: those nearest to
 * zero.
 */
export type CropSide = 'smallest' | 'central';

export interface Sample {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

/** What one crop says of two classes. */
export interface CropTest {
  /** Share of the samples that was kept. */
  readonly crop: number;
  readonly tMean: number;
  readonly tVariance: number;
  /** Mean of the second class less that of the first. */
  readonly difference: number;
  readonly standardError: number;
}

/** Welch's t of the second mean less the first. Constants that are equal give 0. */
export function welchT(first: Sample, second: Sample): number {
  const difference = second.mean - first.mean;
  return difference === 0 ? 0 : difference / standardError(first, second);
}
function standardError(first: Sample, second: Sample): number {
  return Math.sqrt(first.variance / first.count + second.variance / second.count);
}

/**
 * Sums of powers of what lies between two limits, taken from a centre near most of it, so that
 * little cancels.
 */
class PowerSums {
  #count = 0;
  #s1 = 0;
  #s2 = 0;
  #s3 = 0;
  #s4 = 0;

  add(x: number): void {
    const xx = x * x;
    this.#count++;
    this.#s1 += x;
    this.#s2 += xx;
    this.#s3 += xx * x;
    this.#s4 += xx * xx;
  }
  addAll(other: PowerSums): void {
    this.#count += other.#count;
    this.#s1 += other.#s1;
    this.#s2 += other.#s2;
    this.#s3 += other.#s3;
    this.#s4 += other.#s4;
  }
  /** The sample itself, and that of its centred squares, whose mean is the variance. */
  samples(): { readonly whole: Sample; readonly squares: Sample } {
    const n = this.#count;
    const mean = this.#s1 / n;
    const m2 = Math.max(this.#s2 / n - mean ** 2, 0);
    const m4 =
      this.#s4 / n - 4 * mean * (this.#s3 / n) + 6 * mean ** 2 * (this.#s2 / n) - 3 * mean ** 4;
    return {
      whole: { count: n, mean, variance: (m2 * n) / (n - 1) },
      squares: { count: n, mean: m2, variance: Math.max(m4 - m2 ** 2, 0) },
    };
  }
}

/**
 * Compares two classes at every crop that leaves enough of both. The limit of a crop is that of
 * both classes together.
 */
export function compareClasses(
  first: Float64Array,
  second: Float64Array,
  side: CropSide,
): CropTest[] {
  const sizes = new Float64Array(first.length + second.length);
  sizes.set(first);
  sizes.set(second, first.length);
  if (side === 'central') sizes.forEach((x, i) => (sizes[i] = Math.abs(x)));
  sizes.sort();
  const limits = Float64Array.from(CROPS, (crop) => sizes[Math.ceil(crop * sizes.length) - 1] ?? 0);
  const centre = side === 'central' ? 0 : (sizes[sizes.length >> 1] ?? 0);
  const firstSums = sumBetween(limits, first, side, centre);
  const secondSums = sumBetween(limits, second, side, centre);

  const tests: CropTest[] = [];
  const a = new PowerSums();
  const b = new PowerSums();
  CROPS.forEach((crop, i) => {
    a.addAll(firstSums[i]!);
    b.addAll(secondSums[i]!);
    const { whole: wholeA, squares: squaresA } = a.samples();
    const { whole: wholeB, squares: squaresB } = b.samples();
    if (Math.min(wholeA.count, wholeB.count) < MIN_CLASS_SAMPLES) return;
    tests.push({
      crop,
      tMean: welchT(wholeA, wholeB),
      tVariance: welchT(squaresA, squaresB),
      difference: wholeB.mean - wholeA.mean,
      standardError: standardError(wholeA, wholeB),
    });
  });
  return tests;
}

/** For every limit, what lies at it or below, but above the limit before. */
function sumBetween(
  limits: Float64Array,
  samples: Float64Array,
  side: CropSide,
  centre: number,
): PowerSums[] {
  const sums = Array.from(limits, () => new PowerSums());
  for (const sample of samples) {
    const size = side === 'central' ? Math.abs(sample) : sample;
    let low = 0;
    let high = limits.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (size <= limits[middle]!) high = middle;
      else low = middle + 1;
    }
    sums[low]!.add(sample - centre);
  }
  return sums;
}

/** @param margin a difference, ns, that is not held against anybody; what goes beyond it is. */
export const maxTMean = (tests: readonly CropTest[], margin = 0): number =>
  largest(
    tests.map(({ tMean, difference }) => {
      const size = Math.abs(difference);
      // t is the difference over its standard error, and so is what is beyond the margin.
      return size <= margin ? 0 : tMean * (1 - margin / size);
    }),
  );
export const maxTVariance = (tests: readonly CropTest[]): number =>
  largest(tests.map(({ tVariance }) => tVariance));
const largest = (values: readonly number[]): number => Math.max(0, ...values.map(Math.abs));
