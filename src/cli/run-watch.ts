import type { Account } from '../account/account.js';
import type { Delivery } from '../broadcast/delivery.js';
import type { BroadcastRun, BroadcastSummary } from '../broadcast/run.js';
import { SealcastError } from '../errors.js';
import type { CommandContext } from './context.js';
import { EXIT, type ExitCode, CommandError } from './exit-codes.js';
import { showProgress } from './progress.js';
import { count, duration, plural } from './text.js';

/** Delivery as a line of NDJSON. */
const deliveryLine = ({ recipient, status, error }: Delivery): object => ({
  event: 'delivery',
  recipient,
  status,
  ...(error !== undefined && { errorCode: error.code }),
});

/** How a run of a broadcast is watched. */
export interface WatchOptions {
  readonly dryRun?: boolean;
  /** Stops the run. */
  readonly stop: AbortController;
}

/**
 * Watches a run to its end: progress on standard error; deliveries, with `--json`, and the summary
 * on standard output.
 *
 * A challenge of the service stops the run, because its answer needs another call of the command.
 */
export async function watchRun(
  { line, terminal, clock }: CommandContext,
  account: Account,
  run: BroadcastRun,
  { dryRun = false, stop }: WatchOptions,
): Promise<ExitCode> {
  const json = line.has('json');
  let challenge: string | undefined;
  const onChallenge = ({ id, token }: { readonly id: string; readonly token: string }): void => {
    if (id !== run.id) return;
    challenge = token;
    stop.abort();
  };
  const onTranscriptProblem = ({
    id,
    error,
  }: {
    readonly id: string;
    readonly error: SealcastError;
  }): void => {
    if (id === run.id)
      terminal.say(`${error.message} (${error.code}); "sealcast resume" tries again`);
  };
  account.broadcaster.on('challenge', onChallenge).on('transcriptProblem', onTranscriptProblem);
  const endProgress = showProgress(terminal, () => run.progress, clock);
  const failures = new Map<string, number>();
  let ended = 0;
  try {
    for await (const delivery of run) {
      ended += 1;
      const code = delivery.error?.code;
      if (code !== undefined) failures.set(code, (failures.get(code) ?? 0) + 1);
      if (json) await terminal.json(deliveryLine(delivery));
    }
    const summary = await run.summary();
    endProgress();
    if (json) await terminal.json({ event: 'summary', ...(dryRun && { dryRun }), ...summary });
    else await terminal.data(summaryText(summary, dryRun));
    return exitCodeFor(summary, failures);
  } catch (error) {
    endProgress();
    if (challenge !== undefined) throw challengeError(challenge, run.id);
    if (error instanceof SealcastError && error.code === 'ERR_ABORTED') {
      const { ingested, pending, recipients } = run.progress;
      throw new CommandError(
        `stopped: ${count(ended)} sent now, ${count(pending)} of ${plural(recipients, 'recipient')} wait`,
        {
          exitCode: EXIT.stopped,
          hint: ingested
            ? `to go on: sealcast resume ${run.id}`
            : `to go on, run the same command again with --id ${run.id}`,
        },
      );
    }
    throw error;
  } finally {
    endProgress();
    account.broadcaster.off('challenge', onChallenge).off('transcriptProblem', onTranscriptProblem);
  }
}

function challengeError(token: string, id: string): CommandError {
  return new CommandError('the service wants proof of a person before it takes more messages', {
    exitCode: EXIT.rateLimit,
    hint: `solve https://signalcaptchas.org/challenge/generate.html, then: sealcast challenge --token ${token}, and: sealcast resume ${id}`,
  });
}

function summaryText(summary: BroadcastSummary, dryRun: boolean): string {
  const { id, recipients, sealed, unsealed, unregistered, failed, durationMs } = summary;
  const parts = [
    `${count(sealed)} sealed`,
    ...(unsealed > 0 ? [`${count(unsealed)} unsealed`] : []),
    ...(unregistered > 0 ? [`${count(unregistered)} unregistered`] : []),
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
  ];
  const start = dryRun ? `${id} (dry run, nothing was sent)` : id;
  return `${start}: ${parts.join(', ')}, of ${plural(recipients, 'recipient')}, in ${duration(durationMs)}`;
}

function exitCodeFor(
  { failed, unregistered }: BroadcastSummary,
  failures: ReadonlyMap<string, number>,
): ExitCode {
  if (failed + unregistered === 0) return EXIT.done;
  const changed = failures.get('ERR_IDENTITY_CHANGED') ?? 0;
  return changed === failed + unregistered ? EXIT.identity : EXIT.someFailed;
}
