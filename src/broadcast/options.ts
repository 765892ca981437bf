import {
  checkMessage,
  MAX_TIMESTAMP_MS,
  type CheckedMessage,
  type OutgoingMessage,
} from '../content/index.js';
import {
  checkInteger,
  checkOptions,
  checkSignal,
  refuse,
  checkBoolean,
} from '../sealer/options.js';
import { uploadRules, type GivenAttachment } from './message-upload.js';
import { type NamesOf } from '../util/known-names.js';
import type { ClockSkew } from '../runtime/service-time.js';
import type { SealcastError } from '../errors.js';

/** Ids of broadcasts are file-name-like, so that one can be the beginning of a key. */
const ID_PATTERN = /^[\w.:-]{1,128}$/;
export const isBroadcastId = (value: unknown): value is string =>
  typeof value === 'string' && ID_PATTERN.test(value);

/** Service ids, in any order, one or more times. */
export type Recipients = Iterable<string> | AsyncIterable<string>;

/** Key under which recipients say which list they come from. */
export const RECIPIENT_LIST: unique symbol = Symbol('sealcast.recipientList');

/** List that recipients come from. */
export interface RecipientList {
  /** Store that has the list: that of the Broadcaster. */
  readonly store: object;
  readonly name: string;
}

/** Members of a list, as recipients: one that leaves it meanwhile gets nothing further. */
export interface ListRecipients extends AsyncIterable<string> {
  /** @internal */
  readonly [RECIPIENT_LIST]: RecipientList;
}

/** Message of a broadcast. */
export type BroadcastMessage = OutgoingMessage<GivenAttachment>;

/** Options of {@link Broadcaster.broadcast}. */
export interface BroadcastOptions {
  /**
   * Id of the broadcast: 1 to 128 letters, digits and `_.:-`. Default: a random UUID.
   *
   * The same id again resumes the broadcast, and each recipient gets one message. The call waits
   * for a resend to recipients that asked for one. While another call is sending the broadcast, it
   * is refused with ERR_INVALID_ARGUMENT.
   */
  readonly id?: string;
  /** ms since the epoch; no two messages of an account may have the same. Default: now. */
  readonly timestamp?: number;
  /** Whether the message wakes the recipients' devices. Default true. */
  readonly urgent?: boolean;
  /** Stops the broadcast; it can be resumed with the same id. */
  readonly signal?: AbortSignal;
  /**
   * Does everything but the network, and keeps nothing: deliveries say which way would be tried.
   * Default false.
   */
  readonly dryRun?: boolean;
  /**
   * Recipients a second at most. Kept with the broadcast: `resume()` and resends are no faster.
   * Default: the value that the broadcast has, else as fast as it goes (`Infinity`).
   */
  readonly maxPerSecond?: number;
  /**
   * Whether the account's own other devices learn of the broadcast. With `summary` they get one
   * note to self when it has ended: the text, and how many recipients it reached. It goes to no
   * recipient, and none of them is named in it. Kept with the broadcast, so that `resume()` follows
   * it. Default: the value that the broadcast has, else that of {@link Broadcaster.open}, else
   * `summary` on a linked device, whose phone would not show the broadcast otherwise, and `none` on
   * a primary one.
   */
  readonly transcripts?: Transcripts;
}

/** Whether the account's own other devices get a note about a broadcast. */
export type Transcripts = 'none' | 'summary';

/** Limits of a Broadcaster. */
export interface BroadcasterLimits {
  /** Requests to the service on their way at the same time. */
  readonly concurrency: number;
  /** Requests for prekeys among them. */
  readonly preKeyConcurrency: number;
  readonly chunkSize: number;
  readonly maxRetryAfterMs: number;
  readonly keepFinishedMs: number;
}

export const LIMIT_NAMES = {
  concurrency: true,
  preKeyConcurrency: true,
  chunkSize: true,
  maxRetryAfterMs: true,
  keepFinishedMs: true,
} as const satisfies NamesOf<BroadcasterLimits>;
const BROADCAST_NAMES = {
  id: true,
  timestamp: true,
  urgent: true,
  signal: true,
  dryRun: true,
  maxPerSecond: true,
  transcripts: true,
} satisfies NamesOf<BroadcastOptions>;

const HOUR_MS = 3_600_000;
const DEFAULTS: BroadcasterLimits = {
  concurrency: 128,
  preKeyConcurrency: 16,
  chunkSize: 256,
  maxRetryAfterMs: HOUR_MS,
  keepFinishedMs: 14 * 24 * HOUR_MS,
};

