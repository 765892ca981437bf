import { parseArgs } from 'node:util';

export interface BroadcastOptions {
  readonly subscribers: number;
  readonly message: string;
  /** Threads that seal; as many as the machine has, if not given. */
  readonly threads?: number;
  /** Folder that lasts from run to run; one that is removed, if not given. */
  readonly storePath?: string;
}

/** Error of a command line that cannot be followed; its message is for the terminal. */
export class UsageError extends Error {}

const MAX_SUBSCRIBERS = 10_000;
const MAX_THREADS = 64;
/** Signal's clients send longer texts as an attachment. */
const MAX_MESSAGE_BYTES = 2_048;

export const DEFAULTS: BroadcastOptions = {
  subscribers: 200,
  message: 'Testing: the square is open again at six.',
};

export const USAGE = `Usage: npm run broadcast -- [options]

Sends one sealed message to many subscribers of Signal's mock service, and waits until each of them has decrypted it.

  --subscribers N   how many subscribers, 1 to ${MAX_SUBSCRIBERS} (default ${DEFAULTS.subscribers})
  --message TEXT    what to send (default "${DEFAULTS.message}")
  --threads N       threads that seal, 1 to ${MAX_THREADS} (default: one per processor)
  --store PATH      folder for what the broadcaster remembers; the next run with it goes on from there
                    (default: a temporary one)
  --help            this text`;

function parseCount(name: string, text: string, max: number): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= 1 && count <= max)) {
    throw new UsageError(`--${name} must be a whole number from 1 to ${max}, not '${text}'`);
  }
  return count;
}

function parseMessage(text: string): string {
  const lengthBytes = Buffer.byteLength(text);
  if (text.trim() === '') throw new UsageError('--message must not be empty');
  if (lengthBytes > MAX_MESSAGE_BYTES) {
    throw new UsageError(
      `--message must be at most ${MAX_MESSAGE_BYTES} bytes long, not ${lengthBytes}`,
    );
  }
  return text;
}

function parseStorePath(text: string): string {
  if (text === '') throw new UsageError('--store must not be empty');
  return text;
}

/** One line out of what node:util says, which may be a paragraph. */
function explain(error: Error & { code?: unknown }): string {
  const option =
    /--[^\s',]+/.exec(error.message)?.[0] ?? /'(-[^']+)'/.exec(error.message)?.[1] ?? '';
  switch (error.code) {
    case 'ERR_PARSE_ARGS_UNKNOWN_OPTION':
      return `there is no option ${option}`;
    case 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE':
      return option === '--help' ? `${option} takes no value` : `${option} needs a value`;
    default:
      return (error.message.split('\n')[0] ?? '').replace(/\.$/, '');
  }
}

/** Parses the command line, which asks for a broadcast or for the usage text. */
export function parseOptions(args: readonly string[]): BroadcastOptions | 'help' {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        subscribers: { type: 'string' },
        message: { type: 'string' },
        threads: { type: 'string' },
        store: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    throw new UsageError(explain(error as Error));
  }
  const { subscribers, message, threads, store, help } = values;
  if (help === true) return 'help';
  return {
    subscribers:
      subscribers === undefined
        ? DEFAULTS.subscribers
        : parseCount('subscribers', subscribers, MAX_SUBSCRIBERS),
    message: message === undefined ? DEFAULTS.message : parseMessage(message),
    ...(threads !== undefined && { threads: parseCount('threads', threads, MAX_THREADS) }),
    ...(store !== undefined && { storePath: parseStorePath(store) }),
  };
}
