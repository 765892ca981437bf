import { SealcastError } from '../errors.js';

/**
 * Refuses to go on in a process that forbids code generation from strings: lmdb and protobufjs make
 * their coders with it, and would fail in the middle of the work.
 *
 * @throws SealcastError ERR_NOT_IMPLEMENTED
 */
export function requireCodeGeneration(what: string): void {
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the question is whether it may
    new Function('');
  } catch (cause) {
    const message = `${what} does not work with --disallow-code-generation-from-strings: its dependencies generate code`;
    throw new SealcastError('ERR_NOT_IMPLEMENTED', message, { cause });
  }
}
