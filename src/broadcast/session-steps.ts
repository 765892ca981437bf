import { accessKeyFor } from '../access/access-mode.js';
import { SealcastError } from '../errors.js';
import type { ContactRecord, EncryptedDevice } from '../store/records.js';
import type { Change } from '../store/store.js';
import type { PreKeyBundleFields, PreKeysOutcome, Refusal } from '../transport/transport.js';
import type { Renewal } from '../ratchet/messages.js';
import type { Encryptor } from './encryptor.js';
import { contactChange, sessionChange, sessionKey } from '../account/records.js';
import { rowChange } from './outbox.js';
import { blockedError, deniedError, failure, identityError, noPreKeysError, type Parcel, type Step } from './parcel.js';
import type { Services } from './services.js';

/** Which devices the service says a request was wrong about. */
export type Mismatch = Extract<Refusal, { status: 'mismatched-devices' }>;

const UNREGISTERED: Step = { kind: 'ended', status: 'unregistered' };

/**
 * What takes a word with the service about one recipient: first sessions, devices that came and went, access that was denied,
 * accounts that are gone. Each step holds the recipient's lock until what it changed is on the disk.
 */
export class SessionSteps {
  readonly #id: string;
  readonly #services: Services;
  readonly #encryptor: Encryptor;
  readonly #signal: AbortSignal;

  constructor(id: string, services: Services, encryptor: Encryptor, signal: AbortSignal) {
    this.#id = id;
    this.#services = services;
    this.#encryptor = encryptor;
    this.#signal = signal;
  }

  /** Sessions with all devices of somebody with whom some are wanting, and the message encrypted for all of them. */
  establish(serviceId: string): Promise<Step> {
    return this.#withContact(serviceId, (contact) => this.#establish(serviceId, contact));
  }

