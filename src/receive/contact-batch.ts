import { onSealedReceived } from '../access/access-mode.js';
import { isOtherIdentity, onIdentityKey } from '../access/contact-identity.js';
import { onBegunByMessage } from '../access/unanswered.js';
import {
  contactChange,
  isReadable,
  NEW_CONTACT,
  type ContactRecord,
} from '../store/tables/contacts.js';
import type { IdentityKind } from '../store/tables/account.js';
import { serviceIdIn, sessionChangeAt, sessionKey } from '../store/tables/sessions.js';
import type { Content } from '../content/index.js';
import { SealcastError } from '../errors.js';
import type { Change } from '../store/store.js';
import { learnFrom, withDestination } from './contact-updates.js';
import type { OpenedEnvelope } from './envelope-opener.js';
import type { ReceiveContext } from './context.js';
import type { NewSession } from './decrypt/sessions.js';

/** Registration ids have 14 bits, and are not 0. */
const MAX_REGISTRATION_ID = 0x3fff;
/**
 * Largest session that is kept. libsignal lets the other side grow one to some 40 MB (41 states of
 * five chains with 2,000 skipped keys each), which every further message would read, write and
 * encrypt on this thread. One chain with as many skipped keys as libsignal allows has 200 KB.
 * Without the session the next message is asked for again, over a new one.
 */
export const MAX_SESSION_BYTES = 1024 * 1024;

interface Entry {
  /**
   * Whether the record is damaged. Messages are read as those of a contact that is new; the record
   * stays as it is, and sends to the contact fail.
   */
  readonly isDamaged: boolean;
  readonly before: ContactRecord;
  now: ContactRecord;
  /** Devices whose sessions are with an identity key that the contact no longer has. */
  readonly outdated: Set<number>;
}

/**
 * Contacts that sent the messages of a batch, before and after them. The caller holds their locks.
 */
export class ContactBatch {
  readonly #context: ReceiveContext;
  readonly #entries: ReadonlyMap<string, Entry>;
  /** By address; null: the session is removed. */
  readonly #sessions = new Map<string, Uint8Array<ArrayBuffer> | null>();
  readonly #pniSessions = new Map<string, Uint8Array<ArrayBuffer> | null>();
  readonly #identityChanges = new Set<string>();

  private constructor(context: ReceiveContext, entries: ReadonlyMap<string, Entry>) {
    this.#context = context;
    this.#entries = entries;
  }

  static async read(serviceIds: readonly string[], context: ReceiveContext): Promise<ContactBatch> {
    const contacts = serviceIds.length === 0 ? [] : await context.records.findContacts(serviceIds);
    const entries = serviceIds.flatMap((serviceId, i): [string, Entry][] => {
      const found = contacts[i];
      if (found === undefined) return [];
      const isDamaged = !isReadable(found);
      const contact = isDamaged ? NEW_CONTACT : found;
      return [[serviceId, { isDamaged, before: contact, now: contact, outdated: new Set() }]];
    });
    return new ContactBatch(context, new Map(entries));
  }

  get(serviceId: string): ContactRecord {
    return this.#entry(serviceId).now;
  }