export function checkLimits(options: Readonly<Record<string, unknown>>): BroadcasterLimits {
  const limit = (name: keyof BroadcasterLimits, min: number, max: number): number =>
    checkInteger(options[name] ?? DEFAULTS[name], name, min, max);
  return {
    concurrency: limit('concurrency', 1, 4096),
    preKeyConcurrency: limit('preKeyConcurrency', 1, 1024),
    chunkSize: limit('chunkSize', 1, 4096),
    maxRetryAfterMs: limit('maxRetryAfterMs', 0, Number.MAX_SAFE_INTEGER),
    keepFinishedMs: limit('keepFinishedMs', 0, Number.MAX_SAFE_INTEGER),
  };
}

export function checkTranscripts(given: unknown): Transcripts | undefined {
  if (given !== undefined && given !== 'none' && given !== 'summary')
    refuse('transcripts', 'none or summary');
  return given;
}

export interface CheckedBroadcast<Attachment = GivenAttachment> {
  readonly message: CheckedMessage<Attachment>;
  readonly recipients: Recipients;
  readonly id: string | undefined;
  readonly timestamp: number | undefined;
  readonly urgent: boolean;
  readonly signal: AbortSignal | undefined;
  readonly dryRun: boolean;
  readonly maxPerSecond: number | undefined;
  readonly transcripts: Transcripts | undefined;
  readonly list: RecipientList | undefined;
}

/** @param canUpload whether the transport has a CDN. */
export function checkBroadcast(
  message: unknown,
  recipients: unknown,
  options: unknown,
  canUpload = false,
): CheckedBroadcast {
  const checkedMessage = checkMessage(message, uploadRules(canUpload));
  const iterable = recipients as
    Partial<Iterable<string> & AsyncIterable<string> & ListRecipients> | null | undefined;
  if (
    typeof recipients === 'string' ||
    (iterable?.[Symbol.iterator] ?? iterable?.[Symbol.asyncIterator]) === undefined
  ) {
    refuse('recipients', 'an iterable or async iterable of service ids');
  }
  const { id, timestamp, urgent, signal, dryRun, maxPerSecond, transcripts } = checkOptions(
    options,
    BROADCAST_NAMES,
  );
  if (id !== undefined && !isBroadcastId(id)) refuse('id', '1 to 128 letters, digits and _.:-');
  if (maxPerSecond !== undefined && (typeof maxPerSecond !== 'number' || !(maxPerSecond > 0))) {
    refuse('maxPerSecond', 'a number above 0');
  }
  return {
    message: checkedMessage,
    recipients: recipients as Recipients,
    id,
    timestamp:
      timestamp === undefined
        ? undefined
        : checkInteger(timestamp, 'timestamp', 1, MAX_TIMESTAMP_MS),
    urgent: checkBoolean(urgent, 'urgent', true),
    signal: checkSignal(signal),
    dryRun: checkBoolean(dryRun, 'dryRun', false),
    maxPerSecond,
    transcripts: checkTranscripts(transcripts),
    list: iterable?.[RECIPIENT_LIST],
  };
}

/** Events of a Broadcaster, for a listener that acts on them. */
export interface BroadcasterEvents {
  /**
   * The service wants proof of a person (428). The broadcast is paused until
   * {@link Account.answerChallenge} has submitted token and captcha, or its `run.resume()` is
   * called, after another program did.
   */
  challenge: [{ readonly id: string; readonly token: string; readonly options: readonly string[] }];
  /**
   * A recipient has another identity key than before. `onIdentityChange` decides whether the
   * message was sent to it.
   */
  identityChange: [{ readonly serviceId: string; readonly accepted: boolean }];
  /**
   * No usable sender certificate is available; sends wait. ERR_CLOCK_SKEW: the one that was just
   * fetched has expired, or will within the hour.
   */
  certificateProblem: [{ readonly error: SealcastError; readonly attempt: number }];
  /**
   * The local clock is over a minute behind the service's (`offsetMs`), or ahead (negative). The
   * service's time is used. The event comes again when the difference changes by a minute, or comes
   * back.
   */
  clockSkew: [ClockSkew];
  /**
   * The note to our own devices about a broadcast was not sent (see `transcripts`). It does not
   * affect the broadcast; `resume()` tries again.
   */
  transcriptProblem: [{ readonly id: string; readonly error: SealcastError }];
}
