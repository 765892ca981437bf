import { ACCESS_KEY_BYTES } from '../../access/access-key.js';
import { accessKeyOf, onTimePassed, takesSealed } from '../../access/access-mode.js';
import { profileKeyMark } from '../../access/profile-key-mark.js';
import { onAddressed } from '../../access/unanswered.js';
import { CIPHERTEXT_TYPES, Packer } from '../../session/protocol.js';
import { Encryption } from '../../session/worker/encrypt.js';
import { TaskIdentities } from '../../session/worker/task-stores.js';
import type { OwnPrivateKey } from '../../session/worker/worker.js';
import { isDamaged } from '../../store/damage.js';
import { WorkerRecords, type StoreLocation } from '../../store/lmdb/worker-records.js';
import { decodeContact, encodeContact, type ContactRecord } from '../../store/tables/contacts.js';
import { encodeOutbox, outboxKey, type EncryptedDevice } from '../../store/tables/outbox.js';
import { sessionKey } from '../../store/tables/sessions.js';
import { contentToSeal } from '../content-to-seal.js';
import { DeliveryCheck } from '../delivery-check.js';
import { PlaintextVariants } from '../plaintext-variants.js';
import {
  ACCESS_MODES,
  TABLES_OF_CHANGES,
  type StoredChunkReply,
  type StoredChunkRequest,
} from './protocol.js';

/** Bytes in front of the u-coordinate in a serialized identity key. */
const KEY_TYPE_BYTES = 1;
const SEALING_KEY_BYTES = 32;
const PROFILE_KEY_BYTES = 32;

let opened: { readonly location: StoreLocation; readonly records: WorkerRecords } | undefined;

/** Records of the store that this worker's account has open; it has one at a time. */
async function recordsOf(location: StoreLocation): Promise<WorkerRecords> {
  if (opened !== undefined && isSameStore(opened.location, location)) return opened.records;
  const before = opened;
  opened = undefined;
  await before?.records.close();
  const records = await WorkerRecords.open(location);
  opened = { location, records };
  return records;
}

const isSameStore = (a: StoreLocation, b: StoreLocation): boolean =>
  a.path === b.path && a.openId === b.openId;

/**
 * Encrypts for the recipients of a chunk that have all that it takes: an access mode that allows
 * sealing, an identity key, and a session with each device. The caller holds their locks.
 *
 * Nothing is written here. Recipients about whom anything else is to be decided are left out, with
 * no effect on their records.
 */
export async function encryptStoredChunk(
  request: StoredChunkRequest,
  privateKey: OwnPrivateKey,
): Promise<StoredChunkReply> {
  const records = await recordsOf(request.store);
  const serviceIds = request.serviceIds.split(' ');
  const reply = new ReplyWriter(request, records, serviceIds.length);
  const encryption = new ChunkEncryption(request, records, privateKey);
  try {
    records.begin();
    for (const [index, serviceId] of serviceIds.entries()) {
      const ready = await encryption.run(serviceId);
      if (ready !== undefined) reply.add(index, serviceId, ready);
    }
  } finally {
    records.end();
  }
  return reply.finish();
}

/** Recipient that was encrypted for. */
interface Ready {
  /** As it is from now on, and whether that is not what the store has. */
  readonly contact: ContactRecord;
  readonly isChanged: boolean;
  readonly identityKey: Uint8Array;
  readonly devices: readonly EncryptedDevice[];
  /** Of the devices, as they are from now on. */
  readonly sessions: readonly Uint8Array[];
}

class ChunkEncryption {
  readonly #request: StoredChunkRequest;
  readonly #records: WorkerRecords;
  readonly #check: DeliveryCheck;
  readonly #contents: PlaintextVariants;
  readonly #encryption: Encryption;

  constructor(request: StoredChunkRequest, records: WorkerRecords, privateKey: OwnPrivateKey) {
    const { own, policies, profileKey, list } = request;
    const account = { aci: own.serviceId, ...(profileKey !== undefined && { profileKey }) };
    this.#request = request;
    this.#records = records;
    this.#check = new DeliveryCheck({ account: () => account, policies, list });
    this.#contents = new PlaintextVariants(request, () => account);
    this.#encryption = new Encryption(request, new TaskIdentities(privateKey, own.registrationId));
  }

