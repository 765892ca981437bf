import { randomUUID } from 'node:crypto';
import { deriveAccessKey } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AttributesInput } from '#dist/src/account/attributes.js';
import {
  decryptPaymentAddress,
  decryptProfileFlag,
  decryptProfileName,
  decryptProfileText,
} from '#dist/src/access/profile-cipher.js';
import { profileKeyFacts } from '#dist/src/access/profile-version.js';
import {
  DISKS,
  openAccountScene,
  putContact,
  type AccountScene,
} from '../harness/account-scene.js';
import { untilTrue } from '../harness/await-condition.js';
import { useDiskScene } from '../harness/disk-scene.js';
import { refusedField } from '../harness/refusals.js';

const ATTRIBUTES: AttributesInput = {
  pniRegistrationId: 12,
  registrationLock: 'ab'.repeat(32),
  recoveryPassword: new Uint8Array(32).fill(4),
  encryptedDeviceName: Uint8Array.of(1, 2, 3),
  discoverableByPhoneNumber: false,
};
const PROFILE = {
  given: 'Alerts',
  family: 'Harbour',
  about: 'Bridges and tides',
  aboutEmoji: '🌉',
  paymentAddress: Uint8Array.of(9, 0),
  phoneNumberSharing: false,
  badgeIds: ['BOOST'],
};

