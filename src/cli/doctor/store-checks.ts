import { DamageLog } from '../../store/damage.js';
import { REFUSED_CAPABILITY } from '../../access/capabilities.js';
import { listContacts } from '../../account/contact-list.js';
import { BroadcastReader } from '../../broadcast/broadcast-reader.js';
import type { Store } from '../../store/store.js';
import { loadLastReceivedMs } from '../../store/tables/account.js';
import {
  loadCapabilities,
  loadPendingLink,
  loadPendingRegistration,
  wipeCredentials,
  type PendingLinkRecord,
} from '../../store/tables/credentials.js';
import { loadPendingImport } from '../../store/tables/imports.js';
import type { OwnFacts } from '../own-facts.js';
import { count, plural } from '../text.js';
import { fail, ok, warn, type Finding } from './finding.js';

const DAY_MS = 86_400_000;
/** The service removes a linked device after 45 days, and notes a visit once a day at most. */
const LINKED_DEVICE_DAYS = 45;
const VISIT_DAYS = 7;

export async function checkAccount(store: Store, facts: OwnFacts | undefined): Promise<Finding> {
  const unfinished = await unfinishedStep(store);
  if (unfinished !== undefined) return unfinished;
  if (facts === undefined) return fail('the store has none', 'run: sealcast link');
  return ok(`device ${facts.deviceId}, ${facts.isPrimary ? 'the primary' : 'linked'}`);
}

/** A step on the way to an account that was begun, and not finished. */
async function unfinishedStep(store: Store): Promise<Finding | undefined> {
  if ((await loadPendingImport(store)) !== undefined)
    return fail('an import was cut off', 'run "sealcast import" again: it finishes the move');
  const link = await loadPendingLink(store);
  if (link !== undefined) {
    wipe(link);
    return fail('a link was cut off', 'run "sealcast link" again: it finishes without a code');
  }
  const registration = await loadPendingRegistration(store);
  if (registration === undefined) return undefined;
  wipe(registration);
  return registration.isRequested
    ? fail('a registration was cut off', 'run "sealcast code" again: it finishes without a code')
    : warn(
        'a registration is under way',
        'go on with "sealcast captcha" and "sealcast code", or begin again',
      );
}

/** Wipes what a check does not need of a step's record. */
function wipe(
  step: Pick<PendingLinkRecord, 'identityPrivateKey' | 'profileKey' | 'credentials'>,
): void {
  step.identityPrivateKey.fill(0);
  step.profileKey.fill(0);
  wipeCredentials(step.credentials);
}

export async function checkContacts(store: Store): Promise<Finding> {
  let all = 0;
  let sealable = 0;
  let pending = 0;
  for await (const { canSeal, blocked, hasPendingIdentity } of listContacts(store)) {
    all += 1;
    if (canSeal && !blocked) sealable += 1;
    if (hasPendingIdentity) pending += 1;
  }
  const waiting = pending > 0 ? `, ${count(pending)} with a new identity key that waits` : '';
  const detail = `${plural(all, 'contact')}, ${count(sealable)} that can be sealed to${waiting}`;
  return sealable > 0
    ? ok(detail)
    : warn(detail, 'let people write to this account: their messages bring the right to seal');
}

/** Reads before the check itself connects, and so receives. */
export async function checkLastReceive(
  store: Store,
  facts: OwnFacts,
  nowMs: number,
): Promise<Finding> {
  const atMs = await loadLastReceivedMs(store);
  if (atMs === undefined) return warn('never', 'run: sealcast receive');
  const days = Math.max(0, Math.floor((nowMs - atMs) / DAY_MS));
  const detail = days === 0 ? 'today' : `${plural(days, 'day')} ago`;
  if (days < VISIT_DAYS) return ok(detail);
  if (!facts.isPrimary && days >= LINKED_DEVICE_DAYS)
    return fail(
      `${detail}: the service removes a linked device after ${LINKED_DEVICE_DAYS} days`,
      'run "sealcast receive"; if it is refused: sealcast link',
    );
  return warn(detail, 'run "sealcast receive" at least weekly: the service removes idle devices');
}

export async function checkCapabilities(store: Store): Promise<Finding> {
  const capabilities = await loadCapabilities(store);
  if (capabilities === undefined) return { verdict: 'skip', detail: 'not in the store' };
  const named = Object.keys(capabilities).filter((name) => capabilities[name] === true);
  if (capabilities['spqr'] === false)
    return fail('spqr is switched off', 'the service refuses devices without it: sealcast link');
  if (capabilities[REFUSED_CAPABILITY] === true)
    return fail(`${REFUSED_CAPABILITY} is claimed`, 'link this device again: sealcast link');
  return ok(named.join(', '));
}

/** Broadcasts that wait to be resumed. */
export async function checkBroadcasts(store: Store): Promise<Finding> {
  let unfinished = 0;
  for await (const { state } of new BroadcastReader(store).broadcasts())
    if (state !== 'finished') unfinished += 1;
  const damaged = DamageLog.of(store).countOf('broadcast');
  if (damaged > 0)
    return fail(
      `${plural(damaged, 'broadcast')} damaged in the store`,
      'docs/guide/stores.md says what a damaged record does',
    );
  return unfinished === 0
    ? ok('none is unfinished')
    : warn(`${plural(unfinished, 'broadcast')} unfinished`, 'run: sealcast resume');
}
