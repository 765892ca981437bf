import { Broadcaster, type BroadcasterOptions, type Delivery } from 'sealcast';
import type { LoggedRequest, MockService } from '../mock-service/mock-service.js';
import { disposeAll, openOverNetwork, type NetworkDevice } from './network-device.js';

/** What a request is about. */
export type RequestKind = 'send' | 'prekeys' | 'certificate' | 'other';

export function kindOf({ verb, path }: LoggedRequest): RequestKind {
  if (verb === 'PUT' && path.startsWith('/v1/messages/')) return 'send';
  if (verb === 'GET' && path.startsWith('/v2/keys/')) return 'prekeys';
  return verb === 'GET' && path.startsWith('/v1/certificate/delivery') ? 'certificate' : 'other';
}

/** One broadcast, and the requests that reached the service meanwhile. */
export interface Broadcasted {
  readonly deliveries: ReadonlyMap<string, Delivery>;
  readonly requests: readonly LoggedRequest[];
}

/** A broadcaster over libsignal's network connections, with a store on the disk. */
export class NetworkBroadcaster implements AsyncDisposable {
  readonly broadcaster: Broadcaster;
  readonly #service: MockService;
  readonly #resources: readonly AsyncDisposable[];

  private constructor(service: MockService, { opened, resources }: NetworkDevice<Broadcaster>) {
    this.#service = service;
    this.broadcaster = opened;
    this.#resources = resources;
  }

  static async open(
    service: MockService,
    storePath: string,
    options: Partial<BroadcasterOptions> = {},
  ): Promise<NetworkBroadcaster> {
    const device = await openOverNetwork(service, storePath, (own) =>
      Broadcaster.open({ ...own, ...options }),
    );
    return new NetworkBroadcaster(service, device);
  }

  async send(
    body: string,
    recipients = this.#service.description.subscribers,
  ): Promise<Broadcasted> {
    const before = (await this.#service.requests()).length;
    const deliveries = new Map<string, Delivery>();
    for await (const delivery of this.broadcaster.broadcast({ body }, recipients)) {
      deliveries.set(delivery.recipient, delivery);
    }
    return { deliveries, requests: (await this.#service.requests()).slice(before) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return disposeAll(this.#resources);
  }
}