describe.each(DISKS)('our own account, in $name', ({ make }) => {
  const scene = useDiskScene(make);
  const names = (): string[] => scene.service.accountRequests.map(({ name }) => name);

  describe('registering the access key', () => {
    it('sends all attributes as they were given, also after a restart', async () => {
      await scene.own.setAttributes(ATTRIBUTES);
      expect(names()).toEqual([]);
      await scene.reopen();
      await scene.own.registerAccessKey();
      const { sender } = scene.service;
      expect(scene.service.attributes).toEqual({
        fetchesMessages: true,
        registrationId: sender.registrationId,
        pniRegistrationId: 12,
        registrationLock: 'ab'.repeat(32),
        recoveryPassword: new Uint8Array(32).fill(4),
        encryptedDeviceName: Uint8Array.of(1, 2, 3),
        accessKey: deriveAccessKey(sender.profileKey),
        unrestrictedAccess: false,
        discoverableByPhoneNumber: false,
        capabilities: { spqr: true, usernameChangeSyncMessage: true, attachmentBackfill: false },
      });
    });

    it('says of what is absent that there is none, and takes capabilities as they are given', async () => {
      const capabilities = { spqr: true, transfer: false };
      await scene.own.setAttributes({
        pniRegistrationId: 1,
        discoverableByPhoneNumber: true,
        fetchesMessages: false,
        capabilities,
      });
      await scene.own.registerAccessKey();
      expect(scene.service.attributes).toMatchObject({
        fetchesMessages: false,
        registrationLock: null,
        recoveryPassword: null,
        encryptedDeviceName: null,
        discoverableByPhoneNumber: true,
      });
      expect(scene.service.attributes?.capabilities).toEqual(capabilities);
    });

    it('is refused without attributes, and without a profile key, and sends nothing', async () => {
      await expect(scene.own.registerAccessKey()).rejects.toMatchObject(refusedField('attributes'));
      await using other = await openWithoutKey();
      await other.own.setAttributes(ATTRIBUTES);
      await expect(other.own.registerAccessKey()).rejects.toMatchObject(
        refusedField('account.profileKey'),
      );
      expect([...names(), ...other.service.accountRequests]).toEqual([]);
    });

    it('keeps the unrestricted mode until it is given again, over restarts and other attributes', async () => {
      await scene.own.setAttributes(ATTRIBUTES);
      await scene.own.registerAccessKey({ unrestricted: true });
      expect(scene.service.attributes?.unrestrictedAccess).toBe(true);
      await scene.reopen();
      await scene.own.setAttributes({ ...ATTRIBUTES, pniRegistrationId: 13 });
      await scene.own.registerAccessKey();
      expect(scene.service.attributes).toMatchObject({
        unrestrictedAccess: true,
        pniRegistrationId: 13,
      });
      await scene.own.registerAccessKey({ unrestricted: false });
      expect(scene.service.attributes?.unrestrictedAccess).toBe(false);
    });

    it.each([
      [{ status: 'rate-limited', retryAfterMs: 10 }, 'ERR_RATE_LIMITED'],
      [{ status: 'rejected', httpStatus: 422 }, 'ERR_SERVICE_REJECTED'],
      [{ status: 'unauthorized' }, 'ERR_SERVICE_REJECTED'],
    ] as const)('leaves the mode as it was where the service answers %j', async (refusal, code) => {
      await scene.own.setAttributes(ATTRIBUTES);
      scene.service.answer('setAccountAttributes', refusal);
      await expect(scene.own.registerAccessKey({ unrestricted: true })).rejects.toMatchObject({
        code,
      });
      scene.service.answer('setAccountAttributes', undefined);
      await scene.reopen();
      await scene.own.finishPending();
      expect(scene.service.attributes).toBeUndefined();
      await scene.own.registerAccessKey();
      expect(scene.service.attributes).toMatchObject({ unrestrictedAccess: false });
    });

    it('is resumed where the answer was lost', async () => {
      await scene.own.setAttributes(ATTRIBUTES);
      scene.service.answer('setAccountAttributes', 'lost');
      await expect(scene.own.registerAccessKey({ unrestricted: true })).rejects.toMatchObject({
        code: 'ERR_SERVICE_UNAVAILABLE',
      });
      scene.service.answer('setAccountAttributes', undefined);
      await scene.reopen();
      await scene.own.finishPending();
      expect(scene.service.accountCountOf('setAccountAttributes')).toBe(2);
      expect(scene.service.attributes?.unrestrictedAccess).toBe(true);
      await scene.own.finishPending();
      expect(scene.service.accountCountOf('setAccountAttributes')).toBe(2);
    });
  });

  describe('our profile', () => {
    it('is uploaded so that who has the profile key can read all of it', async () => {
      await scene.own.setProfile(PROFILE);
      const { aci, profileKey } = scene.service.sender;
      const { version, commitment } = await profileKeyFacts(profileKey, aci);
      const upload = scene.service.profiles.get(version)!;
      expect(upload.commitment).toEqual(commitment);
      expect(decryptProfileName(profileKey, upload.name)).toEqual({
        given: 'Alerts',
        family: 'Harbour',
      });
      expect(decryptProfileText(profileKey, upload.about!)).toBe('Bridges and tides');
      expect(decryptProfileText(profileKey, upload.aboutEmoji!)).toBe('🌉');
      expect(decryptPaymentAddress(profileKey, upload.paymentAddress!)).toEqual(
        Uint8Array.of(9, 0),
      );
      expect(decryptProfileFlag(profileKey, upload.phoneNumberSharing!)).toBe(false);
      expect(upload.badgeIds).toEqual(['BOOST']);
    });

    it('has no field that was not given', async () => {
      await scene.own.setProfile({ given: 'A' });
      const [upload] = [...scene.service.profiles.values()];
      expect(Object.keys(upload!).sort()).toEqual(['badgeIds', 'commitment', 'name', 'version']);
    });

    it('stays what it was where the service refuses it, and is resumed where its answer was lost', async () => {
      const nameNow = (): unknown => {
        const [upload] = [...scene.service.profiles.values()];
        return upload && decryptProfileName(scene.service.sender.profileKey, upload.name);
      };
      await scene.own.setProfile({ given: 'first' });
      scene.service.answer('setProfile', { status: 'rejected', httpStatus: 403 });
      await expect(scene.own.setProfile({ given: 'second' })).rejects.toMatchObject({
        code: 'ERR_SERVICE_REJECTED',
      });
      scene.service.answer('setProfile', { status: 'unavailable' });
      await scene.reopen();
      await scene.own.finishPending();
      expect(nameNow()).toEqual({ given: 'first' });
      await expect(scene.own.setProfile({ given: 'third' })).rejects.toMatchObject({
        code: 'ERR_SERVICE_UNAVAILABLE',
      });
      scene.service.answer('setProfile', undefined);
      await scene.reopen();
      await scene.own.finishPending();
      expect(nameNow()).toEqual({ given: 'third' });
    });
  });

  describe('finishing what is pending', () => {
    it('tells the service of the one though it refuses the other', async () => {
      await scene.own.setAttributes(ATTRIBUTES);
      scene.service.answer('setProfile', { status: 'unavailable' });
      scene.service.answer('setAccountAttributes', { status: 'unavailable' });
      await expect(scene.own.setProfile({ given: 'A' })).rejects.toThrow();
      await expect(scene.own.registerAccessKey()).rejects.toThrow();
      scene.service.answer('setAccountAttributes', undefined);
      await scene.reopen();
      await expect(scene.own.finishPending()).rejects.toMatchObject({
        code: 'ERR_SERVICE_UNAVAILABLE',
      });
      expect(scene.service.attributes).toBeDefined();
    });
  });

  async function openWithoutKey(): Promise<AccountScene & AsyncDisposable> {
    const opened = await openAccountScene(undefined, undefined, { profileKey: null });
    return { ...opened, [Symbol.asyncDispose]: () => opened.close() };
  }
});

