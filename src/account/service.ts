import type { AccountTransport } from '../transport/transport.js';
import { Hub } from '../runtime/account-runtime.js';
import type { HubOptions, Policies } from '../runtime/options.js';
import { OwnAccount } from './settings.js';
import { PreKeys } from './prekeys/manager.js';
import { Profiles } from './contact-profiles.js';

export interface AccountCoreOptions extends HubOptions {
  readonly transport: AccountTransport;
  readonly policies: Policies;
  readonly onIdentityChange: (change: { readonly serviceId: string; readonly accepted: boolean }) => void;
}

/** The inside of an Account but for its Broadcaster and its Receiver, loaded when one is opened. */
export class AccountCore {
  readonly profiles: Profiles;
  readonly own: OwnAccount;
  readonly preKeys: PreKeys;
  readonly #hub: Hub;
  #pending: Promise<void> = Promise.resolve();

  private constructor(hub: Hub, { transport, policies, onIdentityChange }: AccountCoreOptions) {
    this.#hub = hub;
    this.profiles = new Profiles(hub, transport, { identityPolicy: policies.onIdentityChange, onIdentityChange });
    this.own = new OwnAccount(hub, transport);
    this.preKeys = new PreKeys(hub, transport);
  }

  /** Also begins to finish what a crash, or a service that was away, left half done. */
  static async open(options: AccountCoreOptions): Promise<AccountCore> {
    const hub = await Hub.open(options);
    const core = new AccountCore(hub, options);
    core.#pending = core.own.finishPending().catch((error: unknown) => {
      const code = (error as { code?: unknown }).code ?? 'UNKNOWN';
      options.telemetry.log.warn({ code }, 'what the service was to be told of the account is not finished yet');
    });
    return core;
  }

  async close(): Promise<void> {
    this.own.close();
    this.profiles.close();
    await this.preKeys.close();
    await this.#pending;
    await this.#hub.release();
  }
}
