import { Broadcaster, type Change } from 'sealcast';
import { describe, expect, it } from 'vitest';
import { DISKS, openAccountScene } from '../harness/account-scene.js';
import { collect } from '../harness/broadcasters.js';
import { useDiskScene } from '../harness/disk-scene.js';
import { refusedField } from '../harness/refusals.js';
import type { AccountAnswer, AccountRequestName } from '../fakes/stand-in-account-service.js';
import { WatchedStore } from '../fakes/watched-store.js';
import { PROFILE, setUp, names, expectRotated, expectAsBefore } from './rotation-scene.js';

describe.each(DISKS)('rotating the profile key, in $name', ({ make }) => {
  const scene = useDiskScene(make, setUp);

  it('uploads the profile, then registers the access key, then has messages carry the new key', async () => {
    const before = scene.runtime.account.profileKey!;
    const copy = Uint8Array.from(before);
    const seen: [string, Uint8Array | undefined][] = [];
    for (const name of ['setProfile', 'setAccountAttributes'] as const) {
      scene.service.accountIntercepts.set(name, () => {
        seen.push([name, scene.runtime.account.profileKey]);
        return undefined;
      });
    }
    await scene.own.rotateProfileKey();
    expect(seen).toEqual([
      ['setProfile', before],
      ['setAccountAttributes', before],
    ]);
    expect(scene.runtime.account.profileKey).not.toBe(before);
    expect(before).toEqual(copy);
    await expectRotated(scene);
  });

  it('is another key each time, and goes on from the one before after a restart', async () => {
    await scene.own.rotateProfileKey();
    const first = scene.runtime.account.profileKey;
    await scene.reopen();
    expect(scene.runtime.account.profileKey).toEqual(first);
    await scene.own.rotateProfileKey();
    expect(scene.runtime.account.profileKey).not.toEqual(first);
    await expectRotated(scene);
  });

  it('is not undone by an account that is given with a key from before, but by one with another key', async () => {
    await scene.own.rotateProfileKey();
    await scene.own.rotateProfileKey();
    const { profileKey } = scene.runtime.account;
    const { service, store } = scene;
    // While it is open, and when it is opened again.
    const second = await openAccountScene(store, service);
    expect(second.runtime.account.profileKey).toEqual(profileKey);
    await second.close();
    await scene.reopen();
    expect(scene.runtime.account.profileKey).toEqual(profileKey);
    const other = new Uint8Array(32).fill(7);
    await scene.reopen(undefined, { profileKey: other });
    expect(scene.runtime.account.profileKey).toEqual(other);
  });

  it('has messages carry the new key', async () => {
    const { service, store } = scene;
    const subscriber = await service.subscribe();
    await using broadcaster = await Broadcaster.open({
      store,
      transport: service,
      trustRoots: [service.trustRoot],
      threads: 1,
    });
    await broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
    await collect(broadcaster.broadcast({ body: 'one' }, [subscriber.aci]));
    await scene.own.rotateProfileKey();
    await collect(broadcaster.broadcast({ body: 'two' }, [subscriber.aci]));
    const carried = service.arrivals.map(({ message }) => Uint8Array.from(message.profileKey!));
    expect(carried).toEqual([service.sender.profileKey, scene.runtime.account.profileKey]);
  });

  it('keeps the unrestricted mode', async () => {
    await scene.own.registerAccessKey({ unrestricted: true });
    await scene.reopen();
    await scene.own.rotateProfileKey();
    expect(scene.service.attributes?.unrestrictedAccess).toBe(true);
  });

  it('is one for all who ask at once', async () => {
    await Promise.all([
      scene.own.rotateProfileKey(),
      scene.own.rotateProfileKey(),
      scene.own.rotateProfileKey(),
    ]);
    expect(names(scene)).toEqual(['setProfile', 'setAccountAttributes']);
    await expectRotated(scene);
  });

  it.each<[AccountRequestName, AccountAnswer]>([
    ['setProfile', { status: 'rate-limited', retryAfterMs: 60_000 }],
    ['setProfile', { status: 'rejected', httpStatus: 403 }],
    ['setProfile', 'lost'],
    ['setAccountAttributes', { status: 'rate-limited', retryAfterMs: 60_000 }],
    ['setAccountAttributes', { status: 'rejected', httpStatus: 422 }],
  ])(
    'changes nothing for anybody where %s is answered %j, and is finished after a restart',
    async (name, answer) => {
      scene.service.answer(name, answer);
      await expect(scene.own.rotateProfileKey()).rejects.toThrow(/new profile key is kept/);
      await expectAsBefore(scene);
      await scene.reopen();
      await expectAsBefore(scene);
      scene.service.answer(name, undefined);
      await scene.own.finishPending();
      await expectRotated(scene);
    },
  );

  it('is finished with the same key where the answer to the registration was lost', async () => {
    scene.service.answer('setAccountAttributes', 'lost');
    await expect(scene.own.rotateProfileKey()).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
    });
    const registered = scene.service.attributes!.accessKey;
    expect(scene.runtime.account.profileKey).toEqual(scene.service.sender.profileKey);
    scene.service.answer('setAccountAttributes', undefined);
    await scene.reopen();
    await scene.own.rotateProfileKey();
    await expectRotated(scene);
    expect(scene.service.attributes!.accessKey).toEqual(registered);
  });

  it.each<[string, AccountRequestName]>([
    ['the profile is uploaded', 'setProfile'],
    ['the access key is registered', 'setAccountAttributes'],
  ])('is resumed by a further call where a refusal came when %s', async (_title, name) => {
    scene.service.answer(name, { status: 'unavailable' });
    await expect(scene.own.rotateProfileKey()).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
    });
    scene.service.answer(name, undefined);
    await scene.own.rotateProfileKey();
    await expectRotated(scene);
    expect(
      new Set(
        scene.service.accountRequests.map(
          ({ request }) => (request as { version?: string }).version,
        ),
      ).size,
    ).toBe(2);
  });

  /** Which of a rotation's two commits. */
  const COMMITS = [
    ['that a new key is on its way', 0],
    ['that the new key is ours', 1],
  ] as const;
  const isAccount = (changes: readonly Change[]): boolean =>
    changes.some(({ table }) => table === 'account');

  it.each(COMMITS)('is finished after a crash before the commit %s', async (_title, crashAt) => {
    let commits = 0;
    await scene.reopen(
      (store) =>
        new WatchedStore(store, {
          before: (changes) => {
            if (isAccount(changes) && commits++ === crashAt) throw new Error('the process is gone');
          },
        }),
    );
    await expect(scene.own.rotateProfileKey()).rejects.toThrow('the process is gone');
    // What is not on the disk is in no message.
    expect(scene.runtime.account.profileKey).toEqual(scene.service.sender.profileKey);
    await scene.reopen();
    if (crashAt === 0) await expectAsBefore(scene);
    const uploaded = [...scene.service.profiles.keys()];
    await scene.own.finishPending();
    if (crashAt === 0) await scene.own.rotateProfileKey();
    else expect([...scene.service.profiles.keys()]).toEqual(uploaded);
    await expectRotated(scene);
  });

  it.each(COMMITS)('is finished after a crash behind the commit %s', async (_title, crashAt) => {
    let commits = 0;
    await scene.reopen(
      (store) =>
        new WatchedStore(store, {
          after: (changes) => {
            if (isAccount(changes) && commits++ === crashAt) throw new Error('the process is gone');
          },
        }),
    );
    await expect(scene.own.rotateProfileKey()).rejects.toThrow('the process is gone');
    await scene.reopen();
    if (crashAt === 0) await expectAsBefore(scene);
    await scene.own.finishPending();
    await expectRotated(scene);
    expect(names(scene)).toEqual(['setProfile', 'setAccountAttributes']);
  });

  it('throws without a profile or attributes, and changes nothing', async () => {
    const bare = await openAccountScene();
    await expect(bare.own.rotateProfileKey()).rejects.toMatchObject(refusedField('profile'));
    await bare.own.setProfile(PROFILE);
    await expect(bare.own.rotateProfileKey()).rejects.toMatchObject(refusedField('attributes'));
    expect(names(bare)).toEqual(['setProfile']);
    expect(bare.runtime.account.profileKey).toEqual(bare.service.sender.profileKey);
    expect(await bare.store.getMany('account', ['rotation'])).toEqual([undefined]);
    await bare.close();
  });

  it('takes along a profile and an access key that are told meanwhile', async () => {
    scene.service.answer('setAccountAttributes', { status: 'unavailable' });
    await expect(scene.own.rotateProfileKey()).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
    });
    scene.service.answer('setAccountAttributes', undefined);
    scene.service.accountRequests.length = 0;
    await scene.own.setProfile({ ...PROFILE, about: 'another text' });
    await expectRotated(scene);
    expect(names(scene)).toEqual(['setProfile', 'setAccountAttributes']);
    expect(scene.service.accountRequests[0]?.request).toHaveProperty('about');

    scene.service.answer('setProfile', { status: 'unavailable' });
    await expect(scene.own.rotateProfileKey()).rejects.toMatchObject({
      code: 'ERR_SERVICE_UNAVAILABLE',
    });
    scene.service.answer('setProfile', undefined);
    await scene.own.registerAccessKey({ unrestricted: true });
    await expectRotated(scene);
    expect(scene.service.attributes?.unrestrictedAccess).toBe(true);
    // Nothing of it is left to be told.
    scene.service.accountRequests.length = 0;
    await scene.own.finishPending();
    expect(names(scene)).toEqual([]);
  });

  it('is aborted by its caller, or by the end of the account, and is resumed', async () => {
    const controller = new AbortController();
    scene.service.accountIntercepts.set('setProfile', () => {
      controller.abort();
      return new Promise(() => undefined);
    });
    const { signal } = controller;
    await expect(scene.own.rotateProfileKey({ signal })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    const shared = scene.own.rotateProfileKey();
    await Promise.all([expect(shared).rejects.toThrow(), scene.close()]);
    scene.service.answer('setProfile', undefined);
    await scene.reopen();
    await scene.own.finishPending();
    await expectRotated(scene);
  });
});
