import { checkStore, oneOf } from '../runtime/options.js';
import { checkOptions, checkSignal, refuse } from '../sealer/options.js';
import type { Store } from '../store/store.js';
import type { NamesOf } from '../util/known-names.js';
import type { ServiceEnvironment } from './account-files.js';
import type { ImportedCounts, SkippedCounts } from './counts.js';

/** Source, destination and extent of an import. */
export interface SignalCliImportOptions {
  /** Folder of signal-cli, `~/.local/share/signal-cli` for example, or the folder `data` in it. */
  readonly from: string;
  /** Phone number or ACI of the account; needed where there are several accounts. */
  readonly number?: string;
  /** Storage of the account from now on. No Account, Broadcaster or Receiver is open on it. */
  readonly store: Store;
  /**
   * `move`: the account itself, which only sealcast acts for afterwards. `contacts`: profile keys,
   * disappearing-message timers and blocks of recipients alone; the source stays as it is.
   */
  readonly mode: 'move' | 'contacts';
  /**
   * Service that the account is expected to be registered with. Default `production`; an account of
   * the other one is refused.
   */
  readonly environment?: ServiceEnvironment;
  /** Ends the import between two commits. A move that was ended is finished by the next call. */
  readonly signal?: AbortSignal;
}

/** Result of `importSignalCli`. It has no secret in it. */
export interface SignalCliImport {
  readonly mode: 'move' | 'contacts';
  /** Of the account; absent in mode `contacts`. */
  readonly aci?: string;
  /** 1: a primary device, which may register attributes. Absent in mode `contacts`. */
  readonly deviceId?: number;
  /** Service that the account is registered with: open the account with a `Net` of it. */
  readonly environment: ServiceEnvironment;
  readonly imported: ImportedCounts;
  /** Numbers of rows that were left out, by reason. */
  readonly skipped: SkippedCounts;
  /**
   * Files of messages that signal-cli received, and had not decrypted. They are not imported: let
   * signal-cli receive once more before a move, or they are lost.
   */
  readonly unreadMessages: number;
  /** New path of the account's JSON, under which signal-cli no longer finds it; in mode `move`. */
  readonly markedAs?: string;
}

const NAMES = {
  from: true,
  number: true,
  store: true,
  mode: true,
  environment: true,
  signal: true,
} satisfies NamesOf<SignalCliImportOptions>;

/** Checked options. */
export interface ImportTask {
  readonly from: string;
  readonly number: string | undefined;
  readonly store: Store;
  readonly mode: 'move' | 'contacts';
  readonly environment: ServiceEnvironment;
  readonly signal: AbortSignal | undefined;
}

function checkText(value: unknown, field: string): string {
  if (typeof value !== 'string' || value === '') refuse(field, 'a text');
  return value;
}

/** Checks the options of an import. */
export function checkTask(options: SignalCliImportOptions): ImportTask {
  const given = checkOptions(options, NAMES);
  const number = given['number'];
  return {
    from: checkText(given['from'], 'from'),
    number: number === undefined ? undefined : checkText(number, 'number'),
    store: checkStore(given['store']),
    mode: oneOf(given['mode'], 'mode', ['move', 'contacts']),
    environment: oneOf(given['environment'] ?? 'production', 'environment', [
      'production',
      'staging',
    ]),
    signal: checkSignal(given['signal']),
  };
}
