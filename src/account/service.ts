import type { AccountTransport } from '../transport/transport.js';
import { AccountRuntime } from '../runtime/account-runtime.js';
import type { RuntimeOptions, Policies } from '../runtime/options.js';
import { OwnAccount } from './settings.js';
import { PreKeys } from './prekeys/manager.js';
import { Profiles } from './contact-profiles.js';

export interface AccountServiceOptions extends RuntimeOptions {
  readonly transport: AccountTransport;
  readonly policies: Policies;
  readonly onIdentityChange: (change: {
    readonly serviceId: string;
    readonly accepted: boolean;
  }) => void;
}

/** Implementation of an Account without its Broadcaster and Receiver, loaded lazily. */
export class AccountService {
  readonly profiles: Profiles;
  readonly own: OwnAccount;
  readonly preKeys: PreKeys;
  readonly #runtime: AccountRuntime;
  #endBlocking: (() => void) | undefined;
  #pending: Promise<void> = Promise.resolve();

  private constructor(
    runtime: AccountRuntime,
    { transport, policies, onIdentityChange }: AccountServiceOptions,
  ) {
    this.#runtime = runtime;
    this.profiles = new Profiles(runtime, transport, {
      identityPolicy: policies.onIdentityChange,
      onIdentityChange,
    });
    this.own = new OwnAccount(runtime, transport);
    this.preKeys = new PreKeys(runtime, transport);
  }

  /**
   * Opens the implementation on the runtime of the store.
   *
   * It also begins to finish changes that a crash, or an outage of the service, left half done.
   */
  static async open(options: AccountServiceOptions): Promise<AccountService> {
    const runtime = await AccountRuntime.open(options);
    const service = new AccountService(runtime, options);
    service.#endBlocking = runtime.blockWith(service.own);
    service.#pending = service.own.finishPending().catch((error: unknown) => {
      const code = (error as { code?: unknown }).code ?? 'UNKNOWN';
      options.telemetry.log.warn({ code }, 'pending account changes are not finished yet');
    });
    return service;
  }

  async close(): Promise<void> {
    this.#endBlocking?.();
    this.own.close();
    this.profiles.close();
    await this.preKeys.close();
    await this.#pending;
    await this.#runtime.release();
  }
}