  #entry(serviceId: string): Entry {
    const entry = this.#entries.get(serviceId);
    if (entry === undefined)
      throw new SealcastError('ERR_STORE_FAILED', 'the store gave no answer');
    return entry;
  }

  /** Takes a session that messages have changed, or begun. */
  takeSession(
    address: string,
    { record, registrationId, identityKey }: NewSession,
    destination: IdentityKind,
  ): void {
    if (destination === 'pni') {
      this.#takePniSession(address, { record, identityKey });
      return;
    }
    const point = address.lastIndexOf('.');
    const serviceId = address.slice(0, point);
    const deviceId = Number(address.slice(point + 1));
    const entry = this.#entry(serviceId);
    const isKept = record.length <= MAX_SESSION_BYTES;
    this.#sessions.set(address, isKept ? record : null);
    if (identityKey !== undefined) this.#takeIdentity(serviceId, entry, identityKey);
    // This session is with the identity key that the messages came with.
    entry.outdated.delete(deviceId);
    if (!isKept) {
      entry.now = {
        ...entry.now,
        devices: entry.now.devices.filter((device) => device.deviceId !== deviceId),
      };
      return;
    }
    // The service accepts no device with another id (Signal-Server: 14 bits, not 0), so nothing is
    // sent to this one.
    if (registrationId < 1 || registrationId > MAX_REGISTRATION_ID) return;
    const known = entry.now.devices.find((device) => device.deviceId === deviceId);
    if (known?.registrationId === registrationId) return;
    const others = entry.now.devices.filter((device) => device.deviceId !== deviceId);
    entry.now = { ...entry.now, devices: [...others, { deviceId, registrationId }] };
  }

  /**
   * Takes a session with our PNI. Nothing is sent in it: answers go out from the ACI, in sessions
   * of their own.
   */
  #takePniSession(
    address: string,
    { record, identityKey }: Pick<NewSession, 'record' | 'identityKey'>,
  ): void {
    const serviceId = serviceIdIn(address);
    this.#pniSessions.set(address, record.length <= MAX_SESSION_BYTES ? record : null);
    if (identityKey !== undefined)
      this.#takeIdentity(serviceId, this.#entry(serviceId), identityKey);
  }

  /**
   * Takes the identity key of a session that began. With another key than before, a contact is
   * another client: its earlier sessions are over (as in Signal's clients).
   */
  #takeIdentity(serviceId: string, entry: Entry, identityKey: Uint8Array<ArrayBuffer>): void {
    const before = entry.now;
    const policy = this.#context.policies.onIdentityChange;
    entry.now = onIdentityKey(before, identityKey, policy);
    if (!isOtherIdentity(before, identityKey)) return;
    this.#identityChanges.add(serviceId);
    // With `fail` nothing is sent until the new key is accepted, so the old sessions stay as they
    // are.
    if (policy === 'fail') return;
    for (const { deviceId } of before.devices) entry.outdated.add(deviceId);
  }

  learn(
    {
      sender: serviceId,
      sealed,
      serverTimestamp,
      destination,
      envelopeType,
    }: Pick<
      OpenedEnvelope,
      'sender' | 'sealed' | 'serverTimestamp' | 'destination' | 'envelopeType'
    >,
    content: Content,
  ): void {
    // Facts that our own other devices tell of us are no contact's.
    if (serviceId === this.#context.runtime.account.aci) return;
    const entry = this.#entry(serviceId);
    const known = sealed ? onSealedReceived(entry.now) : entry.now;
    entry.now = learnFrom(known, content, serverTimestamp);
    // Only what was decrypted proves which identity of ours they know.
    if (envelopeType === 'prekey' || envelopeType === 'whisper')
      entry.now = withDestination(entry.now, destination);
  }

  /** Session as it is after the messages; undefined where there is none. */
  async session(address: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const changed = this.#sessions.get(address);
    if (changed !== undefined) return changed ?? undefined;
    const [record] = await this.#context.records.sessions([address]);
    return record;
  }

  setSession(address: string, record: Uint8Array<ArrayBuffer>): void {
    this.#sessions.set(address, record);
  }

  /** Changes of sessions and contacts, to be committed. */
  async changes(): Promise<Change[]> {
    await this.#archiveOutdated();
    const sessions = [...this.#sessions].map(([address, record]) =>
      sessionChangeAt(address, record),
    );
    const contacts = [...this.#entries].flatMap(([serviceId, { isDamaged, before, now }]) =>
      isDamaged || now === before
        ? []
        : [contactChange(serviceId, this.#isBegun(serviceId) ? onBegunByMessage(now) : now)],
    );
    const pniSessions = [...this.#pniSessions].map(([address, record]) =>
      sessionChangeAt(address, record, 'pni'),
    );
    return [...sessions, ...pniSessions, ...contacts];
  }

  /** Number of contacts that the messages begin. */
  get begun(): number {
    return [...this.#entries.keys()].filter((serviceId) => this.#isBegun(serviceId)).length;
  }

  /** Our own account is no contact that another one could begin. */
  #isBegun(serviceId: string): boolean {
    const { isDamaged, before, now } = this.#entry(serviceId);
    const isNew = !isDamaged && before === NEW_CONTACT && now !== before;
    return isNew && serviceId !== this.#context.runtime.account.aci;
  }

  async #archiveOutdated(): Promise<void> {
    const { runtime, records } = this.#context;
    const addresses = [...this.#entries].flatMap(([serviceId, { outdated }]) =>
      [...outdated].map((deviceId) => sessionKey(serviceId, deviceId)),
    );
    if (addresses.length === 0) return;
    const found = await records.sessions(addresses);
    const known = addresses.flatMap((address, i) => {
      const changed = this.#sessions.get(address);
      const record = changed === undefined ? found[i] : changed;
      return record === undefined || record === null ? [] : [{ address, record }];
    });
    const archived = await runtime.sessionClient.archive(known.map(({ record }) => record));
    known.forEach(({ address }, i) => {
      const record = archived[i];
      if (record !== undefined) this.#sessions.set(address, record);
    });
  }

  /** Calls that tell listeners of the changes, to be made once those are on the disk. */
  news(): (() => void)[] {
    const { events, policies, telemetry } = this.#context;
    const news: (() => void)[] = [];
    for (const [serviceId, { isDamaged, before, now }] of this.#entries) {
      if (isDamaged) continue;
      if (now.profileKey !== before.profileKey)
        news.push(() => events.emit('profileKey', { serviceId }));
      const { expireTimer, expireTimerVersion } = now;
      if (expireTimer !== before.expireTimer) {
        news.push(() => events.emit('expireTimer', { serviceId, expireTimer, expireTimerVersion }));
      }
    }
    for (const serviceId of this.#identityChanges) {
      news.push(() => {
        events.emit('identityChange', {
          serviceId,
          accepted: policies.onIdentityChange === 'accept',
        });
        telemetry.publish('identity-change', { policy: policies.onIdentityChange });
      });
    }
    return news;
  }
}
