import type { Change, Store } from 'sealcast';
import { MemoryStore } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uploadCapabilities } from '#dist/src/account/capability-upload.js';
import { PreKeys } from '#dist/src/account/prekeys/manager.js';
import { OWN_LOCKS } from '#dist/src/runtime/own-locks.js';
import { OwnDeviceSender } from '#dist/src/runtime/own-device-sender.js';
import { openAccountScene, type AccountScene } from '../harness/account-scene.js';
import { OwnDeviceService } from '../fakes/own-device-service.js';
import { WatchedStore } from '../fakes/watched-store.js';

const ATTRIBUTES = { pniRegistrationId: 12, discoverableByPhoneNumber: false };
const PROFILE = { given: 'Alerts' };
const TAKEN_OVER = { code: 'ERR_STORE_LOCKED' };

/** A store that another process has taken over once `isOurs` is false. */
class LosableStore extends WatchedStore {
  isOurs = true;
  /** Called once a commit is on the disk. */
  onCommitted: (changes: readonly Change[]) => void = () => undefined;

  constructor(inner: Store) {
    super(inner, { after: (changes) => this.onCommitted(changes) });
  }

  override mayAct(): boolean {
    return this.isOurs;
  }
}

let store: LosableStore;
let service: OwnDeviceService;
let scene: AccountScene;
beforeEach(async () => {
  store = new LosableStore(new MemoryStore());
  service = new OwnDeviceService();
  scene = await openAccountScene(store, service);
});
afterEach(() => scene.close());

const requests = (): string[] => service.accountRequests.map(({ name }) => name);
/** Another process takes the store over as soon as a record with this key is on the disk. */
const loseOnceStored = (key: string): void => {
  store.onCommitted = (changes) => {
    if (changes.some((change) => change.key === key)) store.isOurs = false;
  };
};

describe('once another process has taken the store over', () => {
  it('a profile is not uploaded', async () => {
    loseOnceStored('profile');
    await expect(scene.own.setProfile(PROFILE)).rejects.toMatchObject(TAKEN_OVER);
    expect(requests()).toEqual([]);
  });

  it('an access key is not registered', async () => {
    await scene.own.setAttributes(ATTRIBUTES);
    loseOnceStored('attributes');
    await expect(scene.own.registerAccessKey()).rejects.toMatchObject(TAKEN_OVER);
    expect(requests()).toEqual([]);
  });

  it('pending changes are not sent', async () => {
    await scene.own.setAttributes(ATTRIBUTES);
    service.answer('setAccountAttributes', 'lost');
    service.answer('setProfile', 'lost');
    await expect(scene.own.registerAccessKey()).rejects.toThrow();
    await expect(scene.own.setProfile(PROFILE)).rejects.toThrow();
    service.accountRequests.length = 0;
    store.isOurs = false;
    await expect(scene.own.finishPending()).rejects.toMatchObject(TAKEN_OVER);
    expect(requests()).toEqual([]);
  });

  describe('a new profile key', () => {
    beforeEach(async () => {
      await scene.own.setAttributes(ATTRIBUTES);
      await scene.own.setProfile(PROFILE);
      service.accountRequests.length = 0;
    });

    it('brings no profile to the service', async () => {
      loseOnceStored('rotation');
      await expect(scene.own.rotateProfileKey()).rejects.toMatchObject(TAKEN_OVER);
      expect(requests()).toEqual([]);
    });

    it('brings no access key to the service after the profile', async () => {
      service.accountIntercepts.set('setProfile', () => {
        store.isOurs = false;
        return undefined;
      });
      await expect(scene.own.rotateProfileKey()).rejects.toMatchObject(TAKEN_OVER);
      expect(requests()).toEqual(['setProfile']);
    });
  });

  describe('prekeys', () => {
    it('are not counted, where their maintenance waited for another one', async () => {
      const preKeys = new PreKeys(scene.runtime, service);
      const release = await scene.runtime.locks.acquire([OWN_LOCKS.preKeys]);
      const maintained = preKeys.maintain();
      store.isOurs = false;
      release();
      await expect(maintained).rejects.toMatchObject(TAKEN_OVER);
      expect(requests()).toEqual([]);
    });

    it('are not uploaded', async () => {
      const preKeys = new PreKeys(scene.runtime, service);
      loseOnceStored('prekeys');
      await expect(preKeys.maintain()).rejects.toMatchObject(TAKEN_OVER);
      expect(requests()).toEqual(['countPreKeys']);
    });
  });

  it('capabilities are not uploaded, where they waited for another request', async () => {
    const release = await scene.runtime.locks.acquire([OWN_LOCKS.service]);
    const uploaded = uploadCapabilities(scene.runtime, service, {
      capabilities: undefined,
      signal: new AbortController().signal,
      onRefused: () => undefined,
    });
    store.isOurs = false;
    release();
    await uploaded;
    expect(service.asked('setCapabilities')).toEqual([]);
  });

  it('nothing is asked for, or sent to, our own devices', async () => {
    const sender = new OwnDeviceSender(scene.runtime);
    const { aci } = scene.runtime.account;
    const release = await scene.runtime.locks.acquire([aci]);
    const sent = sender.send(new Uint8Array(160), { signal: new AbortController().signal });
    const before = service.requests.length;
    store.isOurs = false;
    release();
    await expect(sent).rejects.toMatchObject(TAKEN_OVER);
    expect(service.requests).toHaveLength(before);
  });
});
