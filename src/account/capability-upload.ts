import type { AccountRuntime } from '../runtime/account-runtime.js';
import { OWN_LOCKS } from '../runtime/own-locks.js';
import { SendGuard } from '../runtime/send-guard.js';
import type { SealcastError } from '../errors.js';
import { loadOwnRecords } from '../store/tables/account.js';
import { loadCapabilities } from '../store/tables/credentials.js';
import { isDefinite, refusalError } from '../transport/refusal-errors.js';
import type { AccountTransport, DoneOutcome } from '../transport/account-transport.js';
import { backoffMs, type BackoffGrowth } from '../util/backoff.js';
import { serviceWaitMs } from '../util/service-wait.js';
import { effectiveCapabilities, type Capabilities } from '../access/capabilities.js';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const BACKOFF: BackoffGrowth = { baseMs: 10 * SECOND_MS, capMs: HOUR_MS, floor: 0.5 };
/** About half a day of an unavailable service; the next opening of the account begins again. */
const MAX_ATTEMPTS = 20;

interface UploadOptions {
  /** Set that precedes the stored one. */
  readonly capabilities: Capabilities | undefined;
  /** Ends the attempts. */
  readonly signal: AbortSignal;
  /** Receives the refusal that ended the attempts. */
  readonly onRefused: (error: SealcastError) => void;
}

/**
 * Tells the service what this device can do, as every client does when it starts.
 *
 * The service keeps the set that it heard last. A device whose set lacks a capability that became
 * required since it was linked is refused everything (499), so an upgrade has to tell it again.
 * Nothing depends on the answer: a failure neither stops nor delays the account. Never rejects.
 */
export async function uploadCapabilities(
  runtime: AccountRuntime,
  transport: AccountTransport,
  { capabilities, signal, onRefused }: UploadOptions,
): Promise<void> {
  if (transport.setCapabilities === undefined) return;
  const { log } = runtime.options.telemetry;
  try {
    for (let failures = 0; failures < MAX_ATTEMPTS; failures += 1) {
      const answer = await attempt(runtime, transport, capabilities, signal);
      if (answer.status === 'ok') return;
      const error = refusalError(answer, 'upload the capabilities of this device');
      log.warn({ code: error.code }, 'upload the capabilities of this device: failed');
      if (isDefinite(answer) && answer.status !== 'rate-limited') {
        onRefused(error);
        return;
      }
      const retryAfterMs = 'retryAfterMs' in answer ? answer.retryAfterMs : undefined;
      const askedMs =
        retryAfterMs === undefined
          ? 0
          : serviceWaitMs({ retryAfterMs, refusals: failures, ceilingMs: HOUR_MS });
      await pause(runtime, Math.max(askedMs, backoffMs(failures, BACKOFF)), signal);
    }
  } catch (error) {
    if (signal.aborted) return;
    const code = (error as { code?: unknown }).code ?? 'UNKNOWN';
    log.warn({ code }, 'upload the capabilities of this device: failed');
  }
}

async function attempt(
  runtime: AccountRuntime,
  transport: AccountTransport,
  given: Capabilities | undefined,
  signal: AbortSignal,
): Promise<DoneOutcome> {
  return runtime.locks.with([OWN_LOCKS.service], async () => {
    signal.throwIfAborted();
    const { store } = runtime.options;
    const [{ attributes }, linked] = await Promise.all([
      loadOwnRecords(store),
      loadCapabilities(store),
    ]);
    const whole = effectiveCapabilities(runtime.account, given, {
      linked,
      attributes: attributes?.capabilities,
    });
    SendGuard.of(store).assertOwned();
    // Checked by the caller; read again, as a transport may replace its methods.
    return (await transport.setCapabilities?.(whole, { signal })) ?? { status: 'ok' };
  });
}

/** Without keeping the process alive, as `Clock.sleep` would. */
function pause({ clock }: AccountRuntime, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = (): void => {
      cancel();
      reject(signal.reason as Error);
    };
    const cancel = clock.setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal.addEventListener('abort', abort, { once: true });
  });
}
