import { styleText } from 'node:util';
import type { BroadcastProgress } from '../broadcast/run.js';
import type { Clock } from '../util/clock.js';
import { count, duration } from './text.js';
import type { Terminal } from './terminal.js';

const DRAW_MS = 200;
const LINE_MS = 10_000;
const MIN_BAR = 10;
const MAX_BAR = 30;

/** Speed of a broadcast, from what it had done when it was first looked at. */
export class Pace {
  #first: { readonly done: number; readonly ms: number } | undefined;

  /** @returns recipients a second, and ms until the end; undefined while unknown. */
  at(
    { recipients, pending, ingested }: BroadcastProgress,
    nowMs: number,
  ): { readonly perSecond: number; readonly leftMs: number | undefined } | undefined {
    const done = recipients - pending;
    // Outcomes of earlier runs are counted at the start, and are no speed of this one.
    if (!ingested || this.#first === undefined) {
      this.#first ??= { done, ms: nowMs };
      if (!ingested && done === 0) this.#first = { done, ms: nowMs };
    }
    const elapsedMs = nowMs - this.#first.ms;
    const since = done - this.#first.done;
    if (elapsedMs <= 0 || since <= 0) return undefined;
    const perSecond = (since * 1000) / elapsedMs;
    return { perSecond, leftMs: ingested ? (pending * 1000) / perSecond : undefined };
  }
}

/** Words for the progress of a broadcast. */
export function progressText(
  progress: BroadcastProgress,
  pace: ReturnType<Pace['at']>,
): readonly string[] {
  const { recipients, pending, failed, unregistered, ingested, waitingFor } = progress;
  const lost = failed + unregistered;
  const rate =
    pace &&
    `${pace.perSecond < 10 ? pace.perSecond.toFixed(1) : count(Math.round(pace.perSecond))}/s`;
  return [
    `${count(recipients - pending)} of ${count(recipients)}${ingested ? '' : '+'}`,
    ...(lost > 0 ? [`${count(lost)} not reached`] : []),
    ...(rate === undefined ? [] : [rate]),
    ...(pace?.leftMs === undefined ? [] : [`about ${duration(pace.leftMs)} left`]),
    ...(waitingFor.length > 0 ? [`waits: ${waitingFor.join(', ')}`] : []),
  ];
}

/** Bar of `width` columns, without its ends. */
export function barOf(done: number, total: number, width: number): string {
  const filled = total === 0 ? 0 : Math.floor((done / total) * width);
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}]`;
}

/**
 * Shows the progress of a broadcast on standard error: a bar that is drawn again where a person
 * sees it, else a line every ten seconds.
 *
 * @returns a call that ends it
 */
export function showProgress(
  terminal: Terminal,
  progress: () => BroadcastProgress,
  clock: Pick<Clock, 'monotonicMs' | 'setTimeout'>,
): () => void {
  const pace = new Pace();
  const isBar = terminal.isSeen;
  const draw = (): void => {
    const now = progress();
    const words = progressText(now, pace.at(now, clock.monotonicMs())).join(', ');
    if (!isBar) {
      terminal.say(`sending: ${words}`);
      return;
    }
    const width = Math.min(MAX_BAR, terminal.columns - words.length - 4);
    const bar = width < MIN_BAR ? '' : barOf(now.recipients - now.pending, now.recipients, width);
    const shown = terminal.hasColors ? styleText('green', bar) : bar;
    terminal.draw(
      `\r\x1b[K${bar === '' ? '' : `${shown} `}${words.slice(0, terminal.columns - 1)}`,
    );
  };
  let cancel: () => void;
  const schedule = (): void => {
    cancel = clock.setTimeout(
      () => {
        draw();
        schedule();
      },
      isBar ? DRAW_MS : LINE_MS,
    );
  };
  pace.at(progress(), clock.monotonicMs());
  if (isBar) draw();
  schedule();
  return () => {
    cancel();
    if (isBar) terminal.draw('\r\x1b[K');
  };
}
