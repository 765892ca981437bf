import { Broadcaster, type BroadcasterOptions, type Store, type Transport } from 'sealcast';
import type { SenderKeys } from './sender-keys.js';

/** Opens a Broadcaster of the sender. */
export function openBroadcaster(
  sender: SenderKeys,
  store: Store,
  transport: Transport,
  options: Pick<BroadcasterOptions, 'threads' | 'unsealedFallback'>,
): Promise<Broadcaster> {
  return Broadcaster.open({
    store,
    transport,
    trustRoots: [sender.rootPublicKey],
    account: {
      aci: sender.aci,
      deviceId: sender.deviceId,
      registrationId: sender.registrationId,
      identityKeyPair: { publicKey: sender.publicKey, privateKey: sender.privateKey },
      profileKey: new Uint8Array(32).fill(7),
    },
    ...options,
  });
}
