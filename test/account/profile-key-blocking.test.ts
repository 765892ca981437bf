import { randomUUID } from 'node:crypto';
import type { Change } from 'sealcast';
import { describe, expect, it } from 'vitest';
import { contactIn, DISKS, openAccountScene, putContact } from '../harness/account-scene.js';
import { useDiskScene } from '../harness/disk-scene.js';
import { refusedField } from '../harness/refusals.js';
import { WatchedStore } from '../fakes/watched-store.js';
import { setUp, names, expectRotated } from './rotation-scene.js';

describe.each(DISKS)('the profile key, in $name, when', ({ make }) => {
  const scene = useDiskScene(make, setUp);

  describe('blocking a contact', () => {
    const aci = randomUUID();
    const identityKey = new Uint8Array(33).fill(5);

    it('rotates where the contact may have our profile key, and not otherwise', async () => {
      await putContact(scene, aci, { identityKey, expireTimer: 9 });
      await scene.own.block(aci.toUpperCase());
      expect(await contactIn(scene, aci)).toMatchObject({ blocked: true, expireTimer: 9 });
      await expectRotated(scene);

      scene.service.accountRequests.length = 0;
      const stranger = randomUUID();
      await scene.own.block(stranger);
      expect(await contactIn(scene, stranger)).toMatchObject({ blocked: true });
      expect(names(scene)).toEqual([]);
    });

    it('costs no second key where the contact is blocked already, and is taken back', async () => {
      await putContact(scene, aci, { identityKey });
      await scene.own.block(aci);
      await scene.own.block(aci);
      expect(names(scene)).toEqual(['setProfile', 'setAccountAttributes']);
      await scene.own.unblock(aci);
      expect(await contactIn(scene, aci)).toMatchObject({ blocked: false, identityKey });
    });

    it('takes the key from who was only told to be blocked, once', async () => {
      await putContact(scene, aci, { identityKey, blocked: true });
      await scene.own.block(aci);
      await expectRotated(scene);
      scene.service.accountRequests.length = 0;
      await scene.own.block(aci);
      expect(names(scene)).toEqual([]);
    });

    it('shares one rotation with others that are blocked at the same time', async () => {
      const contacts = Array.from({ length: 5 }, () => randomUUID());
      for (const each of contacts) await putContact(scene, each, { identityKey });
      await Promise.all(contacts.map((each) => scene.own.block(each)));
      for (const each of contacts)
        expect(await contactIn(scene, each)).toMatchObject({ blocked: true });
      await expectRotated(scene);
      expect(scene.service.accountCountOf('setProfile')).toBeLessThan(contacts.length);
    });

    it('begins another rotation where the one under way has given its key away already', async () => {
      await putContact(scene, aci, { identityKey });
      await scene.own.rotateProfileKey();
      const known = scene.runtime.account.profileKey!;
      await scene.own.block(aci);
      expect(scene.runtime.account.profileKey).not.toEqual(known);
    });

    it('waits for a rotation of its own where the one under way is at its very end', async () => {
      await putContact(scene, aci, { identityKey });
      let blocking: Promise<void> | undefined;
      const isLast = (changes: readonly Change[]): boolean =>
        changes.some(({ key, value }) => key === 'rotation' && value === null);
      await scene.reopen(
        (store) =>
          new WatchedStore(store, {
            before: (changes) => {
              if (isLast(changes)) blocking ??= scene.own.block(aci);
            },
          }),
      );
      await scene.own.rotateProfileKey();
      const first = scene.service.accountRequests.slice(0, 2).map(({ name }) => name);
      await blocking;
      expect(first).toEqual(['setProfile', 'setAccountAttributes']);
      expect(scene.service.accountCountOf('setProfile')).toBe(2);
      await expectRotated(scene);
    });

    it('says that the contact is blocked and the new key on its way where the service refuses it', async () => {
      await putContact(scene, aci, { identityKey });
      scene.service.answer('setAccountAttributes', { status: 'rate-limited', retryAfterMs: 1000 });
      const error: unknown = await scene.own.block(aci).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: 'ERR_RATE_LIMITED',
        serviceId: aci,
        retryable: true,
        retryAfterMs: 1000,
      });
      expect((error as Error).message).toMatch(
        /^the contact is blocked, but .*finishes the change/,
      );
      await scene.reopen();
      expect(await contactIn(scene, aci)).toMatchObject({ blocked: true });
      scene.service.answer('setAccountAttributes', undefined);
      await scene.own.block(aci);
      await expectRotated(scene);
    });

    it('is not done where a new key is called for and cannot be made', async () => {
      const bare = await openAccountScene();
      await putContact(bare, aci, { identityKey });
      await expect(bare.own.block(aci)).rejects.toMatchObject(refusedField('profile'));
      expect(await contactIn(bare, aci)).toMatchObject({ blocked: false });
      await bare.close();
    });

    it('is one commit with the new key that is on its way', async () => {
      await putContact(scene, aci, { identityKey });
      const commits: string[][] = [];
      await scene.reopen(
        (store) =>
          new WatchedStore(store, {
            before: (changes) =>
              void commits.push(changes.map(({ table, key }) => `${table} ${key}`)),
          }),
      );
      commits.length = 0;
      await scene.own.block(aci);
      expect(commits[0]).toEqual([`contact ${aci}`, 'account rotation']);
    });
  });
});
