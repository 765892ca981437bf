import { PrivateKey } from '@signalapp/libsignal-client';
import {
  ChatTransport,
  openAccount,
  openStore,
  type Account,
  type AccountOptions,
  type Store,
} from 'sealcast';
import { netOf } from '../mock-service/net.js';
import type { MockService } from '../mock-service/mock-service.js';

/** The broadcaster's account over libsignal's network connections, with a store on the disk. */
export class NetworkAccount implements AsyncDisposable {
  readonly account: Account;
  readonly store: Store;
  readonly #resources: readonly AsyncDisposable[];

  private constructor(account: Account, store: Store, resources: readonly AsyncDisposable[]) {
    this.account = account;
    this.store = store;
    this.#resources = resources;
  }

  /** Resolves when its prekeys have reached the service, so that others can write to it. */
  static async open(
    service: MockService,
    storePath: string,
    options: Partial<AccountOptions> = {},
  ): Promise<NetworkAccount> {
    const { broadcaster, trustRoot } = service.description;
    const { aci, deviceId, registrationId, password, identityPrivateKey: privateKey } = broadcaster;
    const publicKey = PrivateKey.deserialize(privateKey).getPublicKey();
    const resources: AsyncDisposable[] = [];
    try {
      const store = await openStore({ path: storePath });
      resources.unshift(store);
      const net = netOf(service.description);
      const transport = await ChatTransport.connect({
        net,
        username: `${aci}.${deviceId}`,
        password,
      });
      resources.unshift(transport);
      const account = await openAccount({
        store,
        transport,
        trustRoots: [trustRoot],
        account: { aci, deviceId, registrationId, identityKeyPair: { publicKey, privateKey } },
        threads: 1,
        ...options,
      });
      resources.unshift(account);
      await account.maintainPreKeys();
      return new NetworkAccount(account, store, resources);
    } catch (error) {
      for (const resource of resources) await resource[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The last opened first. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#resources) await resource[Symbol.asyncDispose]();
  }
}
