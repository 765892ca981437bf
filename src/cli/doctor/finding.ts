import { SealcastError } from '../../errors.js';
import { CommandError } from '../exit-codes.js';

export type Verdict = 'ok' | 'warn' | 'fail' | 'skip';

/** Result of one check. */
export interface Finding {
  readonly verdict: Verdict;
  readonly detail: string;
  /** Advice for the person at the terminal. */
  readonly hint?: string;
}

export const ok = (detail: string): Finding => ({ verdict: 'ok', detail });
export const warn = (detail: string, hint: string): Finding => ({ verdict: 'warn', detail, hint });
export const fail = (detail: string, hint: string): Finding => ({ verdict: 'fail', detail, hint });

const REFUSED: Readonly<Record<string, string>> = {
  delinked:
    'the phone, or a long time without a connection, has removed this device: sealcast link',
  'connected-elsewhere': 'end the other program that uses this device',
  expired: 'install the newest sealcast',
};

/** Advice about errors of the library, by code. */
const HINTS: Readonly<Record<string, string>> = {
  ERR_STORE_LOCKED: 'another sealcast, or another program, has the store: end it first',
  ERR_STORE_KEY: 'give the key that the store was made with: --key-file or SEALCAST_KEY_FILE',
  ERR_STORE_VERSION: 'install the newest sealcast',
  ERR_STORE_FAILED: 'make room on the disk, and see that this user may write to the directory',
  ERR_SERVICE_UNAVAILABLE: 'check network, name server and firewall; then try again',
  ERR_LIBSIGNAL_UNAVAILABLE:
    'reinstall; libsignal is built for Linux with glibc, macOS and Windows',
  ERR_RATE_LIMITED: 'wait, then try again',
  ERR_IMPORT_UNFINISHED: 'run "sealcast import" again: it finishes the move',
  ERR_TRANSPORT_REFUSED: 'link this device again: sealcast link',
};

/** Finding of a check that threw. */
export function findingOf(error: unknown): Finding {
  if (error instanceof SealcastError) {
    const detail = `${error.message} (${error.code})`;
    if (error.code === 'ERR_NOT_IMPLEMENTED') return { verdict: 'skip', detail };
    const hint = (error.reason && REFUSED[error.reason]) ?? HINTS[error.code];
    return { verdict: 'fail', detail, ...(hint !== undefined && { hint }) };
  }
  const detail = (error as Error).message;
  const hint = error instanceof CommandError ? error.hint : undefined;
  return { verdict: 'fail', detail, ...(hint !== undefined && { hint }) };
}

/** Finding of an answer that is a refusal. */
export const refused = ({ status }: { readonly status: string }): Finding =>
  status === 'unavailable' || status === 'rate-limited'
    ? fail(`the service: ${status}`, 'try again later')
    : fail(`the service: ${status}`, 'link this device again if it stays so: sealcast link');
