import type { NamesOf } from '../util/known-names.js';
import { PublicIds } from './public-ids.js';
import { channel, type Channel } from 'node:diagnostics_channel';

/** Methods that a logger must have: pino's, or those of a logger of its shape. */
export interface Logger {
  /** Writes a line of level debug; the facts come first, as pino takes them. */
  debug(facts: object, message: string): void;
  /** Writes a line of level info. */
  info(facts: object, message: string): void;
  /** Writes a line of level warn. */
  warn(facts: object, message: string): void;
  /** Writes a line of level error. */
  error(facts: object, message: string): void;
}

/**
 * Messages on `node:diagnostics_channel`, each on the channel `sealcast:` and its name.
 *
 * Every message of a dry run, of whichever name, has `dryRun: true` besides. Counts, codes and
 * times; no message has a key, a text, a service id or a phone number in it, nor has any line of
 * the log. `id` of a broadcast is `broadcaster.publicId(id)`: a keyed hash, the same for as long as
 * the store lives.
 */
export interface Metrics {
  /** A broadcast begins, or goes on. */
  'broadcast:start': { readonly id: string; readonly resumed: boolean };
  /**
   * It ended: the number of recipients in each status, or the code of the error that stopped it.
   */
  'broadcast:end': {
    readonly id: string;
    readonly counts: Readonly<Record<string, number>>;
    readonly errorCode?: string;
  };
  /** One delivery ended. `attempts`: requests to send. */
  delivery: {
    readonly id: string;
    readonly status: string;
    readonly errorCode?: string;
    readonly attempts: number;
    readonly unsealedFallback: boolean;
  };
  /**
   * A step for some recipients; elapsed ms, not processor time. `ratchet` (libsignal encrypts) and
   * `store` are of a chunk; `seal` is of one recipient, whose chunk is sealed with it; `send` is of
   * one recipient's request, whatever the answer.
   */
  stage: {
    readonly id: string;
    readonly stage: string;
    readonly recipients: number;
    readonly durationMs: number;
  };
  /** The service refused something: `rate-limited`, `unavailable`, `challenge`, ... */
  refusal: { readonly id: string; readonly status: string };
  /** A recipient's identity key changed. */
  'identity-change': { readonly policy: 'accept' | 'fail' };
  /** A message was given out, or is ready to be. */
  received: { readonly envelopeType: string; readonly sealed: boolean };
  /** An envelope was refused. */
  'received:refused': { readonly reason: string };
  /** A message could not be decrypted. */
  'received:undecryptable': { readonly retryRequested: boolean };
  /** A batch of envelopes went through a step: unseal, decrypt, store; elapsed ms. */
  'received:stage': {
    readonly stage: string;
    readonly envelopes: number;
    readonly durationMs: number;
  };
  /** A retry request was sent, or given up. */
  'retry-request': { readonly status: string; readonly attempts: number };
  /** A recipient sent a retry request; whether its message is known. */
  resend: { readonly known: boolean };
  /** No usable sender certificate was available. */
  certificate: { readonly errorCode: string; readonly attempt: number };
  /**
   * The local clock is off by more than a minute: ms that it is behind the service's, negative
   * where it is ahead.
   */
  'clock-skew': { readonly offsetMs: number };
  /**
   * A record of the store is damaged, and was left out: its table, and how many of that table were
   * found since the store was opened.
   */
  'store:damaged': { readonly table: string; readonly records: number };
}

type Name = keyof Metrics;
const NAMES: NamesOf<Metrics> = {
  'broadcast:start': true,
  'broadcast:end': true,
  delivery: true,
  stage: true,
  refusal: true,
  'identity-change': true,
  received: true,
  'received:refused': true,
  'received:undecryptable': true,
  'received:stage': true,
  'retry-request': true,
  resend: true,
  certificate: true,
  'clock-skew': true,
  'store:damaged': true,
};
const CHANNELS = new Map<string, Channel>(
  Object.keys(NAMES).map((name) => [name, channel(`sealcast:${name}`)]),
);

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Keeps an exception of the logger from failing a broadcast. */
function guarded(logger: Logger, published: (facts: object) => object): Logger {
  const level =
    (name: keyof Logger) =>
    (facts: object, message: string): void => {
      try {
        logger[name](published(facts), message);
      } catch {
        // A failing logger fails for its author elsewhere too.
      }
    };
  return { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
}

/**
 * Publishes metrics, and writes the few log lines that an operator needs.
 *
 * Ids of broadcasts appear as {@link PublicIds}.
 */
export class Telemetry {
  readonly log: Logger;
  readonly #logger: Logger;
  readonly #marks: { readonly dryRun: true } | undefined;
  #ids: PublicIds;

  constructor(logger: Logger = SILENT, marks?: { readonly dryRun: true }, ids = new PublicIds()) {
    this.#ids = ids;
    this.log = guarded(logger, (facts) => this.#public(facts));
    this.#logger = logger;
    this.#marks = marks;
  }

  /** Names broadcasts by the store's key from now on. */
  nameWith(ids: PublicIds): void {
    this.#ids = ids;
  }

  /** Returns the same, with `dryRun: true` in all facts and lines. */
  forDryRun(): Telemetry {
    return new Telemetry(this.#logger, { dryRun: true }, this.#ids);
  }

  publish<Key extends Name>(name: Key, facts: Metrics[Key]): void {
    const target = CHANNELS.get(name);
    if (target?.hasSubscribers === true) target.publish(this.#public(facts));
  }

  #public(facts: object): object {
    const { id } = facts as { readonly id?: unknown };
    const name = typeof id === 'string' ? { id: this.#ids.nameOf(id) } : {};
    return { ...facts, ...name, ...this.#marks };
  }
}
