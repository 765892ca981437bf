import type { AccountTransport } from '../transport/account-transport.js';
import type { Transport } from '../transport/transport.js';
import { isPrimary } from '../util/addresses.js';
import { AccountRuntime } from './account-runtime.js';
import type { RuntimeOptions } from './options.js';

/**
 * Opens the runtime of the store, as {@link AccountRuntime.open}.
 *
 * A linked device follows its primary from then on, whichever class its user opened: a profile key
 * that the phone has replaced would spoil the contacts that get it. A transport that cannot fetch
 * profiles cannot tell; it receives no messages either.
 *
 * @returns when the first look at the profile has ended, or takes long.
 * @throws SealcastError as {@link AccountRuntime.open}.
 */
export async function openRuntime(options: RuntimeOptions): Promise<AccountRuntime> {
  const runtime = await AccountRuntime.open(options);
  const { transport } = runtime.options;
  if (isPrimary(runtime.account) || !canFetchProfiles(transport)) return runtime;
  try {
    // Loaded for linked devices alone.
    const { PrimaryWatch } = await import('./primary-watch.js');
    await runtime.follow(() => new PrimaryWatch(runtime, transport), options.receives === true);
  } catch (error) {
    await runtime.release();
    throw error;
  }
  return runtime;
}

const canFetchProfiles = (transport: Transport): transport is AccountTransport =>
  typeof (transport as Partial<AccountTransport>).fetchProfile === 'function';