  /** @returns undefined where the main thread has to look at the recipient. */
  async run(serviceId: string): Promise<Ready | undefined> {
    const found = this.#contactOf(serviceId);
    if (found === undefined) return undefined;
    const { contact } = found;
    const { identityKey } = contact;
    if (identityKey === undefined || !this.#isPlain(serviceId, contact)) return undefined;
    const plaintext = this.#contents.plaintextFor(contact);
    const devices: EncryptedDevice[] = [];
    const sessions: Uint8Array[] = [];
    for (const { deviceId } of contact.devices) {
      const step = await this.#encryption.run({
        ...{ serviceId, deviceId, plaintext, identityKey: Uint8Array.from(identityKey) },
        // libsignal copies it at once.
        record: this.#peek('session', sessionKey(serviceId, deviceId)),
        renewal: undefined,
      });
      if (step.status !== 'ok') return undefined;
      const { registrationId, type, ciphertext, session } = step;
      devices.push({ deviceId, registrationId, type, ciphertext });
      sessions.push(session);
    }
    return { ...found, identityKey, devices, sessions };
  }

  #contactOf(serviceId: string): Pick<Ready, 'contact' | 'isChanged'> | undefined {
    const bytes = this.#peek('contact', serviceId);
    if (bytes === undefined) return undefined;
    let known: ContactRecord;
    try {
      known = decodeContact(Uint8Array.from(bytes));
    } catch {
      return undefined;
    }
    // A denial that is over: the contact's mode changes.
    if (onTimePassed(known, this.#request.nowMs) !== known) return undefined;
    const addressed = onAddressed(known);
    const { profileKey } = addressed;
    // A record of an earlier version has no access key in it.
    if (profileKey === undefined || addressed.stored !== undefined)
      return { contact: addressed, isChanged: addressed !== known };
    const accessKey = accessKeyOf(addressed) ?? new Uint8Array(0);
    return { contact: { ...addressed, stored: { profileKey, accessKey } }, isChanged: true };
  }

  #isPlain(serviceId: string, contact: ContactRecord): boolean {
    const seen = { contact, revision: 0 };
    return (
      contact.needsPniSignature !== true &&
      contact.devices.length > 0 &&
      takesSealed(serviceId, contact) &&
      this.#check.isFor(contact, contact.identityKey) &&
      this.#check.stepWithoutSession(serviceId, seen, { state: 'queued' }) === 'to-encrypt'
    );
  }

  /** @returns undefined also where the value is damaged: the main thread deals with it. */
  #peek(table: 'contact' | 'session', key: string): Uint8Array<ArrayBuffer> | undefined {
    try {
      return this.#records.peek(table, key) as Uint8Array<ArrayBuffer> | undefined;
    } catch (error) {
      if (!isDamaged(error)) throw error;
      return undefined;
    }
  }
}

/** Bytes of a recipient's values, roughly: a session, a row, and seldom a contact. */
const EXPECTED_VALUE_BYTES = 6 * 1024;
const EXPECTED_KEY_BYTES = 160;
const EXPECTED_CIPHERTEXT_BYTES = 512;
const EXPECTED_CONTENT_BYTES = 1024;

/** Writes the columns of a reply as recipients come, and keeps only these. */
class ReplyWriter {
  readonly #request: StoredChunkRequest;
  readonly #records: WorkerRecords;
  readonly #profileKeyMark: string | undefined;
  readonly #ready: number[] = [];
  readonly #accessModes: number[] = [];
  readonly #profileKeys: Packer;
  readonly #accessKeys: Packer;
  readonly #identityKeys: Packer;
  readonly #deviceCounts: number[] = [];
  readonly #deviceIds: number[] = [];
  readonly #registrationIds: number[] = [];
  readonly #types: number[] = [];
  readonly #ciphertexts: Packer;
  readonly #contents: Packer;
  readonly #sealingKeys: Packer;
  readonly #owners: number[] = [];
  readonly #tables: number[] = [];
  readonly #keys: Packer;
  readonly #values: Packer;

