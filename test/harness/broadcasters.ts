import { SessionRecord } from '@signalapp/libsignal-client';
import {
  MemoryStore,
  type Broadcaster,
  type BroadcasterOptions,
  type Delivery,
  type Store,
} from 'sealcast';
import {
  decodeContact,
  encodeContact,
  type ContactRecord,
} from '#dist/src/store/tables/contacts.js';
import { SYSTEM_CLOCK, type Clock } from '#dist/src/util/clock.js';
import { openBroadcaster } from './open-with-clock.js';
import { StandInService, type Subscriber } from '../fakes/stand-in-service.js';

/** A broadcaster in front of a stand-in service, and what it stands on. */
export interface Scene extends AsyncDisposable {
  readonly service: StandInService;
  readonly store: Store;
  readonly broadcaster: Broadcaster;
}

export async function openScene(
  options: Partial<BroadcasterOptions> = {},
  service = new StandInService(),
  clock: Clock = SYSTEM_CLOCK,
): Promise<Scene> {
  const store = options.store ?? new MemoryStore();
  const defaults = {
    transport: service,
    trustRoots: [service.trustRoot],
    account: service.sender,
    threads: 1,
  };
  const broadcaster = await openBroadcaster({ ...defaults, ...options, store }, clock);
  return { service, store, broadcaster, [Symbol.asyncDispose]: () => broadcaster.close() };
}

/** Subscribers whose profile keys the broadcaster knows. */
export async function subscribeKnown(
  { service, broadcaster }: Scene,
  count: number,
): Promise<Subscriber[]> {
  const subscribers = await Promise.all(Array.from({ length: count }, () => service.subscribe()));
  await Promise.all(
    subscribers.map(({ aci, profileKey }) => broadcaster.setProfileKey(aci, profileKey)),
  );
  return subscribers;
}

export const acis = (subscribers: readonly Subscriber[]): string[] =>
  subscribers.map(({ aci }) => aci);

export async function collect(deliveries: AsyncIterable<Delivery>): Promise<Map<string, Delivery>> {
  const collected = new Map<string, Delivery>();
  for await (const delivery of deliveries) collected.set(delivery.recipient, delivery);
  return collected;
}

/** `collect`, where there is one recipient. */
export async function deliveryTo(
  { broadcaster }: Scene,
  { aci }: { readonly aci: string },
): Promise<Delivery> {
  const deliveries = await collect(broadcaster.broadcast({ body: 'a text' }, [aci]));
  return [...deliveries.values()][0] ?? failTest('a delivery');
}

export function failTest(wanted: string): never {
  throw new Error(`there is no ${wanted}`);
}

/** What the store knows of a contact. */
export async function contactOf(
  { store }: Scene,
  { aci }: { readonly aci: string },
): Promise<ContactRecord> {
  const [bytes] = await store.getMany('contact', [aci]);
  return decodeContact(bytes ?? failTest('contact'));
}

/** Has the store know something else of a contact. */
export async function changeContact(
  scene: Scene,
  subscriber: { readonly aci: string },
  change: Partial<ContactRecord>,
): Promise<void> {
  const value = encodeContact({ ...(await contactOf(scene, subscriber)), ...change });
  await scene.store.commit([{ table: 'contact', key: subscriber.aci, value }]);
}

/** The store's session with a device. */
export async function sessionOf(
  { store }: Scene,
  aci: string,
  deviceId = 1,
): Promise<SessionRecord> {
  const [bytes] = await store.getMany('session', [`${aci}.${deviceId}`]);
  return SessionRecord.deserialize(bytes ?? failTest('session'));
}