describe('unidentified access', () => {
  let scene: AccountScene;
  beforeEach(async () => {
    scene = await openAccountScene();
  });
  afterEach(() => scene.close());

  it('is that of the contact and our own, with the sender certificate', async () => {
    const aci = randomUUID();
    const profileKey = new Uint8Array(32).fill(5);
    await putContact(scene, aci, { profileKey, accessMode: 'enabled' });
    const { target, self } = await scene.own.unidentifiedAccess(aci);
    expect(target?.accessKey).toEqual(deriveAccessKey(profileKey));
    expect(self?.accessKey).toEqual(deriveAccessKey(scene.service.sender.profileKey));
    const { bytes } = await scene.runtime.certificates.get();
    expect(target?.certificate).toEqual(Uint8Array.from(bytes));
    expect(self?.certificate).toEqual(Uint8Array.from(bytes));
  });

  it.each([
    ['unrestricted', { accessMode: 'unrestricted' }],
    ['not known to us', {}],
  ] as const)('is zeros for a contact who is %s', async (_title, contact) => {
    const aci = randomUUID();
    await putContact(scene, aci, contact);
    const { target } = await scene.own.unidentifiedAccess(aci);
    expect(target?.accessKey).toEqual(new Uint8Array(16));
  });

  it.each([
    ['a disabled contact', randomUUID(), { accessMode: 'disabled', accessDeniedMs: Date.now() }],
    ['a blocked contact', randomUUID(), { accessMode: 'enabled', blocked: true }],
    ['a phone-number identity', `PNI:${randomUUID()}`, {}],
  ] as const)('has no target for %s', async (_title, serviceId, contact) => {
    await putContact(scene, serviceId, contact);
    const { target, self } = await scene.own.unidentifiedAccess(serviceId);
    expect(target).toBeNull();
    expect(self).not.toBeNull();
  });

  it('has no target where the contact is blocked while the certificate is fetched', async () => {
    const aci = randomUUID();
    await putContact(scene, aci, { accessMode: 'enabled' });
    const { service } = scene;
    const fetch = service.fetchSenderCertificate.bind(service);
    let answer: (() => void) | undefined;
    service.fetchSenderCertificate = async (...given) => {
      await new Promise<void>((resolve) => (answer = resolve));
      return fetch(...given);
    };
    const access = scene.own.unidentifiedAccess(aci);
    await untilTrue(() => answer !== undefined);
    await putContact(scene, aci, { accessMode: 'enabled', blocked: true });
    answer?.();
    const { target, self } = await access;
    expect(target).toBeNull();
    expect(self).not.toBeNull();
  });

  it('is zeros for ourselves where anybody may send to us', async () => {
    await scene.own.setAttributes(ATTRIBUTES);
    await scene.own.registerAccessKey({ unrestricted: true });
    const { self } = await scene.own.unidentifiedAccess(randomUUID());
    expect(self?.accessKey).toEqual(new Uint8Array(16));
  });

  it('asks for no certificate where nothing is sent sealed', async () => {
    const other = await openAccountScene(undefined, undefined, { profileKey: null });
    const aci = randomUUID();
    await putContact(other, aci, { accessMode: 'disabled', accessDeniedMs: Date.now() });
    expect(await other.own.unidentifiedAccess(aci)).toEqual({ target: null, self: null });
    expect(other.service.requests).toEqual([]);
    await other.close();
  });
});

