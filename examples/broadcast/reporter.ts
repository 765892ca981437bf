import { performance } from 'node:perf_hooks';
import type { Writable } from 'node:stream';
import { Presets, SingleBar } from 'cli-progress';

/** How a broadcast tells how far it is. */
export interface Reporter {
  /** Says something once. */
  note(text: string): void;
  /**
   * Runs a stage on `total` subscribers, and shows how many of them are done.
   */
  stage<T>(
    name: string,
    total: number,
    run: (onProgress: (done: number) => void) => Promise<T>,
  ): Promise<T>;
}

/** Width of the longest stage name. */
const NAME_COLUMNS = 'profile keys'.length;

function secondsSince(startMs: number): string {
  return ((performance.now() - startMs) / 1_000).toFixed(2);
}

/** One plain line a stage, for logs and pipes. */
export function plainReporter(output: Writable): Reporter {
  const line = (text: string): void => void output.write(`${text}\n`);
  return {
    note: line,
    stage: async (name, total, run) => {
      const startMs = performance.now();
      let done = 0;
      const result = await run((doneNow) => (done = doneNow));
      line(`${name.padEnd(NAME_COLUMNS)}  ${done} of ${total}  ${secondsSince(startMs)} s`);
      return result;
    },
  };
}

/** A bar that fills, for a terminal. */
export function barReporter(output: Writable): Reporter {
  return {
    note: (text) => void output.write(`${text}\n`),
    stage: async (name, total, run) => {
      const startMs = performance.now();
      const bar = new SingleBar(
        {
          stream: output,
          format: '{name}  {bar}  {value} of {total}  {seconds} s',
          hideCursor: true,
        },
        Presets.shades_classic,
      );
      const shown = (): object => ({
        name: name.padEnd(NAME_COLUMNS),
        seconds: secondsSince(startMs),
      });
      bar.start(total, 0, shown());
      try {
        return await run((done) => bar.update(done, shown()));
      } finally {
        bar.update(shown());
        bar.stop();
      }
    },
  };
}

export const silentReporter: Reporter = {
  note: () => undefined,
  stage: (_name, _total, run) => run(() => undefined),
};
