// Registrations in front of a stand-in for the service.
import type { Registration } from 'sealcast';
import {
  MemoryStore,
  resumeRegistration,
  SealcastError,
  startRegistration,
  type RegistrationOptions,
  type Store,
} from 'sealcast';
import { decodeAccount, loadAccount } from '#dist/src/store/tables/account.js';
import { expect } from 'vitest';
import { FakeRegistrationService } from '../fakes/fake-registration-service.js';
import type { ManualClock } from '../fakes/manual-clock.js';
import { manyTurns } from '../harness/await-condition.js';

export const NUMBER = '+15550100123';
export const CAPTCHA = 'signal-captcha.a-key.registration.P1_secret';
export const CONTACT = '33333333-3333-4333-8333-333333333333';

export interface Scene {
  readonly net: FakeRegistrationService;
  readonly store: Store;
}

export const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(text, 'base64'));

export const newScene = (): Scene => ({
  net: new FakeRegistrationService(),
  store: new MemoryStore(),
});

export const start = (
  { net, store }: Scene,
  options: Partial<RegistrationOptions> = {},
): Promise<Registration> =>
  startRegistration({
    net,
    store,
    number: NUMBER,
    confirmNumberNotInUse: true,
    backoff: { baseMs: 1, capMs: 1 },
    ...options,
  });

export const resume = ({ net, store }: Scene): Promise<Registration> =>
  resumeRegistration({ net, store, backoff: { baseMs: 1, capMs: 1 } });

/** A registration that awaits its code. */
export async function awaitingCode(scene: Scene): Promise<Registration> {
  const registration = await start(scene);
  await registration.captcha(CAPTCHA);
  await registration.requestCode('sms');
  return registration;
}

/** Moves the clock in small steps until the condition holds: every wait comes to its end. */
export async function passUntil(clock: ManualClock, condition: () => boolean): Promise<void> {
  while (!condition()) {
    clock.pass(1_000);
    await manyTurns(10);
  }
}

export async function errorOf(work: Promise<unknown>): Promise<SealcastError> {
  try {
    await work;
  } catch (error) {
    expect(error).toBeInstanceOf(SealcastError);
    return error as SealcastError;
  }
  throw new Error('the call was to fail');
}

export async function storedAccount(store: Store): Promise<ReturnType<typeof decodeAccount>> {
  return decodeAccount((await loadAccount(store)) ?? new Uint8Array(0));
}
