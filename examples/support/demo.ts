import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAccount, openStore, type Account, type Store } from 'sealcast';
import { MockService } from '../../test/mock-service/mock-service.js';
import { accountInputOf, connectTo } from './mock-account.js';

/** An account of the mock service that is open and can be written to. */
export class Demo implements AsyncDisposable {
  readonly service: MockService;
  readonly account: Account;
  readonly store: Store;
  /** A temporary folder, removed in the end. */
  readonly directory: string;
  readonly #dispose: () => Promise<void>;

  private constructor(
    parts: Pick<Demo, 'service' | 'account' | 'store' | 'directory'>,
    dispose: () => Promise<void>,
  ) {
    const { service, account, store, directory } = parts;
    this.service = service;
    this.account = account;
    this.store = store;
    this.directory = directory;
    this.#dispose = dispose;
  }

  /**
   * Starts the mock service with that number of subscribers, and opens the account.
   *
   * The account has a store of its own.
   */
  static async open(subscribers: number): Promise<Demo> {
    const cleanups: (() => Promise<void>)[] = [];
    const dispose = async (): Promise<void> => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    };
    try {
      const directory = await mkdtemp(join(tmpdir(), 'sealcast-example-'));
      cleanups.push(() => rm(directory, { recursive: true, force: true }));
      const service = await MockService.start({ subscribers });
      cleanups.push(() => service.close());
      const store = await openStore({ path: join(directory, 'store') });
      cleanups.push(() => store.close());
      const transport = await connectTo(service);
      cleanups.push(() => transport.close());
      const { trustRoot } = service.description;
      const account = await openAccount({
        store,
        transport,
        trustRoots: [trustRoot],
        account: accountInputOf(service),
        threads: 1,
      });
      cleanups.push(() => account.close());
      // Others can write to us once the service has our prekeys.
      await account.maintainPreKeys();
      return new Demo({ service, account, store, directory }, dispose);
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  get subscribers(): readonly string[] {
    return this.service.description.subscribers;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dispose();
  }
}
