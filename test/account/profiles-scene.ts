// Profiles of contacts, as an account fetches them.
import { Broadcaster, type MemoryStore } from 'sealcast';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { Profiles } from '#dist/src/account/contact-profiles.js';
import { openAccountScene, putContact, type AccountScene } from '../harness/account-scene.js';
import { collect } from '../harness/broadcasters.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { ManualClock } from '../fakes/manual-clock.js';

export const ZEROS = new Uint8Array(16);
export const HOUR_MS = 3_600_000;

export let scene: AccountScene;
export let profiles: Profiles;
export let clock: ManualClock;

/** Each test of the file has an account, whose clock it moves, and the profiles of its contacts. */
export function useProfiles(): void {
  beforeEach(async () => {
    clock = new ManualClock();
    scene = await openAccountScene(undefined, undefined, { clock });
    profiles = new Profiles(scene.runtime, scene.service);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await scene.close();
  });
}

/** Opens the account again, at the same service. */
export async function reopenOn(store: MemoryStore): Promise<void> {
  await scene.close();
  scene = await openAccountScene(store, scene.service, { clock });
  profiles = new Profiles(scene.runtime, scene.service);
}

export const asked = (): unknown[] =>
  scene.service.accountRequests
    .filter(({ name }) => name === 'fetchProfile')
    .map(({ request }) => request);

export async function subscribeKnown(): Promise<Subscriber> {
  const subscriber = await scene.service.subscribe();
  scene.service.names.set(subscriber.aci, { given: 'Ada', family: 'Lovelace' });
  await putContact(scene, subscriber.aci, { profileKey: subscriber.profileKey });
  return subscriber;
}

/** Has a session with the subscriber, as a broadcast leaves it. */
export async function writeTo({ aci }: Subscriber): Promise<void> {
  const { service, store } = scene;
  const broadcaster = await Broadcaster.open({
    store,
    transport: service,
    trustRoots: [service.trustRoot],
    threads: 1,
  });
  const deliveries = await collect(broadcaster.broadcast({ body: 'a text' }, [aci]));
  await broadcaster.close();
  expect(deliveries.get(aci)).toMatchObject({ status: 'sealed' });
}
