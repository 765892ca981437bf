import type { AccessEvidence } from '../access/access-mode.js';
import type { Refusal, Transport } from '../transport/transport.js';
import type { AccountTransport } from '../transport/account-transport.js';
import type { BroadcastContext } from './context.js';

/** Answer of the service about an account that denied a sealed message. */
export type AccessAnswer =
  | { readonly kind: 'evidence'; readonly evidence: AccessEvidence }
  | { readonly kind: 'unregistered' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The contact changed before the request could begin. */
  | { readonly kind: 'changed' };

const EXISTS: AccessAnswer = { kind: 'evidence', evidence: 'exists' };

/**
 * Asks first, unauthenticated, whether the account exists: most accounts that answer 401 are gone.
 * Then fetches its profile as the account, where the transport can: the profile says whether the
 * access key that was denied is the registered one.
 *
 * @param revision at which the contact was read, see `SendGuard`.
 * @throws SealcastError ERR_STORE_LOCKED; the signal's reason.
 */
export async function askForEvidence(
  serviceId: string,
  revision: number,
  { guard, transport }: Pick<BroadcastContext, 'guard' | 'transport'>,
  signal: AbortSignal,
): Promise<AccessAnswer> {
  if (!guard.mayBegin(serviceId, revision)) return { kind: 'changed' };
  const answer = await transport.accountExists(serviceId, { signal });
  if (answer.status !== 'ok') return { kind: 'refused', refusal: answer };
  if (!answer.exists) return { kind: 'unregistered' };
  if (!fetchesProfiles(transport)) return EXISTS;
  if (!guard.mayBegin(serviceId, revision)) return { kind: 'changed' };
  const profile = await transport.fetchProfile({ serviceId, accessKey: null }, { signal });
  if (profile.status === 'unavailable') return { kind: 'refused', refusal: profile };
  return profile.status === 'ok' ? { kind: 'evidence', evidence: profile } : EXISTS;
}

function fetchesProfiles(
  transport: Transport,
): transport is Transport & Pick<AccountTransport, 'fetchProfile'> {
  return typeof (transport as Partial<AccountTransport>).fetchProfile === 'function';
}
