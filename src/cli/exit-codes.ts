import type { SealcastErrorCode } from '../errors.js';

/** Exit codes of the command. Scripts depend on them: they do not change. */
export const EXIT = {
  /** Everything was done; of a broadcast: every recipient has it. */
  done: 0,
  /** The command line asks for something that cannot be. */
  usage: 1,
  unexpected: 2,
  /** The service or the store. */
  unavailable: 3,
  /** Identity keys of recipients changed, and only these failed. */
  identity: 4,
  /** A rate limit, or a challenge that wants an answer. */
  rateLimit: 5,
  /** The captcha was refused. */
  captcha: 6,
  /** The broadcast ended, and some recipients do not have it. */
  someFailed: 7,
  /** Stopped, and can be resumed: EX_TEMPFAIL of sysexits.h. */
  stopped: 75,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const OF_CODES: Partial<Record<SealcastErrorCode, ExitCode>> = {
  ERR_INVALID_ARGUMENT: EXIT.usage,
  ERR_MESSAGE_TOO_LARGE: EXIT.usage,
  ERR_BROADCAST_MISMATCH: EXIT.usage,
  ERR_RECIPIENT_INVALID: EXIT.usage,
  ERR_STORE_KEY: EXIT.usage,
  ERR_ACCOUNT_MISMATCH: EXIT.usage,
  ERR_IDENTITY_CHANGED: EXIT.identity,
  ERR_RATE_LIMITED: EXIT.rateLimit,
  ERR_IMPORT_VERSION: EXIT.usage,
  ERR_IMPORT_DAMAGED: EXIT.usage,
  ERR_IMPORT_REFUSED: EXIT.usage,
  ERR_IMPORT_LIBRARY: EXIT.usage,
  ERR_IMPORT_IN_USE: EXIT.unavailable,
  ERR_IMPORT_UNFINISHED: EXIT.unavailable,
  ERR_NUMBER_IN_USE: EXIT.usage,
  ERR_REGISTRATION_CODE: EXIT.usage,
  ERR_REGISTRATION_PIN: EXIT.usage,
  ERR_REGISTRATION_STEP: EXIT.usage,
  ERR_REGISTRATION_SESSION: EXIT.unavailable,
  ERR_REGISTRATION_DELIVERY: EXIT.unavailable,
  ERR_REGISTRATION_LOCK: EXIT.unavailable,
  ERR_CAPTCHA: EXIT.captcha,
  ERR_ABORTED: EXIT.stopped,
  ERR_INVALID_CERTIFICATE: EXIT.unavailable,
  ERR_STORE_LOCKED: EXIT.unavailable,
  ERR_STORE_FAILED: EXIT.unavailable,
  ERR_STORE_VERSION: EXIT.unavailable,
  ERR_TRANSPORT_REFUSED: EXIT.unavailable,
  ERR_SERVICE_UNAVAILABLE: EXIT.unavailable,
  ERR_SERVICE_REJECTED: EXIT.unavailable,
  ERR_CLOCK_SKEW: EXIT.unavailable,
  ERR_NO_PREKEYS: EXIT.unavailable,
  ERR_CLOSED: EXIT.unavailable,
  ERR_LINK_EXPIRED: EXIT.unavailable,
  ERR_LINK_CODE: EXIT.unavailable,
  ERR_LINK_MESSAGE: EXIT.unavailable,
  ERR_LINK_ACCOUNT: EXIT.usage,
  ERR_LINK_CAPABILITY: EXIT.unavailable,
  ERR_LINK_DEVICES: EXIT.unavailable,
};

/** Exit code for an error of the library. */
export const exitCodeOf = (code: SealcastErrorCode): ExitCode => OF_CODES[code] ?? EXIT.unexpected;

/** Failure of a command, with what to do about it, for the person who typed the command. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;
  /** Of the library's error that is behind it. */
  readonly code: SealcastErrorCode | undefined;

  constructor(
    message: string,
    options: {
      readonly exitCode?: ExitCode;
      readonly hint?: string;
      readonly code?: SealcastErrorCode;
    },
  ) {
    super(message);
    this.code = options.code;
    this.exitCode = options.exitCode ?? EXIT.unexpected;
    this.hint = options.hint;
  }
}

/** @throws CommandError with exit code 1 */
export function refuseUsage(message: string, hint?: string): never {
  throw new CommandError(message, { exitCode: EXIT.usage, ...(hint !== undefined && { hint }) });
}
