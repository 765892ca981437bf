import { Aci, processPreKeyBundle, ProtocolAddress } from '@signalapp/libsignal-client';
import type { Client } from './client.js';
import type { AnonymousConnection } from './connect.js';
import type { Addressee, WithSessions } from './recipients.js';

/**
 * Opens a session with every device of a subscriber from prekeys fetched without saying who asks. The hello left one
 * behind already; a fresh one is opened all the same, because a first broadcast to somebody is the costliest case.
 */
export async function openSessions(
  connection: AnonymousConnection,
  { stores, address }: Client,
  addressee: Addressee,
): Promise<WithSessions> {
  const { serviceId, accessKey } = addressee;
  const { identityKey, preKeyBundles } = await connection.getPreKeys({
    target: Aci.parseFromServiceIdString(serviceId),
    device: 'all',
    auth: { accessKey },
  });
  if (preKeyBundles.length === 0) throw new Error('no device has prekeys');
  for (const bundle of preKeyBundles) {
    const deviceAddress = ProtocolAddress.new(serviceId, bundle.deviceId());
    await processPreKeyBundle(bundle, deviceAddress, address, stores.sessions, stores.identities);
  }
  const devices = preKeyBundles.map((bundle) => ({
    deviceId: bundle.deviceId(),
    registrationId: bundle.registrationId(),
  }));
  return { ...addressee, identityKey, devices };
}
