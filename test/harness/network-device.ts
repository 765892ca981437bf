import { PrivateKey } from '@signalapp/libsignal-client';
import { ChatTransport, openStore, type AccountOptions, type Store } from 'sealcast';
import { cdnOf, netOf } from '../mock-service/net.js';
import type { MockService } from '../mock-service/mock-service.js';

/** Options with which an Account or a Broadcaster opens over the network. */
export type NetworkOptions = Required<
  Pick<AccountOptions, 'store' | 'transport' | 'trustRoots' | 'account' | 'threads'>
>;

/** What was opened over libsignal's network connections, with a store on the disk. */
export interface NetworkDevice<Opened> {
  readonly opened: Opened;
  readonly store: Store;
  /** The last opened first. */
  readonly resources: readonly AsyncDisposable[];
}

/** Opens the service's broadcaster over the network; closes everything again where that fails. */
export async function openOverNetwork<Opened extends AsyncDisposable>(
  service: MockService,
  storePath: string,
  open: (options: NetworkOptions) => Promise<Opened>,
): Promise<NetworkDevice<Opened>> {
  const { broadcaster: account, trustRoot } = service.description;
  const { aci, deviceId, registrationId, password, identityPrivateKey: privateKey } = account;
  const publicKey = PrivateKey.deserialize(privateKey).getPublicKey();
  const resources: AsyncDisposable[] = [];
  try {
    const store = await openStore({ path: storePath });
    resources.unshift(store);
    const net = netOf(service.description);
    const username = `${aci}.${deviceId}`;
    const transport = await ChatTransport.connect({
      net,
      username,
      password,
      cdn: cdnOf(service.description),
    });
    resources.unshift(transport);
    const opened = await open({
      store,
      transport,
      trustRoots: [trustRoot],
      account: { aci, deviceId, registrationId, identityKeyPair: { publicKey, privateKey } },
      threads: 1,
    });
    resources.unshift(opened);
    return { opened, store, resources };
  } catch (error) {
    await disposeAll(resources);
    throw error;
  }
}

/** Disposes of them in their order. */
export async function disposeAll(resources: readonly AsyncDisposable[]): Promise<void> {
  for (const resource of resources) await resource[Symbol.asyncDispose]();
}
