import { PROFILE_KEY_BYTES } from './content.js';
import type { Content } from './read-content.js';

/** Bits of a data message's flags. */
export const DATA_MESSAGE_FLAG = {
  endSession: 1,
  expirationTimerUpdate: 2,
  profileKeyUpdate: 4,
} as const;

/** Timer of a conversation, as a message tells it. */
export interface ExpireTimer {
  /** Seconds until messages disappear once read; 0: they do not. */
  readonly expireTimer: number;
  /** 0: not versioned, from a client of before 2024. */
  readonly expireTimerVersion: number;
}

/**
 * The profile key that the sender shares with us, 32 bytes; one of another length is ignored, as
 * Signal's clients do.
 */
export function profileKeyOf(content: Content): Uint8Array<ArrayBuffer> | undefined {
  const { dataMessage, editMessage, storyMessage } = content;
  const keys = [
    dataMessage?.profileKey,
    editMessage?.dataMessage?.profileKey,
    storyMessage?.profileKey,
  ];
  return keys.find((key) => key?.length === PROFILE_KEY_BYTES);
}

/**
 * The conversation's timer by a direct message to us; undefined where it tells nothing.
 *
 * Signal's clients (Desktop: handleDataMessage, updateExpirationTimer; Android:
 * DataMessageProcessor; 2026-11) hold that every direct message carries the timer that its sender
 * knows, whether or not it has the flag EXPIRATION_TIMER_UPDATE, and that no timer on it means that
 * there is none: 0. They learn nothing from content that is not shown as a message of its own: a
 * reaction, a deletion, a vote, a pin, a new profile key, the end of a session; nor from a group's
 * message, whose timer is in the group's state; nor from a story. An edit is of a message that said
 * it already.
 *
 * Whether to take it over, where `known` is what we hold (version 1 to begin with):
 *  - a lower version than ours is out of date, and ignored;
 *  - a higher one wins, timer and version;
 *  - at the same version another timer is taken too: two set it at once, and the last one heard is
 *    right;
 *  - without a version (absent, or 0, which no client counts from) the timer is taken, and our
 *    version stays. Desktop does so for both; Android for an absent one, and takes 0 to be out of
 *    date.
 */
export function expireTimerOf({ dataMessage }: Content): ExpireTimer | undefined {
  if (dataMessage === undefined) return undefined;
  const {
    flags = 0,
    groupV2,
    reaction,
    delete: deletion,
    isAct,
    expireTimer = 0,
    expireTimerVersion = 0,
  } = dataMessage;
  if (groupV2 !== undefined || reaction !== undefined || deletion !== undefined || isAct === true)
    return undefined;
  if ((flags & (DATA_MESSAGE_FLAG.endSession | DATA_MESSAGE_FLAG.profileKeyUpdate)) !== 0)
    return undefined;
  return { expireTimer, expireTimerVersion };
}
