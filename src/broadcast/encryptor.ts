import { onAddressed } from '../access/unanswered.js';
import type { SealcastError } from '../errors.js';
import { archiveSessions } from '../runtime/records.js';
import type { BundleSetup } from '../session/protocol.js';
import {
  type ContactRecord,
  type Device,
  type FoundContact,
  contactChange,
  isReadable,
} from '../store/tables/contacts.js';
import type { EncryptedDevice } from '../store/tables/outbox.js';
import type { Change } from '../store/store.js';
import type { BroadcastRecord } from '../store/tables/broadcasts.js';
import { PlaintextVariants } from './plaintext-variants.js';
import type { ChunkSteps, SessionSetup, Stranger } from './session-setup.js';
import { StoredEncryptor } from './stored/stored-encryptor.js';
import { sessionChange, sessionKey } from '../store/tables/sessions.js';
import {
  encryptionError,
  failure,
  noPreKeysError,
  stateOf,
  type DeliveryRows,
  type EncryptedDelivery,
  type DeliveryStep,
} from './delivery.js';
import type { Encrypted, EncryptInput } from '../session/session-client.js';
import type { SharedOutputs } from '../session/shared-encryption.js';
import { isSameBytes } from '../util/bytes.js';
import type { BroadcastContext } from './context.js';
import { DeliveryCheck } from './delivery-check.js';

interface SetupEncryption extends SharedOutputs {
  readonly ids: readonly number[];
  /** Revision before the sessions were read, see `SendGuard`. */
  readonly readAt: number;
  /** Of the profile key that the ciphertexts carry. */
  readonly profileKeyMark: string | undefined;
}

/** Output of an encryption for one recipient. */
interface EncryptedParts {
  readonly serviceId: string;
  readonly contact: ContactRecord;
  /** Revision at which the contact was read, see `SendGuard`. */
  readonly revision: number;
  /** Devices of the outputs, in their order. */
  readonly devices: readonly Device[];
  readonly outputs: readonly Encrypted[];
  /** Devices of an earlier encryption that keep their ciphertexts. */
  readonly kept: readonly EncryptedDevice[];
  /** Of the profile key that all of them carry. */
  readonly profileKeyMark: string | undefined;
  /** The recipient's changes are added here. */
  readonly changes: Change[];
}

export interface EncryptorOptions {
  readonly id: string;
  readonly record: BroadcastRecord;
  readonly context: BroadcastContext;
  readonly rows: DeliveryRows;
}

/**
 * Encrypts for recipients, to ciphertexts that are on the disk. Sessions and ciphertexts are
 * committed in one transaction, and the locks held until it is flushed: nothing made with a session
 * leaves before the session that made it is safe.
 */
export class Encryptor {
  readonly #id: string;
  readonly #context: BroadcastContext;
  readonly #contents: PlaintextVariants;
  readonly #rows: DeliveryRows;
  readonly #check: DeliveryCheck;
  readonly #stored: StoredEncryptor | undefined;

  constructor({ id, context, record, rows }: EncryptorOptions) {
    this.#rows = rows;
    this.#id = id;
    this.#context = context;
    this.#contents = new PlaintextVariants(record, context.account, () => context.pniSignature());
    this.#check = new DeliveryCheck(context);
    this.#stored = StoredEncryptor.on({ id, context, record, rows });
  }

