import { PrivateKey } from '@signalapp/libsignal-client';
import { ChatTransport, type AccountInput } from 'sealcast';
import type { MockService } from '../../test/mock-service/mock-service.js';
import { netOf } from '../../test/mock-service/net.js';

/** The account that the mock service registered for us, in the form that `openAccount` takes. */
export function accountInputOf({ description }: MockService): AccountInput {
  const { aci, deviceId, registrationId, identityPrivateKey: privateKey } = description.broadcaster;
  const publicKey = PrivateKey.deserialize(privateKey).getPublicKey();
  return { aci, deviceId, registrationId, identityKeyPair: { publicKey, privateKey } };
}

/** Connects to the mock service as that account. */
export function connectTo({ description }: MockService): Promise<ChatTransport> {
  const { aci, deviceId, password } = description.broadcaster;
  return ChatTransport.connect({
    net: netOf(description),
    username: `${aci}.${deviceId}`,
    password,
  });
}
