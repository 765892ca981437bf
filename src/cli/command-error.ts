import { EXIT, type ExitCode } from './exit-codes.js';

/** Failure of a command, with what to do about it, for the person who typed the command. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  constructor(message: string, options: { readonly exitCode?: ExitCode; readonly hint?: string }) {
    super(message);
    this.exitCode = options.exitCode ?? EXIT.unexpected;
    this.hint = options.hint;
  }
}

/** @throws CommandError with exit code 1 */
export function refuseUsage(message: string, hint?: string): never {
  throw new CommandError(message, { exitCode: EXIT.usage, ...(hint !== undefined && { hint }) });
}