  /**
   * Encrypts for recipients that are new in the outbox, and seals for most of them.
   *
   * The caller holds no locks.
   */
  async encryptNew(serviceIds: readonly string[]): Promise<ChunkSteps> {
    const stored = this.#stored;
    if (stored === undefined) return this.encryptChunk(serviceIds, true);
    const { encrypted, others } = await this.#context.locks.with(serviceIds, async () => {
      const { encrypted, left } = await stored.encrypt(serviceIds);
      const others = left.length === 0 ? undefined : await this.#encryptHeld(left, true);
      return { encrypted, others };
    });
    const steps = new Map(others?.steps);
    for (const { delivery, sealed: seal } of encrypted) {
      const sealed = await seal();
      steps.set(delivery.serviceId, {
        kind: 'encrypted',
        delivery,
        ...(sealed !== undefined && { sealed }),
      });
    }
    return { steps, strangers: others?.strangers ?? [] };
  }

  /**
   * Encrypts for all recipients that have sessions. The caller holds no locks.
   *
   * @param fresh none of the recipients has a row but `queued`.
   */
  encryptChunk(serviceIds: readonly string[], fresh: boolean): Promise<ChunkSteps> {
    return this.#context.locks.with(serviceIds, () => this.#encryptHeld(serviceIds, fresh));
  }

  /** The caller holds the locks. */
  async #encryptHeld(serviceIds: readonly string[], fresh: boolean): Promise<ChunkSteps> {
    const { outbox, guard } = this.#context;
    const [contacts, rows] = await Promise.all([
      this.#address(serviceIds),
      fresh ? [] : outbox.rows(this.#id, serviceIds),
    ]);
    // Of the contacts as they are now: the locks are held.
    const { revision } = guard;
    const steps = new Map<string, DeliveryStep | undefined>();
    const ready: { serviceId: string; contact: ContactRecord }[] = [];
    const strangers: Stranger[] = [];
    serviceIds.forEach((serviceId, i) => {
      const contact = contacts[i];
      const row = rows[i];
      if (contact === undefined) throw new RangeError('a contact for each service id');
      if (stateOf(row) !== 'done') this.#rows.begin(serviceId, row);
      if (row instanceof Error || !isReadable(contact)) {
        const error = row instanceof Error ? row : (contact as SealcastError);
        steps.set(serviceId, stateOf(row) === 'done' ? undefined : failure(error));
        return;
      }
      const known = this.#check.stepWithoutSession(serviceId, { contact, revision }, row);
      if (known !== 'to-encrypt') steps.set(serviceId, known);
      else if (contact.devices.length === 0 || !this.#check.isFor(contact, contact.identityKey))
        strangers.push({ serviceId, contact, revision });
      else ready.push({ serviceId, contact });
    });
    const encrypted = await this.#encryptReady(ready, revision);
    for (const { serviceId, contact } of ready) {
      const step = encrypted.get(serviceId);
      if (step === 'stranger') strangers.push({ serviceId, contact, revision });
      else steps.set(serviceId, step);
    }
    return { steps, strangers };
  }

  /**
   * Reads the contacts, and notes that a broadcast goes to them, before anything is encrypted: from
   * then on they are not dropped, however their deliveries end. The caller holds the locks.
   */
  async #address(serviceIds: readonly string[]): Promise<readonly FoundContact[]> {
    const { outbox } = this.#context;
    const contacts = await outbox.findContacts(serviceIds);
    const addressed = contacts.map((contact) =>
      isReadable(contact) ? onAddressed(contact) : contact,
    );
    const changes = serviceIds.flatMap((serviceId, i) => {
      const contact = addressed[i];
      return contact === undefined || !isReadable(contact) || contact === contacts[i]
        ? []
        : [contactChange(serviceId, contact)];
    });
    await outbox.commit(changes);
    return addressed;
  }

  async #encryptReady(
    ready: readonly { readonly serviceId: string; readonly contact: ContactRecord }[],
    revision: number,
  ): Promise<Map<string, DeliveryStep | 'stranger'>> {
    const { clock, outbox, sessionClient, telemetry } = this.#context;
    const addresses = ready.flatMap(({ serviceId, contact }) =>
      contact.devices.map(({ deviceId }) => sessionKey(serviceId, deviceId)),
    );
    const records = await outbox.sessions(addresses);
    const inputs: EncryptInput[] = [];
    // Of the very key that the plaintexts carry: nothing is waited for in between.
    const { profileKeyMark } = this.#contents;
    for (const { serviceId, contact } of ready) {
      for (const { deviceId } of contact.devices) {
        inputs.push(this.#inputFor(serviceId, contact, deviceId, records[inputs.length]));
      }
    }
    const startMs = clock.monotonicMs();
    const outputs = await sessionClient.encrypt(inputs);
    const encryptedMs = clock.monotonicMs();

    const steps = new Map<string, DeliveryStep | 'stranger'>();
    const changes: Change[] = [];
    let at = 0;
    for (const { serviceId, contact } of ready) {
      const own = outputs.slice(at, at + contact.devices.length);
      at += contact.devices.length;
      if (own.some(({ status }) => status === 'no-session')) {
        // The new states of its other devices' sessions are dropped with their ciphertexts.
        steps.set(serviceId, 'stranger');
        continue;
      }
      steps.set(
        serviceId,
        this.#keep({
          ...{ serviceId, contact, revision, profileKeyMark, changes },
          devices: contact.devices,
          outputs: own,
          kept: [],
        }),
      );
    }
    await outbox.commit(changes);
    telemetry.publish('stage', {
      id: this.#id,
      stage: 'ratchet',
      recipients: ready.length,
      durationMs: encryptedMs - startMs,
    });
    telemetry.publish('stage', {
      id: this.#id,
      stage: 'store',
      recipients: ready.length,
      durationMs: clock.monotonicMs() - encryptedMs,
    });
    return steps;
  }

  #inputFor(
    serviceId: string,
    contact: ContactRecord,
    deviceId: number,
    session: Uint8Array<ArrayBuffer> | undefined,
    renewal?: BundleSetup,
  ): EncryptInput {
    return {
      serviceId,
      deviceId,
      plaintext: this.#contents.plaintextFor(contact),
      // A recipient without an identity key is a stranger; any other one got it with its first
      // session.
      identityKey: contact.identityKey ?? new Uint8Array(0),
      session,
      renewal,
    };
  }

  /**
   * Begins sessions where the setup says so, and encrypts for its devices. Commits both together
   * with the ciphertexts that it keeps of an earlier encryption.
   *
   * X25519 and ML-KEM of a first session take a worker milliseconds, and behind other jobs much
   * longer. So the workers encrypt without the recipient's lock, and messages from the recipient
   * are decrypted meanwhile. With the lock, the contact and the sessions must be those that were
   * encrypted with; if not, the result is dropped: it never left, and no key of it was kept.
   *
   * @returns undefined where the contact or a session changed meanwhile; nothing was kept.
   */
  async encryptWith(setup: SessionSetup): Promise<DeliveryStep | undefined> {
    const { locks } = this.#context;
    const encryptAndCommit = async (): Promise<DeliveryStep | undefined> =>
      this.#commitSetup(setup, await this.#encryptSetup(setup));
    if (setup.lock === 'held-by-caller') return encryptAndCommit();
    if (setup.lock === 'encrypt-and-commit') return locks.with([setup.serviceId], encryptAndCommit);
    const encrypted = await this.#encryptSetup(setup);
    return locks.with([setup.serviceId], () => this.#commitSetup(setup, encrypted));
  }

  async #encryptSetup({ serviceId, contact, devices }: SessionSetup): Promise<SetupEncryption> {
    const { firstSessions, guard } = this.#context;
    const ids = [...devices.keys()];
    const readAt = guard.revision;
    let profileKeyMark: string | undefined;
    const encrypted = await firstSessions.encrypt({
      addresses: ids.map((deviceId) => sessionKey(serviceId, deviceId)),
      inputFor: (i, session) => {
        const deviceId = ids[i] ?? 0;
        // Inputs of one recipient are made in one step, so one key is in all of them.
        ({ profileKeyMark } = this.#contents);
        return this.#inputFor(serviceId, contact, deviceId, session, devices.get(deviceId));
      },
    });
    return { ids, readAt, profileKeyMark, ...encrypted };
  }

  /**
   * Commits the ciphertexts, if contact and sessions are still the ones of the encryption. The
   * caller holds the lock.
   */
  async #commitSetup(
    setup: SessionSetup,
    { ids, readAt, sessions, outputs, profileKeyMark }: SetupEncryption,
  ): Promise<DeliveryStep | undefined> {
    const { outbox, sessionClient, guard } = this.#context;
    const { serviceId, contact, revision, kept, keptMark, retired } = setup;
    if (!guard.isCurrent(serviceId, revision)) return undefined;
    // The profile key was replaced between the two encryptions.
    if (kept.length > 0 && ids.length > 0 && keptMark !== profileKeyMark) return undefined;
    // Where nothing wrote a session since, the sessions are not read again.
    if (!guard.areSessionsCurrent(serviceId, readAt)) {
      const current = await outbox.sessions(ids.map((deviceId) => sessionKey(serviceId, deviceId)));
      if (current.some((session, i) => !isSameBytes(session, sessions[i]))) return undefined;
    }
    const changes = await archiveSessions(outbox, sessionClient, serviceId, retired);
    const devices = ids.map((deviceId, i) => ({
      deviceId,
      registrationId: outputs[i]?.registrationId ?? 0,
    }));
    const step = this.#keep({
      ...{ serviceId, contact, revision, devices, outputs, kept, changes },
      profileKeyMark: ids.length > 0 ? profileKeyMark : keptMark,
    });
    if (step.kind !== 'encrypted') return step;
    const known: Device[] = step.delivery.devices.map(({ deviceId, registrationId }) => ({
      deviceId,
      registrationId,
    }));
    changes.push(contactChange(serviceId, { ...onAddressed(contact), devices: known }));
    await outbox.commit(changes);
    // The lock is held, so the contact's latest change is the one just committed.
    return { kind: 'encrypted', delivery: { ...step.delivery, revision: guard.revision } };
  }

  /** Adds a recipient's ciphertexts and sessions to the changes, or says why there are none. */
  #keep({
    serviceId,
    contact,
    revision,
    devices,
    outputs,
    kept,
    profileKeyMark,
    changes,
  }: EncryptedParts): DeliveryStep {
    const encrypted: EncryptedDevice[] = [...kept];
    const sessions: Change[] = [];
    for (const [i, { deviceId }] of devices.entries()) {
      const output = outputs[i];
      if (output?.session === undefined || output.ciphertext === undefined) {
        const error =
          output?.status === 'bad-bundle' || output?.status === 'no-session'
            ? noPreKeysError
            : encryptionError;
        return failure(error(serviceId, output?.reason));
      }
      const { registrationId, type, ciphertext, session } = output;
      encrypted.push({ deviceId, registrationId, type, ciphertext });
      sessions.push(sessionChange(serviceId, deviceId, session));
    }
    const identityKey = contact.identityKey ?? new Uint8Array(0);
    changes.push(
      ...sessions,
      this.#rows.encrypted(serviceId, identityKey, encrypted, profileKeyMark),
    );
    const delivery: EncryptedDelivery = {
      serviceId,
      access: contact,
      revision,
      identityKey,
      devices: encrypted,
      profileKeyMark,
    };
    return { kind: 'encrypted', delivery };
  }
}
