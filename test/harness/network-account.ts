import { openAccount, type Account, type AccountOptions, type Store } from 'sealcast';
import type { MockService } from '../mock-service/mock-service.js';
import { disposeAll, openOverNetwork, type NetworkDevice } from './network-device.js';

/** The broadcaster's account over libsignal's network connections, with a store on the disk. */
export class NetworkAccount implements AsyncDisposable {
  readonly account: Account;
  readonly store: Store;
  readonly #resources: readonly AsyncDisposable[];

  private constructor({ opened, store, resources }: NetworkDevice<Account>) {
    this.account = opened;
    this.store = store;
    this.#resources = resources;
  }

  /** Resolves when its prekeys have reached the service, so that others can write to it. */
  static async open(
    service: MockService,
    storePath: string,
    options: Partial<AccountOptions> = {},
  ): Promise<NetworkAccount> {
    const device = await openOverNetwork(service, storePath, async (own) => {
      const account = await openAccount({ ...own, ...options });
      try {
        await account.maintainPreKeys();
        return account;
      } catch (error) {
        await account.close();
        throw error;
      }
    });
    return new NetworkAccount(device);
  }

  /** The last opened first. */
  [Symbol.asyncDispose](): Promise<void> {
    return disposeAll(this.#resources);
  }
}
