import { IdentityKeyPair, PrivateKey, ProtocolAddress } from '@signalapp/libsignal-client';
import { MemoryStores } from '../../fakes/memory-stores.js';
import type { DeviceAccount } from '../../mock-service/mock-service.js';

/** A libsignal client: one device of an account, and what that device remembers. */
export interface Client {
  readonly account: DeviceAccount;
  readonly identityKeyPair: IdentityKeyPair;
  readonly address: ProtocolAddress;
  readonly stores: MemoryStores;
}

export function createClient(account: DeviceAccount): Client {
  const identityKey = PrivateKey.deserialize(account.identityPrivateKey);
  const identityKeyPair = new IdentityKeyPair(identityKey.getPublicKey(), identityKey);
  return {
    account,
    identityKeyPair,
    address: ProtocolAddress.new(account.aci, account.deviceId),
    stores: new MemoryStores(identityKeyPair, account.registrationId),
  };
}