  async #establish(serviceId: string, contact: ContactRecord): Promise<Step> {
    const accessKey = accessKeyFor(serviceId, contact);
    if (accessKey === null) return this.#establishDenied(serviceId, contact);
    const answer = await this.#fetchPreKeys(serviceId, 'all', accessKey);
    if (answer.status === 'ok') return this.#begin(serviceId, contact, answer);
    if (answer.status === 'not-found') return this.#retire(serviceId, contact);
    if (answer.status !== 'unauthorized') return { kind: 'refused', refusal: answer };
    const restricted = await this.#restrict(serviceId, contact);
    if (restricted !== undefined) return this.#establish(serviceId, restricted);
    return this.#deny(serviceId, contact, () => this.#establishDenied(serviceId, contact));
  }

  /** Somebody who takes nothing sealed: his prekeys are fetched as the account, if that is allowed at all. */
  async #establishDenied(serviceId: string, contact: ContactRecord): Promise<Step> {
    if (this.#services.policies.unsealedFallback === 'never') return failure(deniedError(serviceId));
    const answer = await this.#fetchPreKeys(serviceId, 'all', null);
    if (answer.status === 'ok') return this.#begin(serviceId, { ...contact, accessMode: 'disabled' }, answer);
    return answer.status === 'not-found' ? this.#retire(serviceId, contact) : { kind: 'refused', refusal: answer };
  }

  /** Begins sessions with the devices of all bundles; devices that have none are gone. */
  async #begin(
    serviceId: string,
    contact: ContactRecord,
    { identityKey, bundles }: Extract<PreKeysOutcome, { status: 'ok' }>,
  ): Promise<Step> {
    if (bundles.length === 0) return failure(noPreKeysError(serviceId));
    const isChanged = contact.identityKey !== undefined && !sameKey(contact.identityKey, identityKey);
    if (isChanged && !this.#acceptsChange(serviceId)) return failure(identityError(serviceId));
    const renewals = new Map(
      bundles.map((bundle): [number, Renewal] => [bundle.deviceId, { bundle, renew: isChanged }]),
    );
    const gone = contact.devices.map(({ deviceId }) => deviceId).filter((deviceId) => !renewals.has(deviceId));
    const changes = await this.#archive(serviceId, gone);
    return this.#encryptor.encryptWith(serviceId, { ...contact, identityKey }, renewals, [], changes);
  }

  /** After a 409 or 410: archives extra and stale sessions, begins missing ones, and encrypts for those devices alone. */
  repair(parcel: Parcel, { missing, extra, stale }: Mismatch): Promise<Step> {
    const { serviceId } = parcel;
    return this.#withContact(serviceId, async (contact) => {
      const wanted = [...new Set([...missing, ...stale])].filter((deviceId) => !extra.includes(deviceId));
      const kept = parcel.devices.filter(({ deviceId }) => !extra.includes(deviceId) && !wanted.includes(deviceId));
      const changes = await this.#archive(serviceId, extra);
      if (wanted.length === 0) return this.#encryptor.encryptWith(serviceId, contact, new Map(), kept, changes);

      const accessKey = accessKeyFor(serviceId, parcel.access);
      const [only] = wanted;
      const device = wanted.length === 1 && only !== undefined ? only : 'all';
      const answer = await this.#fetchPreKeys(serviceId, device, accessKey);
      // What the service has just listed is gone again already: the next round tells what there is.
      if (answer.status === 'not-found')
        return this.#encryptor.encryptWith(serviceId, contact, new Map(), kept, changes);
      if (answer.status !== 'ok') return { kind: 'refused', refusal: answer };
      if (contact.identityKey !== undefined && !sameKey(contact.identityKey, answer.identityKey)) {
        return this.#reestablish(serviceId, contact, answer, accessKey);
      }
      const renewals = wanted.flatMap((deviceId): [number, Renewal][] => {
        const bundle = answer.bundles.find((candidate) => candidate.deviceId === deviceId);
        return bundle === undefined ? [] : [[deviceId, { bundle, renew: isStale(parcel, deviceId, bundle, stale) }]];
      });
      return this.#encryptor.encryptWith(
        serviceId,
        { ...contact, identityKey: answer.identityKey },
        new Map(renewals),
        kept,
        changes,
      );
    });
  }

  /** The account has another identity key: what was encrypted for the old one is worth nothing, on any device. */
  async #reestablish(
    serviceId: string,
    contact: ContactRecord,
    answer: Extract<PreKeysOutcome, { status: 'ok' }>,
    accessKey: Uint8Array<ArrayBuffer> | null,
  ): Promise<Step> {
    const all = await this.#fetchPreKeys(serviceId, 'all', accessKey);
    if (all.status === 'ok') return this.#begin(serviceId, contact, all);
    return all.status === 'not-found' ? this.#begin(serviceId, contact, answer) : { kind: 'refused', refusal: all };
  }

  /**
   * After a 401 or 403. With a profile key that came meanwhile it is worth another try; otherwise the service is asked whether
   * the account exists at all, for it answers the same for those that do not.
   */
  denied(parcel: Parcel): Promise<Step> {
    const { serviceId, access } = parcel;
    return this.#withContact(serviceId, async (contact) => {
      const isNew = contact.accessMode !== access.accessMode || !sameKey(contact.profileKey, access.profileKey);
      if (isNew) return { kind: 'parcel', parcel: { ...parcel, access: contact } };
      const restricted = await this.#restrict(serviceId, contact);
      if (restricted !== undefined) return { kind: 'parcel', parcel: { ...parcel, access: restricted } };
      return this.#deny(serviceId, contact, () => {
        if (this.#services.policies.unsealedFallback === 'never') return failure(deniedError(serviceId));
        return { kind: 'parcel', parcel: { ...parcel, access: { ...contact, accessMode: 'disabled' } } };
      });
    });
  }

  /** A contact that no longer takes any key may still take that of its profile key, if it gave us one. */
  async #restrict(serviceId: string, contact: ContactRecord): Promise<ContactRecord | undefined> {
    if (contact.accessMode !== 'unrestricted' || contact.profileKey === undefined) return undefined;
    const restricted: ContactRecord = { ...contact, accessMode: 'unknown' };
    await this.#services.outbox.commit([contactChange(serviceId, restricted)]);
    return restricted;
  }

  /** Marks the contact as one that takes nothing sealed, if there still is such an account, and goes on from there. */
  async #deny(serviceId: string, contact: ContactRecord, goOn: () => Step | Promise<Step>): Promise<Step> {
    const { outbox, transport } = this.#services;
    const answer = await transport.accountExists(serviceId, { signal: this.#signal });
    if (answer.status !== 'ok') return { kind: 'refused', refusal: answer };
    if (!answer.exists) return this.#retire(serviceId, contact);
    await outbox.commit([contactChange(serviceId, { ...contact, accessMode: 'disabled' })]);
    return goOn();
  }

  /** What was encrypted before, as the outbox has it. */
  async reload(serviceId: string): Promise<Step> {
    const { outbox } = this.#services;
    const [contact, [row]] = await Promise.all([outbox.contact(serviceId), outbox.rows(this.#id, [serviceId])]);
    if (contact.blocked) return failure(blockedError(serviceId));
    if (row?.state !== 'encrypted') {
      this.#services.resends.answering(this.#id, serviceId);
      return this.establish(serviceId);
    }
    const { identityKey, devices } = row;
    return { kind: 'parcel', parcel: { serviceId, access: contact, identityKey, devices } };
  }

  /** After a 404: sessions are archived, so that a message that comes late can still be read. */
  retire(serviceId: string): Promise<Step> {
    return this.#locked(serviceId, async () => {
      return this.#retire(serviceId, await this.#services.outbox.contact(serviceId));
    });
  }

  async #retire(serviceId: string, contact: ContactRecord): Promise<Step> {
    const devices = contact.devices.map(({ deviceId }) => deviceId);
    const changes = await this.#archive(serviceId, devices);
    if (devices.length > 0) changes.push(contactChange(serviceId, { ...contact, devices: [] }));
    changes.push(rowChange(this.#id, serviceId, { state: 'done', status: 'unregistered' }));
    await this.#services.outbox.commit(changes);
    return UNREGISTERED;
  }

  /** Changes that archive the sessions with these devices. */
  async #archive(serviceId: string, deviceIds: readonly number[]): Promise<Change[]> {
    const { outbox, ratchet } = this.#services;
    const records = await outbox.sessions(deviceIds.map((deviceId) => sessionKey(serviceId, deviceId)));
    const known = deviceIds.flatMap((deviceId, i) => {
      const record = records[i];
      return record === undefined ? [] : [{ deviceId, record }];
    });
    const archived = await ratchet.archive(known.map(({ record }) => record));
    return known.flatMap(({ deviceId }, i) => {
      const record = archived[i];
      return record === undefined ? [] : [sessionChange(serviceId, deviceId, record)];
    });
  }

  #acceptsChange(serviceId: string): boolean {
    const { notify, policies, telemetry } = this.#services;
    notify('identityChange', { serviceId, accepted: policies.onIdentityChange === 'accept' });
    telemetry.publish('identity-change', { policy: policies.onIdentityChange });
    telemetry.log.warn({ policy: policies.onIdentityChange }, 'a recipient has another identity key than before');
    return policies.onIdentityChange === 'accept';
  }

  async #fetchPreKeys(
    destination: string,
    device: 'all' | number,
    accessKey: Uint8Array<ArrayBuffer> | null,
  ): Promise<PreKeysOutcome> {
    const { preKeyRequests, transport } = this.#services;
    const signal = this.#signal;
    await preKeyRequests.acquire(signal);
    try {
      return await transport.fetchPreKeys({ destination, device, accessKey }, { signal });
    } finally {
      preKeyRequests.release();
    }
  }

  /**
   * With the contact as it is by now. Who was blocked since the broadcast took him up is encrypted for no more: what he got would carry
   * the profile key that took the place of the one he has.
   */
  #withContact(serviceId: string, step: (contact: ContactRecord) => Promise<Step>): Promise<Step> {
    return this.#locked(serviceId, async () => {
      const contact = await this.#services.outbox.contact(serviceId);
      return contact.blocked ? failure(blockedError(serviceId)) : step(contact);
    });
  }

  #locked(serviceId: string, step: () => Promise<Step>): Promise<Step> {
    return this.#services.locks.with([serviceId], async () => {
      try {
        return await step();
      } catch (error) {
        // What the transport or libsignal cannot make sense of is this recipient's own failure.
        if (error instanceof SealcastError && error.code === 'ERR_INVALID_ARGUMENT') return failure(error);
        throw error;
      }
    });
  }
}

function sameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  // Public keys, and a profile key against itself as it was stored.
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0);
}

/** Whether the session is to be replaced even if it looks good: unless somebody has replaced it since we encrypted with it. */
function isStale(
  { devices }: Parcel,
  deviceId: number,
  { registrationId }: PreKeyBundleFields,
  stale: readonly number[],
): boolean {
  const encrypted: EncryptedDevice | undefined = devices.find((device) => device.deviceId === deviceId);
  return stale.includes(deviceId) && encrypted?.registrationId === registrationId;
}
