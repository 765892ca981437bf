import { isVerifierOf } from '../../access/access-key.js';
import { libsignal, loadLibsignal } from '../../access/libsignal.js';
import { checkTrustRoots } from '../../runtime/options.js';
import { expirationOf } from '../../sealer/certificate-validator.js';
import type { Store } from '../../store/store.js';
import { decodeAccount, loadAccount } from '../../store/tables/account.js';
import type { OwnFacts } from '../own-facts.js';
import { count, duration, plural } from '../text.js';
import type { ConnectedAccount } from '../service.js';
import { fail, ok, refused, warn, type Finding } from './finding.js';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Prekeys below which contacts soon share the last-resort one. */
const MIN_PREKEYS = 10;
/** The service drops linked devices of a primary that was idle for 90 days; it warns from 30 on. */
const IDLE_PRIMARY_DAYS = 30;
const MAX_SKEW_MS = 60_000;

export async function checkSealedPath(
  { transport }: ConnectedAccount,
  { aci }: OwnFacts,
): Promise<Finding> {
  const answer = await transport.accountExists(aci);
  if (answer.status !== 'ok') return refused(answer);
  return answer.exists
    ? ok('the service answers without authentication')
    : fail('the account no longer exists', 'register, or link again');
}

/** @param identity whose prekeys; those of the PNI only where the account has one */
export async function checkPreKeys(
  { transport }: ConnectedAccount,
  identity: 'aci' | 'pni',
): Promise<Finding> {
  const answer = await transport.countPreKeys({ identity });
  if (answer.status !== 'ok') return refused(answer);
  const { preKeys, kyberPreKeys } = answer;
  const detail = `${count(preKeys)} and ${count(kyberPreKeys)} Kyber ones left`;
  return Math.min(preKeys, kyberPreKeys) >= MIN_PREKEYS
    ? ok(detail)
    : warn(detail, 'run "sealcast receive" for a while: it uploads new ones');
}

/** Checks the service's sender certificate: its service, its device, its end. */
export async function checkCertificate(
  { transport, trustRoots }: ConnectedAccount,
  { aci, deviceId }: OwnFacts,
  nowMs: number,
): Promise<Finding> {
  const answer = await transport.fetchSenderCertificate({ includePhoneNumber: false });
  if (answer.status !== 'ok') return refused(answer);
  await loadLibsignal();
  const { PublicKey, SenderCertificate } = libsignal();
  const certificate = SenderCertificate.deserialize(answer.certificate);
  const roots = checkTrustRoots(trustRoots).map((root) => PublicKey.deserialize(root));
  // Time 0 is before any expiration: the clock is a question of its own.
  if (!certificate.validateWithTrustRoots(roots, 0))
    return fail('it is of another service', 'give --staging to both link and doctor, or to none');
  if (certificate.senderUuid() !== aci || certificate.senderDeviceId() !== deviceId)
    return fail('it names another device', 'link this device again: sealcast link');
  const leftMs = expirationOf(certificate) - nowMs;
  return leftMs > HOUR_MS
    ? ok(`valid for ${duration(leftMs)}`)
    : fail(
        leftMs > 0 ? `valid for ${duration(leftMs)} only` : 'it has expired already',
        'correct the clock of this machine',
      );
}

/** Whether contacts that have our profile key can send to us: the access key is made of it. */
export async function checkAccessKey(
  { transport }: ConnectedAccount,
  store: Store,
  { aci, isPrimary }: OwnFacts,
): Promise<Finding> {
  const bytes = await loadAccount(store);
  if (bytes === undefined) return fail('the store has no account', 'run: sealcast link');
  const { profileKey, identityPrivateKey } = decodeAccount(bytes);
  try {
    if (profileKey === undefined) {
      return warn(
        'no profile key: contacts cannot answer sealed',
        isPrimary
          ? 'set a profile in a program: account.setProfile()'
          : 'open Signal on the phone, then run "sealcast receive": it looks for the new one',
      );
    }
    const answer = await transport.fetchProfile({ serviceId: aci, accessKey: null });
    if (answer.status !== 'ok') return refused(answer);
    const { verifier, unrestricted } = answer;
    if (verifier === undefined)
      return warn(
        'none is registered: contacts cannot send sealed',
        isPrimary
          ? 'register it in a program: account.registerAccessKey()'
          : 'start Signal on the phone: it registers one',
      );
    if (isVerifierOf(profileKey, verifier))
      return ok(unrestricted ? 'ours; any account may send sealed' : 'ours is registered');
    return fail(
      'another one is registered: contacts that have our profile key are refused',
      isPrimary
        ? 'register ours in a program: account.registerAccessKey()'
        : 'run "sealcast receive": it fetches the phone’s new profile key; else link again',
    );
  } finally {
    for (const secret of [bytes, profileKey, identityPrivateKey]) secret?.fill(0);
  }
}

export async function checkDevices({ account }: ConnectedAccount, nowMs: number): Promise<Finding> {
  const devices = await account.devices();
  const primary = devices.find(({ isPrimary }) => isPrimary);
  const idleDays = primary && Math.floor((nowMs - primary.lastSeenMs) / DAY_MS);
  const detail = plural(devices.length, 'device');
  if (idleDays === undefined || primary?.isThisDevice === true || idleDays < IDLE_PRIMARY_DAYS)
    return ok(detail);
  return warn(
    `${detail}; the phone was last seen ${idleDays} days ago`,
    'open Signal on the phone: after 90 days the service removes its linked devices',
  );
}

/** @param skewMs how far the clock is behind the service's; undefined: not known */
export function checkSkew(skewMs: number | undefined): Finding {
  if (skewMs === undefined) return { verdict: 'skip', detail: 'the service told no time' };
  const seconds = (Math.abs(skewMs) / 1000).toFixed(1);
  const detail = `${seconds} s ${skewMs < 0 ? 'ahead of' : 'behind'} the service’s`;
  return Math.abs(skewMs) <= MAX_SKEW_MS
    ? ok(detail)
    : warn(detail, 'set the clock of this machine; until then the service’s time is used');
}