describe('wrong arguments', () => {
  let scene: AccountScene;
  beforeEach(async () => {
    scene = await openAccountScene();
  });
  afterEach(() => scene.close());

  it.each([
    ['attributes', null],
    ['attributes.pniRegistrationId', { ...ATTRIBUTES, pniRegistrationId: 0 }],
    ['attributes.pniRegistrationId', { discoverableByPhoneNumber: true }],
    ['attributes.discoverableByPhoneNumber', { pniRegistrationId: 1 }],
    ['attributes.fetchesMessages', { ...ATTRIBUTES, fetchesMessages: 1 }],
    ['attributes.registrationLock', { ...ATTRIBUTES, registrationLock: '1234' }],
    ['attributes.recoveryPassword', { ...ATTRIBUTES, recoveryPassword: new Uint8Array(31) }],
    ['attributes.recoveryPassword', { ...ATTRIBUTES, recoveryPassword: 'x' }],
    ['attributes.encryptedDeviceName', { ...ATTRIBUTES, encryptedDeviceName: new Uint8Array(0) }],
    ['attributes.encryptedDeviceName', { ...ATTRIBUTES, encryptedDeviceName: null }],
    ['attributes.capabilities', { ...ATTRIBUTES, capabilities: 'storage' }],
    ['attributes.capabilities', { ...ATTRIBUTES, capabilities: { '': true } }],
    ['attributes.capabilities.spqr', { ...ATTRIBUTES, capabilities: { spqr: 'yes' } }],
  ])('of attributes are refused by name: %s', async (field, attributes) => {
    await expect(scene.own.setAttributes(attributes as never)).rejects.toMatchObject(
      refusedField(field),
    );
    await expect(scene.own.registerAccessKey()).rejects.toMatchObject(refusedField('attributes'));
  });

  it.each([
    ['profile', undefined],
    ['profile.given', {}],
    ['profile.given', { given: '' }],
    ['profile.given', { given: '\ud800' }],
    ['profile.name', { given: 'a'.repeat(258) }],
    ['profile.family', { given: 'a', family: 1 }],
    ['profile.family', { given: 'a', family: 'b\0' }],
    ['profile.about', { given: 'a', about: 'x'.repeat(513) }],
    ['profile.aboutEmoji', { given: 'a', aboutEmoji: 'x'.repeat(33) }],
    ['profile.paymentAddress', { given: 'a', paymentAddress: new Uint8Array(551) }],
    ['profile.paymentAddress', { given: 'a', paymentAddress: new Uint8Array(0) }],
    ['profile.phoneNumberSharing', { given: 'a', phoneNumberSharing: null }],
    ['profile.badgeIds', { given: 'a', badgeIds: 'BOOST' }],
  ])('of a profile are refused by name: %s', async (field, profile) => {
    await expect(scene.own.setProfile(profile as never)).rejects.toMatchObject(refusedField(field));
    expect(scene.service.accountRequests).toEqual([]);
  });

  it('of the other calls are refused by name', async () => {
    const { own } = scene;
    await expect(own.registerAccessKey({ unrestricted: 1 } as never)).rejects.toMatchObject(
      refusedField('unrestricted'),
    );
    await expect(own.rotateProfileKey({ signal: 1 } as never)).rejects.toMatchObject(
      refusedField('signal'),
    );
    await expect(own.block('x')).rejects.toMatchObject(refusedField('serviceId'));
    await expect(own.unblock(1 as never)).rejects.toMatchObject(refusedField('serviceId'));
    await expect(own.unidentifiedAccess('')).rejects.toMatchObject(refusedField('serviceId'));
    await expect(own.finishPending(null as never)).rejects.toMatchObject(refusedField('options'));
  });

  it('of a store that has them is what the caller gave, not what the caller made of it since', async () => {
    const recoveryPassword = new Uint8Array(32).fill(6);
    await scene.own.setAttributes({ ...ATTRIBUTES, recoveryPassword });
    recoveryPassword.fill(0);
    await scene.own.registerAccessKey();
    expect(scene.service.attributes?.recoveryPassword).toEqual(new Uint8Array(32).fill(6));
  });
});

describe('calls that are aborted', () => {
  it('end with ERR_ABORTED, and the change that was begun is resumed', async () => {
    const scene = await openAccountScene();
    await scene.own.setAttributes(ATTRIBUTES);
    const controller = new AbortController();
    scene.service.accountIntercepts.set('setAccountAttributes', () => {
      controller.abort();
      return new Promise(() => undefined);
    });
    const { signal } = controller;
    await expect(scene.own.registerAccessKey({ signal })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    await expect(scene.own.setProfile({ given: 'A' }, { signal })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(scene.service.accountCountOf('setProfile')).toBe(0);
    scene.service.answer('setAccountAttributes', undefined);
    await scene.close();
    const again = await openAccountScene(scene.store, scene.service);
    await again.own.finishPending();
    expect(again.service.attributes?.accessKey).toEqual(
      deriveAccessKey(again.service.sender.profileKey),
    );
    await again.close();
  });
});
