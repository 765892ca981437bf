import { randomUUID } from 'node:crypto';
import { MemoryStore } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  attributesChange,
  loadOwnRecords,
  profileChange,
  rotationChange,
} from '#dist/src/store/tables/account.js';
import {
  contactIn,
  openAccountScene,
  putContact,
  type AccountScene,
} from '../harness/account-scene.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';

const ATTRIBUTES = { pniRegistrationId: 12, discoverableByPhoneNumber: false };
const CALLS: readonly (readonly [string, (scene: AccountScene) => Promise<void>])[] = [
  ['setAttributes', ({ own }) => own.setAttributes(ATTRIBUTES)],
  ['registerAccessKey', ({ own }) => own.registerAccessKey({ unrestricted: true })],
  ['setProfile', ({ own }) => own.setProfile({ given: 'Alerts' })],
  ['rotateProfileKey', ({ own }) => own.rotateProfileKey()],
];

describe('the account on a linked device', () => {
  let scene: AccountScene;
  beforeEach(async () => {
    const service = new StandInAccountService();
    Object.assign(service.sender, { deviceId: 2 });
    scene = await openAccountScene(new MemoryStore(), service);
  });
  afterEach(() => scene.close());

  /** What an earlier version left behind: all of it, begun and not finished. */
  async function leavePending(): Promise<void> {
    await scene.store.commit([
      attributesChange({
        ...ATTRIBUTES,
        fetchesMessages: true,
        capabilities: {},
        unrestricted: false,
        isPending: true,
      }),
      profileChange({ given: 'Alerts', badgeIds: [], isPending: true }),
      rotationChange({ profileKey: new Uint8Array(32).fill(7) }),
    ]);
  }

  it.each(CALLS)('is refused %s, before any request', async (_name, call) => {
    await leavePending();
    await expect(call(scene)).rejects.toMatchObject({
      code: 'ERR_NOT_PRIMARY',
      message: expect.stringContaining('primary device') as string,
    });
    expect(scene.service.accountRequests).toEqual([]);
  });

  it('drops changes that an earlier version left pending, and sends none', async () => {
    await leavePending();
    const { profileKey } = scene.runtime.account;
    await scene.own.finishPending();
    expect(scene.service.accountRequests).toEqual([]);
    expect(await loadOwnRecords(scene.store)).toMatchObject({
      attributes: { isPending: false },
      profile: { given: 'Alerts', isPending: false },
      rotation: undefined,
    });
    expect(scene.runtime.account.profileKey).toEqual(profileKey);
  });

  it('blocks a contact that has the profile key without replacing it', async () => {
    const contact = randomUUID();
    await putContact(scene, contact, { identityKey: new Uint8Array(33).fill(5) });
    await scene.own.block(contact);
    expect(await contactIn(scene, contact)).toMatchObject({
      blocked: true,
      lacksProfileKey: false,
    });
    expect((await loadOwnRecords(scene.store)).rotation).toBeUndefined();
    expect(scene.service.accountRequests).toEqual([]);
    await scene.own.unblock(contact);
    expect(await contactIn(scene, contact)).toMatchObject({ blocked: false });
  });

  it('blocks a contact that lacks the profile key', async () => {
    const contact = randomUUID();
    await scene.own.block(contact);
    expect(await contactIn(scene, contact)).toMatchObject({ blocked: true, lacksProfileKey: true });
  });
});