  constructor(request: StoredChunkRequest, records: WorkerRecords, count: number) {
    this.#request = request;
    this.#records = records;
    this.#profileKeyMark = profileKeyMark(request.profileKey);
    this.#profileKeys = new Packer(count * PROFILE_KEY_BYTES);
    this.#accessKeys = new Packer(count * ACCESS_KEY_BYTES);
    this.#identityKeys = new Packer(count * (KEY_TYPE_BYTES + SEALING_KEY_BYTES));
    this.#ciphertexts = new Packer(count * EXPECTED_CIPHERTEXT_BYTES);
    this.#contents = new Packer(count * EXPECTED_CONTENT_BYTES);
    this.#sealingKeys = new Packer(count * SEALING_KEY_BYTES);
    this.#keys = new Packer(count * EXPECTED_KEY_BYTES);
    this.#values = new Packer(count * EXPECTED_VALUE_BYTES);
  }

  add(index: number, serviceId: string, ready: Ready): void {
    const { contact, isChanged, identityKey, devices, sessions } = ready;
    const { broadcastId, certificate } = this.#request;
    this.#ready.push(index);
    this.#accessModes.push(ACCESS_MODES.indexOf(contact.accessMode));
    this.#profileKeys.add(contact.profileKey);
    this.#accessKeys.add(contact.stored?.accessKey);
    this.#identityKeys.add(identityKey);
    this.#deviceCounts.push(devices.length);
    for (const [i, device] of devices.entries()) {
      const { deviceId, registrationId, type, ciphertext } = device;
      this.#deviceIds.push(deviceId);
      this.#registrationIds.push(registrationId);
      this.#types.push(CIPHERTEXT_TYPES.indexOf(type));
      this.#ciphertexts.add(ciphertext);
      if (certificate !== undefined) this.#contents.add(contentToSeal(device, certificate));
      this.#sealingKeys.add(identityKey.subarray(KEY_TYPE_BYTES));
      this.#change('session', sessionKey(serviceId, deviceId), sessions[i] ?? new Uint8Array(0));
    }
    if (isChanged) this.#change('contact', serviceId, encodeContact(contact));
    const mark = this.#profileKeyMark;
    const row = encodeOutbox({
      state: 'encrypted',
      identityKey,
      devices,
      ...(mark !== undefined && { profileKeyMark: mark }),
    });
    this.#change('outbox', outboxKey(broadcastId, serviceId), row);
  }

  #change(table: (typeof TABLES_OF_CHANGES)[number], key: string, value: Uint8Array): void {
    this.#owners.push(this.#ready.length - 1);
    this.#tables.push(TABLES_OF_CHANGES.indexOf(table));
    this.#records.pack(table, key, value, this.#keys, this.#values);
  }

  finish(): StoredChunkReply {
    return {
      ready: Uint32Array.from(this.#ready),
      accessModes: Uint8Array.from(this.#accessModes),
      profileKeys: this.#profileKeys.finish(),
      accessKeys: this.#accessKeys.finish(),
      identityKeys: this.#identityKeys.finish(),
      profileKeyMark: this.#profileKeyMark,
      deviceCounts: Uint8Array.from(this.#deviceCounts),
      deviceIds: Uint8Array.from(this.#deviceIds),
      registrationIds: Uint32Array.from(this.#registrationIds),
      types: Uint8Array.from(this.#types),
      ciphertexts: this.#ciphertexts.finish(),
      contents: this.#contents.finish(),
      sealingKeys: this.#sealingKeys.finish().bytes,
      changes: {
        owners: Uint32Array.from(this.#owners),
        tables: Uint8Array.from(this.#tables),
        keys: this.#keys.finish(),
        values: this.#values.finish(),
      },
    };
  }
}
