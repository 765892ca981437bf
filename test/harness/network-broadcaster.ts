import { PrivateKey } from '@signalapp/libsignal-client';
import {
  Broadcaster,
  ChatTransport,
  openStore,
  type BroadcasterOptions,
  type Delivery,
} from 'sealcast';
import { netOf } from '../mock-service/net.js';
import type { LoggedRequest, MockService } from '../mock-service/mock-service.js';

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

  private constructor(
    service: MockService,
    broadcaster: Broadcaster,
    resources: readonly AsyncDisposable[],
  ) {
    this.#service = service;
    this.broadcaster = broadcaster;
    this.#resources = resources;
  }

  static async open(
    service: MockService,
    storePath: string,
    options: Partial<BroadcasterOptions> = {},
  ): Promise<NetworkBroadcaster> {
    const { broadcaster: account, trustRoot } = service.description;
    const { aci, deviceId, registrationId, password, identityPrivateKey: privateKey } = account;
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
      const broadcaster = await Broadcaster.open({
        store,
        transport,
        trustRoots: [trustRoot],
        account: { aci, deviceId, registrationId, identityKeyPair: { publicKey, privateKey } },
        threads: 1,
        ...options,
      });
      resources.unshift(broadcaster);
      return new NetworkBroadcaster(service, broadcaster, resources);
    } catch (error) {
      await dispose(resources);
      throw error;
    }
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
    return dispose(this.#resources);
  }
}

/** The last opened first. */
async function dispose(resources: readonly AsyncDisposable[]): Promise<void> {
  for (const resource of resources) await resource[Symbol.asyncDispose]();
}
