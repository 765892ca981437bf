import { IdentityKeyPair, SessionRecord } from '@signalapp/libsignal-client';
import { Broadcaster } from 'sealcast';
import { describe, expect, it, vi } from 'vitest';
import { Profiles, type ProfilesOptions } from '#dist/src/account/contact-profiles.js';
import { contactIn, putContact } from '../harness/account-scene.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import {
  HOUR_MS,
  scene,
  profiles,
  clock,
  asked,
  subscribeKnown,
  writeTo,
  useProfiles,
} from './profiles-scene.js';

useProfiles();

describe('the cache of profiles', () => {
  it('answers for six hours, and no longer', async () => {
    const { aci } = await subscribeKnown();
    const first = await profiles.fetchProfile(aci);
    clock.jump(6 * HOUR_MS - 1);
    expect(await profiles.fetchProfile(aci)).toEqual(first);
    expect(asked()).toHaveLength(1);
    clock.jump(1);
    expect(await profiles.fetchProfile(aci)).toEqual({ ...first, fetchedAtMs: clock.now() });
    expect(asked()).toHaveLength(2);
  });

  it('is passed by with force, and by a clock that was set back', async () => {
    const { aci } = await subscribeKnown();
    await profiles.fetchProfile(aci);
    await profiles.fetchProfile(aci, { force: true });
    expect(asked()).toHaveLength(2);
    clock.jump(-1);
    await profiles.fetchProfile(aci);
    expect(asked()).toHaveLength(3);
  });

  it('is out of date with a new profile key, and not with the same one again', async () => {
    const { aci, profileKey } = await subscribeKnown();
    const { service, store } = scene;
    const trustRoots = [service.trustRoot];
    await using broadcaster = await Broadcaster.open({
      store,
      transport: service,
      trustRoots,
      threads: 1,
    });
    await profiles.fetchProfile(aci);
    await broadcaster.setProfileKey(aci, profileKey);
    await profiles.fetchProfile(aci);
    expect(asked()).toHaveLength(1);
    await broadcaster.setProfileKey(aci, new Uint8Array(32).fill(3));
    await profiles.fetchProfile(aci);
    expect(asked().length).toBeGreaterThan(1);
  });

  it('survives a restart, but for the name, where we have written to the contact', async () => {
    const subscriber = await subscribeKnown();
    await writeTo(subscriber);
    const { name, ...first } = await profiles.fetchProfile(subscriber.aci);
    expect(name).toEqual({ given: 'Ada', family: 'Lovelace' });
    const later = new Profiles(scene.runtime, scene.service);
    expect(await later.fetchProfile(subscriber.aci)).toEqual(first);
    expect(asked()).toHaveLength(1);
  });

  it('tells what a send has taught since', async () => {
    const { aci, profileKey } = await subscribeKnown();
    await profiles.fetchProfile(aci);
    await putContact(scene, aci, {
      ...(await contactIn(scene, aci)),
      profileKey,
      accessMode: 'disabled',
      accessDeniedMs: clock.now(),
    });
    expect(await profiles.fetchProfile(aci)).toMatchObject({
      accessMode: 'disabled',
      name: { given: 'Ada' },
    });
  });
});

describe('another identity key', () => {
  const sessionOf = async (aci: string): Promise<SessionRecord> => {
    const [bytes] = await scene.store.getMany('session', [`${aci}.1`]);
    return SessionRecord.deserialize(bytes!);
  };
  const changes: unknown[] = [];
  const fetchAfterChange = async (options: ProfilesOptions): Promise<Subscriber> => {
    changes.length = 0;
    const subscriber = await subscribeKnown();
    await writeTo(subscriber);
    expect((await sessionOf(subscriber.aci)).hasCurrentState(new Date(clock.now()))).toBe(true);
    subscriber.identity = IdentityKeyPair.generate();
    const onIdentityChange = (change: unknown): void => void changes.push(change);
    await new Profiles(scene.runtime, scene.service, { onIdentityChange, ...options }).fetchProfile(
      subscriber.aci,
    );
    return subscriber;
  };

  it('is told, is taken over, and archives the sessions', async () => {
    const { aci, identity } = await fetchAfterChange({});
    expect(changes).toEqual([{ serviceId: aci, accepted: true }]);
    const contact = await contactIn(scene, aci);
    expect(Buffer.compare(contact.identityKey!, identity.publicKey.serialize())).toBe(0);
    expect(contact.devices).toEqual([]);
    expect((await sessionOf(aci)).hasCurrentState(new Date(clock.now()))).toBe(false);
  });

  it('is not taken over against the policy, and archives the sessions all the same', async () => {
    const { aci, identity } = await fetchAfterChange({ identityPolicy: 'fail' });
    expect(changes).toEqual([{ serviceId: aci, accepted: false }]);
    const contact = await contactIn(scene, aci);
    expect(Buffer.compare(contact.identityKey!, identity.publicKey.serialize())).not.toBe(0);
    expect((await sessionOf(aci)).hasCurrentState(new Date(clock.now()))).toBe(false);
  });

  it('is no change for whom we have never written to, whose key is not kept', async () => {
    const subscriber = await subscribeKnown();
    const onIdentityChange = vi.fn();
    const watched = new Profiles(scene.runtime, scene.service, { onIdentityChange });
    await watched.fetchProfile(subscriber.aci);
    subscriber.identity = IdentityKeyPair.generate();
    const { identityKey } = await watched.fetchProfile(subscriber.aci, { force: true });
    expect(identityKey).toEqual(Uint8Array.from(subscriber.identity.publicKey.serialize()));
    expect(onIdentityChange).not.toHaveBeenCalled();
    expect(await contactIn(scene, subscriber.aci)).not.toHaveProperty('identityKey');
  });
});
