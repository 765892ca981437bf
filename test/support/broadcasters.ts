import { Broadcaster, MemoryStore, type BroadcasterOptions, type Delivery, type Store } from 'sealcast';
import { StandInService, type Subscriber } from './stand-in-service.js';

/** A broadcaster in front of a stand-in service, and what it stands on. */
export interface Scene extends AsyncDisposable {
  readonly service: StandInService;
  readonly store: Store;
  readonly broadcaster: Broadcaster;
}

export async function openScene(
  options: Partial<BroadcasterOptions> = {},
  service = new StandInService(),
): Promise<Scene> {
  const store = options.store ?? new MemoryStore();
  const broadcaster = await Broadcaster.open({
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
    ...options,
    store,
  });
  return { service, store, broadcaster, [Symbol.asyncDispose]: () => broadcaster.close() };
}

/** Subscribers whose profile keys the broadcaster knows. */
export async function subscribeKnown({ service, broadcaster }: Scene, count: number): Promise<Subscriber[]> {
  const subscribers = await Promise.all(Array.from({ length: count }, () => service.subscribe()));
  await Promise.all(subscribers.map(({ aci, profileKey }) => broadcaster.setProfileKey(aci, profileKey)));
  return subscribers;
}

export const acis = (subscribers: readonly Subscriber[]): string[] => subscribers.map(({ aci }) => aci);

export async function collect(deliveries: AsyncIterable<Delivery>): Promise<Map<string, Delivery>> {
  const collected = new Map<string, Delivery>();
  for await (const delivery of deliveries) collected.set(delivery.recipient, delivery);
  return collected;
}
