import { randomUUID } from 'node:crypto';
import { deriveAccessKey, MemoryStore, type SealcastError } from 'sealcast';
import { describe, expect, it } from 'vitest';
import { profileKeyFacts } from '#dist/src/access/profile-version.js';
import { Records } from '#dist/src/runtime/records.js';
import { contactChange } from '#dist/src/store/tables/contacts.js';
import { contactIn, putContact } from '../harness/account-scene.js';
import { failTest } from '../harness/broadcasters.js';
import { refusedField } from '../harness/refusals.js';
import {
  ZEROS,
  scene,
  profiles,
  clock,
  asked,
  subscribeKnown,
  useProfiles,
  reopenOn,
} from './profiles-scene.js';

useProfiles();

describe('a fetched profile', () => {
  it('is asked for unauthenticated, with the access key and the version of the profile key, and opened with it', async () => {
    const { aci, profileKey, identity } = await subscribeKnown();
    const { version } = await profileKeyFacts(profileKey, aci);
    expect(await profiles.fetchProfile(aci)).toEqual({
      accessMode: 'enabled',
      unrestricted: false,
      identityKey: Uint8Array.from(identity.publicKey.serialize()),
      name: { given: 'Ada', family: 'Lovelace' },
      fetchedAtMs: clock.now(),
    });
    expect(asked()).toEqual([{ serviceId: aci, version, accessKey: deriveAccessKey(profileKey) }]);
    expect(await contactIn(scene, aci)).toMatchObject({
      accessMode: 'enabled',
      profileFetchedMs: clock.now(),
    });
  });

  it('makes an unrestricted contact of who takes any key, though we do not have that profile key', async () => {
    const subscriber = await scene.service.subscribe();
    subscriber.access = 'unrestricted';
    const profile = await profiles.fetchProfile(subscriber.aci);
    expect(profile).toMatchObject({ accessMode: 'unrestricted', unrestricted: true });
    expect(profile).not.toHaveProperty('name');
    expect(asked()).toEqual([{ serviceId: subscriber.aci, accessKey: ZEROS }]);
    expect(await contactIn(scene, subscriber.aci)).toMatchObject({ accessMode: 'unrestricted' });
  });

  it('is asked for as the account once where the key is not taken, and then disables the contact', async () => {
    const { aci } = await subscribeKnown();
    const outdated = new Uint8Array(32).fill(1);
    await putContact(scene, aci, { profileKey: outdated, accessMode: 'enabled' });
    const { version } = await profileKeyFacts(outdated, aci);
    const profile = await profiles.fetchProfile(aci);
    expect(profile).toMatchObject({ accessMode: 'disabled', unrestricted: false });
    expect(profile).not.toHaveProperty('name');
    expect(asked()).toEqual([
      { serviceId: aci, version, accessKey: deriveAccessKey(outdated) },
      { serviceId: aci, version, accessKey: null },
    ]);
    expect(await contactIn(scene, aci)).toMatchObject({ accessMode: 'disabled' });
  });

  it('disables who takes nothing sealed, and who has given us no profile key', async () => {
    const refusing = await subscribeKnown();
    refusing.access = 'none';
    expect(await profiles.fetchProfile(refusing.aci)).toMatchObject({ accessMode: 'disabled' });
    const stranger = await scene.service.subscribe();
    expect(await profiles.fetchProfile(stranger.aci)).toMatchObject({ accessMode: 'disabled' });
  });

  it('is asked for as the account where the contact is disabled, and enables a contact that takes our key again', async () => {
    const { aci, profileKey } = await subscribeKnown();
    await putContact(scene, aci, {
      profileKey,
      accessMode: 'disabled',
      accessDeniedMs: clock.now(),
    });
    expect(await profiles.fetchProfile(aci)).toMatchObject({ accessMode: 'enabled' });
    expect(asked()).toMatchObject([{ serviceId: aci, accessKey: null }]);
  });

  it('of a phone-number identity is asked for as the account, without a version', async () => {
    const subscriber = await scene.service.subscribe();
    const pni = `PNI:${randomUUID()}`;
    scene.service.subscribers.set(pni, { ...subscriber, aci: pni, access: 'none' });
    await putContact(scene, pni, { profileKey: subscriber.profileKey });
    await profiles.fetchProfile(pni.toUpperCase().replace('PNI', 'pni'));
    expect(asked()).toEqual([{ serviceId: pni, accessKey: null }]);
  });

  it('leaves all else that is known of the contact, and what others changed while it was on its way', async () => {
    const { aci, profileKey } = await subscribeKnown();
    const known = { profileKey, expireTimer: 60, expireTimerVersion: 3, lastSeenMs: 5 };
    await putContact(scene, aci, known);
    scene.service.accountIntercepts.set('fetchProfile', async () => {
      await putContact(scene, aci, { ...known, blocked: true });
      return undefined;
    });
    await profiles.fetchProfile(aci);
    expect(await contactIn(scene, aci)).toMatchObject({
      ...known,
      blocked: true,
      accessMode: 'enabled',
    });
  });

  it('does not disable a contact whose new profile key came while it was on its way, and is soon asked for again', async () => {
    const { aci, profileKey } = await subscribeKnown();
    const newKey = new Uint8Array(32).fill(2);
    scene.service.accountIntercepts.set('fetchProfile', async () => {
      await putContact(scene, aci, { profileKey: newKey });
      return undefined;
    });
    await profiles.fetchProfile(aci);
    expect(await contactIn(scene, aci)).toMatchObject({
      profileKey: newKey,
      accessMode: 'unknown',
      profileFetchedMs: 0,
    });
    expect(profileKey).not.toEqual(newKey);
  });

  it('holds the lock of the contact while it changes the contact, and not while the service is asked', async () => {
    const { aci, profileKey } = await subscribeKnown();
    let ask!: () => void;
    const isAsked = new Promise<void>((resolve) => (ask = resolve));
    const release = await scene.runtime.locks.acquire([aci]);
    scene.service.accountIntercepts.set('fetchProfile', () => {
      ask();
      return undefined;
    });
    const fetching = profiles.fetchProfile(aci);
    await isAsked;
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(await contactIn(scene, aci)).toMatchObject({ profileFetchedMs: 0 });
    await putContact(scene, aci, { profileKey, blocked: true });
    release();
    await fetching;
    expect(await contactIn(scene, aci)).toMatchObject({
      blocked: true,
      profileFetchedMs: clock.now(),
    });
  });
});

