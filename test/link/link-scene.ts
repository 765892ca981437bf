// A link under way in front of stand-ins for the service and the phone.
import type { SealcastError } from 'sealcast';
import { MemoryStore, type DeviceLink, type LinkEvent, type LinkNet, type Store } from 'sealcast';
import { linkDeviceWith, type LinkOptions } from '#dist/src/link/link-device.js';
import { expect } from 'vitest';
import { FakeLinkService } from '../fakes/fake-link-service.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { FakePhone, type MessageParts } from '../harness/fake-phone.js';

export const NET = {} as LinkNet;

export interface Scene {
  readonly service: FakeLinkService;
  readonly clock: ManualClock;
  readonly store: Store;
  readonly phone: FakePhone;
  readonly events: LinkEvent[];
  readonly urls: string[];
  readonly link: DeviceLink;
  /** The link's error; undefined once it has an account. */
  readonly failed: Promise<SealcastError | undefined>;
}

export interface SceneOptions extends Partial<LinkOptions> {
  readonly service?: FakeLinkService;
  readonly clock?: ManualClock;
  readonly phone?: FakePhone;
}

/** A link under way, whose events are gathered. */
export function begin({
  service = new FakeLinkService(),
  clock = new ManualClock(),
  phone = new FakePhone(),
  store = new MemoryStore(),
  ...options
}: SceneOptions = {}): Scene {
  const link = linkDeviceWith(
    { net: NET, store, deviceName: 'the desk', backoff: { random: () => 0.5 }, ...options },
    { clock, source: service },
  );
  const events: LinkEvent[] = [];
  const urls: string[] = [];
  const gather = async (): Promise<undefined> => {
    for await (const event of link) {
      events.push(event);
      if (event.type === 'url') urls.push(event.url);
    }
  };
  const failed = gather().catch((error: unknown) => error as SealcastError);
  return { service, clock, store, phone, events, urls, link, failed };
}

export async function untilUrls({ urls }: Scene, count: number): Promise<string> {
  await untilTrue(() => urls.length >= count);
  return urls[count - 1] ?? '';
}

/** The phone reads the newest code. */
export async function scanned(scene: Scene, parts: MessageParts = {}): Promise<void> {
  const url = await untilUrls(scene, 1);
  scene.service.newest.deliver(scene.phone.scan(url, parts));
}

/** Moves the clock in small steps until the condition holds: every wait comes to its end. */
export async function passUntil(clock: ManualClock, condition: () => boolean): Promise<void> {
  while (!condition()) {
    clock.pass(1_000);
    await manyTurns(20);
  }
}

export async function ended(scene: Scene): Promise<SealcastError | undefined> {
  let isOver = false;
  void scene.failed.then(() => (isOver = true));
  await passUntil(scene.clock, () => isOver);
  return scene.failed;
}

export const isClean = ({ service }: Scene): void => {
  expect(service.open).toEqual([]);
  expect(service.openConnections).toBe(0);
};
