import { open, type OpenOptions } from '../account/open.js';
import type { Store } from '../store/store.js';
import { loadAccount } from '../store/tables/account.js';
import { EXIT, CommandError } from './exit-codes.js';
import {
  whenQueueEmpty,
  type ConnectedAccount,
  type Link,
  type LinkRequest,
  type RegistrationRequest,
  type Service,
} from './service.js';
import { linkDevice } from '../link/link-device.js';
import {
  resumeRegistration,
  startRegistration,
  type Registration,
} from '../register/registration.js';
import type { RegistrationNet } from '../transport/chat/connection-source.js';
import type { LinkNet } from '../transport/chat/link-source.js';

/** Network of a service, and the trust roots that belong to it. */
export interface ServiceNetwork extends NonNullable<OpenOptions['net']> {
  readonly net: LinkNet & RegistrationNet;
}

/** Signal's service, or one that speaks as it does. */
export class SignalService implements Service {
  readonly #network: ServiceNetwork;

  constructor(network: ServiceNetwork) {
    this.#network = network;
  }

  async open(store: Store): Promise<ConnectedAccount> {
    const own = await loadAccount(store);
    own?.fill(0);
    if (own === undefined) {
      throw new CommandError('the store has no account yet', {
        exitCode: EXIT.usage,
        hint: 'run: sealcast link',
      });
    }
    const opened = await open({ store, net: this.#network });
    const queueEmpty = whenQueueEmpty(opened.account);
    return {
      account: opened.account,
      transport: opened.transport,
      trustRoots: this.#network.trustRoots,
      queueEmpty,
      [Symbol.asyncDispose]: () => opened.close(),
    };
  }

  link(request: LinkRequest): Link {
    return linkDevice({ ...request, net: this.#network.net });
  }

  register({ number, ...request }: RegistrationRequest): Promise<Registration> {
    const { store, signal } = request;
    const { net } = this.#network;
    if (number === undefined) return resumeRegistration({ net, store, signal });
    return startRegistration({ ...request, net, number });
  }
}