describe('the second request for a profile, once the access key was refused', () => {
  /** A contact with an outdated profile key; meanwhile `change` happens. */
  async function refusedMeanwhile(change: (aci: string) => Promise<void> | void): Promise<string> {
    const { aci } = await subscribeKnown();
    await putContact(scene, aci, { profileKey: new Uint8Array(32).fill(1) });
    scene.service.accountIntercepts.set('fetchProfile', async (count) => {
      if (count === 1) await change(aci);
      return undefined;
    });
    return aci;
  }

  it('is not sent where another process has taken the store over', async () => {
    let isOurs = true;
    const store = Object.assign(new MemoryStore(), { mayAct: () => isOurs });
    await reopenOn(store);
    const aci = await refusedMeanwhile(() => {
      isOurs = false;
    });
    await expect(profiles.fetchProfile(aci)).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
    expect(asked()).toHaveLength(1);
  });

  it('is one with the profile key that came meanwhile', async () => {
    const newKey = new Uint8Array(32).fill(2);
    const aci = await refusedMeanwhile(async (refused) => {
      const contact = await contactIn(scene, refused);
      const records = new Records(scene.store, clock);
      await records.commit([contactChange(refused, { ...contact, profileKey: newKey })]);
    });
    const subscriber = scene.service.subscribers.get(aci) ?? failTest('subscriber');
    subscriber.profileKey = newKey;
    expect(await profiles.fetchProfile(aci)).toMatchObject({ accessMode: 'enabled' });
    expect(asked()).toMatchObject([
      { accessKey: deriveAccessKey(new Uint8Array(32).fill(1)) },
      { accessKey: deriveAccessKey(newKey) },
    ]);
  });
});

describe('a profile that cannot be had', () => {
  it.each([
    [{ status: 'rate-limited', retryAfterMs: 1500 }, 'ERR_RATE_LIMITED'],
    [{ status: 'unavailable' }, 'ERR_SERVICE_UNAVAILABLE'],
    [{ status: 'rejected', httpStatus: 422 }, 'ERR_SERVICE_REJECTED'],
    [{ status: 'challenge', token: '', options: [] }, 'ERR_SERVICE_REJECTED'],
    [{ status: 'not-found' }, 'ERR_RECIPIENT_UNREGISTERED'],
    [{ status: 'unauthorized' }, 'ERR_SERVICE_REJECTED'],
  ] as const)('for %j is an error, and changes nothing', async (refusal, code) => {
    const { aci } = await subscribeKnown();
    const before = await contactIn(scene, aci);
    scene.service.answer('fetchProfile', refusal);
    const error: unknown = await profiles.fetchProfile(aci).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'SealcastError', code, serviceId: aci });
    expect((error as SealcastError).retryAfterMs).toBe(
      code === 'ERR_RATE_LIMITED' ? 1500 : undefined,
    );
    expect(await contactIn(scene, aci)).toEqual(before);
  });

  it('of an account that is gone is asked for as the account, to know', async () => {
    const subscriber = await subscribeKnown();
    subscriber.registered = false;
    await expect(profiles.fetchProfile(subscriber.aci)).rejects.toMatchObject({
      code: 'ERR_RECIPIENT_UNREGISTERED',
    });
    expect(asked()).toHaveLength(2);
  });

  it('is refused for wrong arguments before the service is asked', async () => {
    await expect(profiles.fetchProfile('nobody')).rejects.toMatchObject(refusedField('serviceId'));
    const aci = randomUUID();
    await expect(profiles.fetchProfile(aci, { force: 1 } as never)).rejects.toMatchObject(
      refusedField('force'),
    );
    await expect(profiles.fetchProfile(aci, { signal: {} } as never)).rejects.toMatchObject(
      refusedField('signal'),
    );
    await expect(profiles.fetchProfile(aci, null as never)).rejects.toMatchObject(
      refusedField('options'),
    );
    expect(asked()).toEqual([]);
  });

  it('hands the signal on', async () => {
    const { aci } = await subscribeKnown();
    const reason = new Error('enough');
    await expect(
      profiles.fetchProfile(aci, { signal: AbortSignal.abort(reason) }),
    ).rejects.toMatchObject({
      code: 'ERR_ABORTED',
      cause: reason,
    });
  });
});
