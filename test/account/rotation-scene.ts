// Rotations of the profile key, and what they must leave.
import { deriveAccessKey } from 'sealcast';
import { expect } from 'vitest';
import { decryptProfileName } from '#dist/src/access/profile-cipher.js';
import { profileKeyFacts } from '#dist/src/access/profile-version.js';
import { storedProfileKey, type AccountScene } from '../harness/account-scene.js';
import type { StandInAccountService } from '../fakes/stand-in-account-service.js';

export const ATTRIBUTES = {
  pniRegistrationId: 12,
  registrationLock: 'ab'.repeat(32),
  discoverableByPhoneNumber: false,
};
export const PROFILE = { given: 'Alerts', family: 'Harbour' };

/** An account that is set up: profile and access key are registered. */
export async function setUp(scene: AccountScene): Promise<void> {
  await scene.own.setAttributes(ATTRIBUTES);
  await scene.own.setProfile(PROFILE);
  await scene.own.registerAccessKey();
  scene.service.accountRequests.length = 0;
}

export const names = ({ service }: AccountScene): string[] =>
  service.accountRequests.map(({ name }) => name);

/**
 * Whether a holder of the profile key reads our profile with it, and sends to us sealed with it.
 */
export async function isGood(
  service: StandInAccountService,
  profileKey: Uint8Array,
): Promise<boolean> {
  const { version } = await profileKeyFacts(profileKey, service.sender.aci);
  const upload = service.profiles.get(version);
  const name = upload === undefined ? null : decryptProfileName(profileKey, upload.name);
  const isRegistered =
    Buffer.compare(service.attributes!.accessKey, deriveAccessKey(profileKey)) === 0;
  return isRegistered && name?.given === 'Alerts' && name.family === 'Harbour';
}

/**
 * AccountRuntime and store have the same profile key, another one than at first, and the service
 * has all that belongs to it.
 */
export async function expectRotated(scene: AccountScene): Promise<void> {
  const { service, runtime } = scene;
  const { profileKey } = runtime.account;
  expect(profileKey).toHaveLength(32);
  expect(profileKey).not.toEqual(service.sender.profileKey);
  expect(Buffer.compare((await storedProfileKey(scene))!, profileKey!)).toBe(0);
  expect(await isGood(service, profileKey!)).toBe(true);
  expect(service.attributes).toMatchObject({
    registrationLock: 'ab'.repeat(32),
    pniRegistrationId: 12,
  });
  expect(await scene.store.getMany('account', ['rotation'])).toEqual([undefined]);
}

/** No contact sees a difference yet: messages carry what the service has. */
export async function expectAsBefore(scene: AccountScene): Promise<void> {
  const { service, runtime } = scene;
  expect(runtime.account.profileKey).toEqual(service.sender.profileKey);
  expect(Buffer.compare((await storedProfileKey(scene))!, service.sender.profileKey)).toBe(0);
  expect(await isGood(service, service.sender.profileKey)).toBe(true);
}
