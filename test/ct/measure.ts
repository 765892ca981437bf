// Times a routine on inputs of all its classes, in random order.
import { randomFillSync } from 'node:crypto';
import {
  INPUT_POOL_BYTES,
  INPUT_POOL_PTR,
  INPUT_PTR,
  MAX_INPUT_BYTES,
  MAX_PUBLIC_BYTES,
  PUBLIC_POOL_BYTES,
  PUBLIC_POOL_PTR,
  PUBLIC_PTR,
  type TimedKernel,
} from './kernel.js';
import type { Routine } from './routines.js';
import type { Series } from './series.js';

/**
 * Samples that are prepared together, so that nothing but two copies happens between one and the
 * next.
 */
const MAX_BATCH_SAMPLES = 1024;
/**
 * Made anew for every batch. If the same ones came back all the time, the arithmetic of a class of
 * one secret would go over the same few operands, and that of random secrets never: a difference of
 * operands, not of secrets.
 */
const PUBLICS_PER_BATCH = 64;
const WARM_UP_MS = 300;

export interface Budget {
  readonly milliseconds: number;
  readonly maxSamples: number;
}

export interface WarmUp {
  /** The very first call, ns. */
  readonly firstNs: number;
  /** In the end: of the last batch, what a tenth of the calls do not exceed. */
  readonly warmNs: number;
}

/** A routine, ready to be timed on a kernel. */
export class Subject {
  readonly routine: Routine;
  readonly #kernel: TimedKernel;
  readonly #call: () => void;
  readonly #inputBytes: number;
  readonly #publicBytes: number;
  readonly #makePublic: (() => Uint8Array) | undefined;
  readonly #classOf: Uint8Array;
  readonly #publicOf: Uint16Array;
  readonly #timeOf: Float64Array;

  constructor(routine: Routine, kernel: TimedKernel) {
    const { call, makePublic } = routine.bind(kernel);
    this.routine = routine;
    this.#kernel = kernel;
    this.#call = call;
    this.#inputBytes = routine.inputBytes * routine.callsPerSample;
    this.#publicBytes = makePublic?.().length ?? 0;
    if (
      this.#inputBytes > MAX_INPUT_BYTES ||
      this.#publicBytes > MAX_PUBLIC_BYTES ||
      this.#publicBytes * PUBLICS_PER_BATCH > PUBLIC_POOL_BYTES
    ) {
      throw new RangeError(`${routine.name}: no room for its inputs`);
    }
    this.#makePublic = makePublic;
    const batchSamples = Math.min(
      MAX_BATCH_SAMPLES,
      Math.floor(INPUT_POOL_BYTES / this.#inputBytes),
    );
    this.#classOf = new Uint8Array(batchSamples);
    this.#publicOf = new Uint16Array(batchSamples);
    this.#timeOf = new Float64Array(batchSamples);
  }

  /**
   * Calls until V8's optimised code has long been in place: after some thousand calls or loops, and
   * a compilation.
   */
  warmUp(): WarmUp {
    const end = performance.now() + WARM_UP_MS;
    this.#fillPool();
    this.#timeBatch();
    const firstNs = this.#timeOf[0]!;
    while (performance.now() < end) {
      this.#fillPool();
      this.#timeBatch();
    }
    const sorted = this.#timeOf.toSorted();
    const warmNs = sorted[Math.floor(sorted.length / 10)]!;
    const { callsPerSample } = this.routine;
    return { firstNs: firstNs / callsPerSample, warmNs: warmNs / callsPerSample };
  }

  measure({ milliseconds, maxSamples }: Budget): Series {
    const end = performance.now() + milliseconds;
    const batches: Series[] = [];
    for (
      let count = 0;
      count < maxSamples && performance.now() < end;
      count += this.#timeOf.length
    ) {
      this.#fillPool();
      this.#timeBatch();
      batches.push({ times: this.#timeOf.slice(), classes: this.#classOf.slice() });
    }
    return joined(batches);
  }

  /**
   * Deals a class to every sample of a batch, two shares to the first, and one of the public
   * inputs; lays the inputs.
   */
  #fillPool(): void {
    const { classes, inputBytes } = this.routine;
    const draws = randomFillSync(new Uint32Array(2 * this.#classOf.length));
    const inputs = randomFillSync(new Uint8Array(this.#classOf.length * this.#inputBytes));
    for (let i = 0; i < this.#classOf.length; i++) {
      const chosen = Math.max(0, (draws[2 * i]! % (classes.length + 1)) - 1);
      this.#classOf[i] = chosen;
      this.#publicOf[i] = draws[2 * i + 1]! % PUBLICS_PER_BATCH;
      for (let at = i * this.#inputBytes; at < (i + 1) * this.#inputBytes; at += inputBytes) {
        classes[chosen]!.shape(inputs.subarray(at, at + inputBytes));
      }
    }
    this.#kernel.write(INPUT_POOL_PTR, inputs);
    if (this.#makePublic === undefined) return;
    for (let i = 0; i < PUBLICS_PER_BATCH; i++) {
      this.#kernel.write(PUBLIC_POOL_PTR + i * this.#publicBytes, this.#makePublic());
    }
  }

  /**
   * Before the clock starts all classes have done the same: a copy of as many bytes to the same
   * place.
   */
  #timeBatch(): void {
    const { bytes } = this.#kernel;
    const call = this.#call;
    const inputBytes = this.#inputBytes;
    const publicBytes = this.#publicBytes;
    const publicOf = this.#publicOf;
    const timeOf = this.#timeOf;
    for (let i = 0; i < timeOf.length; i++) {
      const publicPtr = PUBLIC_POOL_PTR + publicOf[i]! * publicBytes;
      bytes.copyWithin(PUBLIC_PTR, publicPtr, publicPtr + publicBytes);
      const inputPtr = INPUT_POOL_PTR + i * inputBytes;
      bytes.copyWithin(INPUT_PTR, inputPtr, inputPtr + inputBytes);
      const start = performance.now();
      call();
      timeOf[i] = performance.now() - start;
    }
    for (let i = 0; i < timeOf.length; i++) timeOf[i] = Math.round(timeOf[i]! * 1e6);
  }
}

function joined(batches: readonly Series[]): Series {
  const count = batches.reduce((sum, { times }) => sum + times.length, 0);
  const times = new Float64Array(count);
  const classes = new Uint8Array(count);
  let at = 0;
  for (const batch of batches) {
    times.set(batch.times, at);
    classes.set(batch.classes, at);
    at += batch.times.length;
  }
  return { times, classes };
}

/**
 * The step in which the clock goes, ns: the least by which two short times differ, but for the
 * rounding to 1 ns.
 */
export function clockStepNs(): number {
  const times = new Set<number>();
  for (let i = 0; i < 100_000; i++) {
    const start = performance.now();
    times.add(Math.round((performance.now() - start) * 1e6));
  }
  const sorted = [...times].sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((time, i) => time - sorted[i]!);
  return Math.max(1, Math.min(...gaps.filter((gap) => gap > 1)));
}
