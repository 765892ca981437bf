import type { AccessMode } from '../access/access-mode.js';
import { libsignal } from '../access/libsignal.js';
import { parseServiceId } from '../util/addresses.js';
import type { SourceDatabase, SourceRow } from './account-database.js';
import type { Tally } from './counts.js';

const PROFILE_KEY_BYTES = 32;
/** uint32, as the field of a message is. */
const MAX_TIMER = 0xffff_ffff;

const MODES: Readonly<Record<string, AccessMode>> = {
  DISABLED: 'disabled',
  ENABLED: 'enabled',
  UNRESTRICTED: 'unrestricted',
};

/** Version of a timer that was never set (signal-cli's default, 1, and that of old rows). */
const UNSET_TIMER_VERSION = 1;

/** Facts about a recipient that are of use here. */
export interface SourceRecipient {
  /** 32 bytes */
  readonly profileKey: Uint8Array<ArrayBuffer> | undefined;
  /** Absent: it was never set. `expireTimer` is in seconds. */
  readonly timer: SourceTimer | undefined;
  readonly isBlocked: boolean;
  /** Whether they wrote to our PNI, and do not know yet whose it is. */
  readonly needsPniSignature: boolean;
  /** As signal-cli concluded. */
  readonly concludedMode: AccessMode;
}

export interface SourceTimer {
  readonly expireTimer: number;
  readonly expireTimerVersion: number;
}

/** The column `pni` has the UUID with or without its prefix. */
function pniIn(row: SourceRow): string | null {
  const text = row.text('pni');
  if (text === undefined) return null;
  return parseServiceId(text.toUpperCase().startsWith('PNI:') ? text : `PNI:${text}`);
}

/** The service id of a recipient: the ACI, else the PNI; null where there is neither. */
const serviceIdIn = (row: SourceRow): string | null =>
  parseServiceId(row.text('aci')) ?? pniIn(row);

/**
 * Reads recipients, by service id.
 *
 * @param ownAci the account itself is no contact.
 */
export function readRecipients(
  database: SourceDatabase,
  ownAci: string | undefined,
  tally: Tally,
): Map<string, SourceRecipient> {
  const recipients = new Map<string, SourceRecipient>();
  for (const row of database.rows('recipient')) {
    const serviceId = serviceIdIn(row);
    if (serviceId === null) {
      tally.skip('recipient-without-id');
      continue;
    }
    if (serviceId === ownAci) continue;
    const recipient = recipientOf(row);
    if (recipient === undefined) tally.skip('recipient-damaged');
    else recipients.set(serviceId, recipient);
  }
  return recipients;
}

function recipientOf(row: SourceRow): SourceRecipient | undefined {
  const key = row.bytes('profile_key');
  const profileKey = key === undefined || key.length === 0 ? undefined : key;
  const expireTimer = row.integer('expiration_time') ?? 0;
  const expireTimerVersion = row.integer('expiration_time_version') ?? 0;
  const isDamaged =
    (profileKey !== undefined && profileKey.length !== PROFILE_KEY_BYTES) ||
    expireTimer > MAX_TIMER ||
    expireTimerVersion > MAX_TIMER;
  if (isDamaged) return undefined;
  return {
    profileKey,
    timer:
      expireTimer === 0 && expireTimerVersion <= UNSET_TIMER_VERSION
        ? undefined
        : { expireTimer, expireTimerVersion },
    isBlocked: row.flag('blocked'),
    needsPniSignature: row.flag('needs_pni_signature'),
    concludedMode: MODES[row.text('profile_unidentified_access_mode') ?? ''] ?? 'unknown',
  };
}

/** Identity key of a recipient, and whether it is trusted. */
export interface SourceContactIdentity {
  /** 33 bytes */
  readonly identityKey: Uint8Array<ArrayBuffer>;
  readonly isTrusted: boolean;
}

/** Reads identity keys of recipients, by service id. */
export function readIdentities(
  database: SourceDatabase,
  tally: Tally,
): Map<string, SourceContactIdentity> {
  const identities = new Map<string, SourceContactIdentity>();
  for (const row of database.rows('identity')) {
    const serviceId = parseServiceId(row.text('address'));
    const identityKey = row.bytes('identity_key');
    const trustLevel = row.integer('trust_level');
    if (serviceId === null || !isPublicKey(identityKey) || trustLevel === undefined) {
      tally.skip('identity-damaged');
      continue;
    }
    identities.set(serviceId, { identityKey, isTrusted: trustLevel > 0 });
  }
  return identities;
}

function isPublicKey(bytes: Uint8Array<ArrayBuffer> | undefined): bytes is Uint8Array<ArrayBuffer> {
  if (bytes === undefined) return false;
  try {
    libsignal().PublicKey.deserialize(bytes);
    return true;
  } catch {
    return false;
  }
}
