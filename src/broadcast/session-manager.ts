import {
  accessKeyFor,
  isSameAccess,
  maySend,
  onUnauthorized,
  type AccessEvidence,
} from '../access/access-mode.js';
import { archiveSessions } from '../runtime/records.js';
import { isOtherIdentity, onIdentityKey } from '../access/contact-identity.js';
import { SealcastError } from '../errors.js';
import { contactChange } from '../store/tables/contacts.js';
import type { EncryptedDevice } from '../store/tables/outbox.js';
import type { Change } from '../store/store.js';
import type { PreKeyBundleFields, PreKeysOutcome, Refusal } from '../transport/transport.js';
import type { BundleSetup } from '../session/protocol.js';
import type { Encryptor } from './encryptor.js';
import type { SessionSetup } from './session-setup.js';
import {
  UNREGISTERED,
  deniedError,
  failure,
  noPreKeysError,
  refusalFor,
  type EncryptedDelivery,
  type DeliveryStep,
} from './delivery.js';
import { askForEvidence } from './access-inquiry.js';
import { isSameBytes } from '../util/bytes.js';
import { ContactLook, type SeenContact } from './contact-look.js';
import type { BroadcastContext } from './context.js';
import { DeliveryCheck } from './delivery-check.js';
import { refuseIdentity, tellIdentityChange } from './identity-change.js';

/** Devices that the service says a request was wrong about. */
export type Mismatch = Extract<Refusal, { status: 'mismatched-devices' }>;

/** Rounds of a step: prekeys are denied, or a session that a look found is lost again. */
const MAX_ROUNDS = 8;

/** Rounds that encrypt without the lock, which a contact that changes all the time can spoil. */
const OPTIMISTIC_ROUNDS = 3;

/**
 * Steps with one recipient that ask the service: first sessions, devices that came and went, access
 * that was denied, accounts that are gone.
 *
 * A step asks the service, and computes first sessions, without the recipient's lock: both take
 * long, and meanwhile messages of the recipient are decrypted. With the answer the step takes the
 * lock, looks at the contact again, and uses the answer only where it still fits; it holds the lock
 * until the changes are on disk. Where the answer does not fit, the step begins again.
 */
export class SessionManager {
  readonly #id: string;
  readonly #context: BroadcastContext;
  readonly #encryptor: Encryptor;
  readonly #signal: AbortSignal;
  readonly #contacts: ContactLook;
  readonly #check: DeliveryCheck;

  constructor(id: string, context: BroadcastContext, encryptor: Encryptor, signal: AbortSignal) {
    this.#id = id;
    this.#context = context;
    this.#encryptor = encryptor;
    this.#signal = signal;
    this.#contacts = new ContactLook(context);
    this.#check = new DeliveryCheck(context);
  }

  /**
   * Begins the sessions that a recipient lacks, and encrypts the message for all devices.
   *
   * @param stranger the contact when a session was missing; if it changed since, sessions may have
   *   appeared.
   */
  establish(serviceId: string, stranger?: SeenContact): Promise<DeliveryStep> {
    return orFailure(() => this.#establish(serviceId, stranger));
  }

  async #establish(serviceId: string, stranger?: SeenContact): Promise<DeliveryStep> {
    const { guard, policies, preKeys } = this.#context;
    let triedAt = stranger?.revision;
    let seen = stranger;
    for (let round = 0; round < MAX_ROUNDS;) {
      // Thousands of first sessions begin at once: no second read where the first one still holds.
      seen = await this.#contacts.look(serviceId, seen);
      const { contact, revision } = seen;
      const refused = refusalFor(serviceId, contact, this.#context);
      if (refused !== undefined) return refused;
      const mayHaveSessions =
        contact.devices.length > 0 && this.#check.isFor(contact, contact.identityKey);
      if (mayHaveSessions && (triedAt === undefined || !guard.isCurrent(serviceId, triedAt))) {
        const { steps, strangers } = await this.#encryptor.encryptChunk([serviceId], false);
        const step = steps.get(serviceId);
        if (strangers.length === 0 && step !== undefined) return step;
      }
      triedAt = revision;
      const accessKey = accessKeyFor(serviceId, contact);
      if (!maySend(accessKey !== null, policies)) return failure(deniedError(serviceId));
      const answer = await preKeys.fetchAll(serviceId, accessKey, revision, this.#signal);
      // The contact was changed before the request could begin.
      if (answer === undefined) continue;
      round += 1;
      if (answer.status === 'not-found') return this.#markUnregistered(serviceId);
      if (answer.status === 'unauthorized' && accessKey !== null) {
        const denied = await this.#deny(serviceId, seen);
        if (denied !== undefined) return denied;
        continue;
      }
      if (answer.status !== 'ok') return { kind: 'refused', refusal: answer };
      const step = await this.#begin(serviceId, seen, answer, round > OPTIMISTIC_ROUNDS);
      if (step !== undefined) return step;
    }
    return failure(noPreKeysError(serviceId, 'the contact changed each time'));
  }

  /**
   * Begins sessions with the devices of all bundles; devices that have none are gone.
   *
   * @returns undefined where the answer no longer fits the contact, or its bundles are used.
   */
  async #begin(
    serviceId: string,
    seen: SeenContact,
    answer: Extract<PreKeysOutcome, { status: 'ok' }>,
    holdsLock: boolean,
  ): Promise<DeliveryStep | undefined> {
    const { policies, preKeys } = this.#context;
    const { identityKey, bundles } = answer;
    const now = await this.#contacts.look(serviceId, seen);
    const { contact } = now;
    const refused = refusalFor(serviceId, contact, this.#context);
    if (refused !== undefined) return refused;
    if (bundles.length === 0) return failure(noPreKeysError(serviceId));
    const isChanged = isOtherIdentity(contact, identityKey);
    // The key came while the answer was on its way: the next answer tells which one is newer.
    if (isChanged && !isSameBytes(contact.identityKey, seen.contact.identityKey)) return undefined;
    const known = onIdentityKey(contact, identityKey, policies.onIdentityChange);
    if (isChanged && known.identityKey === contact.identityKey)
      return refuseIdentity(serviceId, now, known, this.#context);
    const devices = new Map(
      bundles.map((bundle): [number, BundleSetup] => [
        bundle.deviceId,
        { bundle, renew: isChanged },
      ]),
    );
    const setup: SessionSetup = {
      serviceId,
      contact: known,
      revision: now.revision,
      devices,
      kept: [],
      keptMark: undefined,
      // A device that came meanwhile is in no bundle.
      retired: seen.contact.devices
        .map(({ deviceId }) => deviceId)
        .filter((deviceId) => !devices.has(deviceId)),
      lock: holdsLock ? 'encrypt-and-commit' : 'commit',
    };
    const step = await preKeys.use(answer, () => this.#encryptor.encryptWith(setup), this.#signal);
    if (isChanged && step?.kind === 'encrypted') tellIdentityChange(serviceId, this.#context);
    return step;
  }

  /**
   * After a 409 or 410: archives extra and stale sessions, begins missing ones, and encrypts for
   * those devices alone.
   */
  repairDevices(delivery: EncryptedDelivery, mismatch: Mismatch): Promise<DeliveryStep> {
    return orFailure(() => this.#repairDevices(delivery, mismatch));
  }

  async #repairDevices(delivery: EncryptedDelivery, mismatch: Mismatch): Promise<DeliveryStep> {
    const { policies, preKeys } = this.#context;
    const { serviceId } = delivery;
    const { missing, extra, stale } = mismatch;
    const wanted = [...new Set([...missing, ...stale])].filter(
      (deviceId) => !extra.includes(deviceId),
    );
    const [only] = wanted;
    const device = wanted.length === 1 && only !== undefined ? only : 'all';
    for (let round = 0; round < MAX_ROUNDS;) {
      const seen = await this.#contacts.look(serviceId);
      const { contact, revision } = seen;
      const refused = refusalFor(serviceId, contact, this.#context);
      if (refused !== undefined) return refused;
      if (!this.#check.isUsable(contact, delivery)) return this.#establish(serviceId);
      if (wanted.length === 0) {
        round += 1;
        const step = await this.#patch(delivery, mismatch, [], round > OPTIMISTIC_ROUNDS);
        if (step !== undefined) return step;
        continue;
      }
      const accessKey = accessKeyFor(serviceId, contact);
      if (!maySend(accessKey !== null, policies)) return failure(deniedError(serviceId));
      const request = { destination: serviceId, device, accessKey } as const;
      const answer = await preKeys.fetch(request, revision, this.#signal);
      if (answer === undefined) continue;
      round += 1;
      // The devices just listed are gone again already: the next round tells which there are.
      const isGone = answer.status === 'not-found';
      if (answer.status !== 'ok' && !isGone) return { kind: 'refused', refusal: answer };
      if (!isGone && isOtherIdentity(contact, answer.identityKey))
        return this.#reestablish(serviceId, accessKey, seen, answer);
      const bundles = isGone
        ? []
        : answer.bundles.filter(({ deviceId }) => wanted.includes(deviceId));
      const step = await this.#patch(delivery, mismatch, bundles, round > OPTIMISTIC_ROUNDS);
      if (step !== undefined) return step;
    }
    return failure(noPreKeysError(serviceId, 'the contact changed each time'));
  }

  /**
   * Encrypts for the devices of the bundles, and keeps the ciphertexts of the others.
   *
   * @returns undefined where the contact changed, or the delivery is for another identity key or
   *   carries another profile key.
   */
  async #patch(
    delivery: EncryptedDelivery,
    { missing, extra, stale }: Mismatch,
    bundles: readonly PreKeyBundleFields[],
    holdsLock: boolean,
  ): Promise<DeliveryStep | undefined> {
    const { serviceId, identityKey, devices, profileKeyMark: keptMark } = delivery;
    const dropped = new Set([...missing, ...stale, ...extra]);
    const encrypt = async (lock: SessionSetup['lock']): Promise<DeliveryStep | undefined> => {
      const { contact, revision } = await this.#contacts.look(serviceId);
      const refused = refusalFor(serviceId, contact, this.#context);
      if (refused !== undefined) return refused;
      if (!this.#check.isUsable(contact, delivery)) return undefined;
      const renewals = bundles.map((bundle): [number, BundleSetup] => [
        bundle.deviceId,
        { bundle, renew: isStale(delivery, bundle, stale) },
      ]);
      return this.#encryptor.encryptWith({
        serviceId,
        contact: { ...contact, identityKey },
        revision,
        devices: new Map(renewals),
        kept: devices.filter(({ deviceId }) => !dropped.has(deviceId)),
        keptMark,
        retired: extra,
        lock,
      });
    };
    // Other broadcasts may repair the same devices in the same moment: with the lock held from the
    // look at the contact on, each of them has its turn.
    return holdsLock
      ? this.#context.locks.with([serviceId], () => encrypt('held-by-caller'))
      : encrypt('commit');
  }

  /** Begins again with another identity key: all ciphertexts for the old one are worthless. */
  async #reestablish(
    serviceId: string,
    accessKey: Uint8Array<ArrayBuffer> | null,
    seen: SeenContact,
    answer: Extract<PreKeysOutcome, { status: 'ok' }>,
  ): Promise<DeliveryStep> {
    const all = await this.#context.preKeys.fetchAll(
      serviceId,
      accessKey,
      seen.revision,
      this.#signal,
    );
    if (all !== undefined && all.status !== 'ok' && all.status !== 'not-found')
      return { kind: 'refused', refusal: all };
    const step =
      all && (await this.#begin(serviceId, seen, all.status === 'ok' ? all : answer, false));
    return step ?? this.#establish(serviceId);
  }

  /**
   * After a 401 or 403: tries again with access that came meanwhile, or with the evidence of the
   * contact's profile, or ends the delivery, for the service answers the same for accounts that do
   * not exist.
   */
  onUnauthorized(delivery: EncryptedDelivery): Promise<DeliveryStep> {
    const { serviceId, access } = delivery;
    return orFailure(async () => {
      const seen = await this.#contacts.look(serviceId);
      const denied = isSameAccess(access, seen.contact)
        ? await this.#deny(serviceId, seen)
        : undefined;
      return denied ?? this.refresh(delivery);
    });
  }

  /**
   * Stores the meaning of one denial for the contact's access mode.
   *
   * @returns undefined where the delivery goes on with that.
   */
  async #deny(serviceId: string, seen: SeenContact): Promise<DeliveryStep | undefined> {
    const { outbox } = this.#context;
    let evidence: AccessEvidence | undefined;
    if (
      onUnauthorized(seen.contact, seen.contact, undefined, this.#context.clock.now()) === 'ask'
    ) {
      const asked = await askForEvidence(serviceId, seen.revision, this.#context, this.#signal);
      if (asked.kind === 'unregistered') return this.#markUnregistered(serviceId);
      if (asked.kind === 'refused') return asked;
      if (asked.kind === 'changed') return undefined;
      evidence = asked.evidence;
    }
    return this.#contacts.withCurrent(serviceId, async (contact) => {
      const known = onUnauthorized(contact, seen.contact, evidence, this.#context.clock.now());
      if (known !== 'ask' && known !== contact)
        await outbox.commit([contactChange(serviceId, known)]);
      return undefined;
    });
  }

  /** Updates a delivery to its contact's present access and identity key, or ends it. */
  async refresh(delivery: EncryptedDelivery): Promise<DeliveryStep> {
    const { serviceId } = delivery;
    const { contact, revision } = await this.#contacts.look(serviceId);
    const refused = refusalFor(serviceId, contact, this.#context);
    if (refused !== undefined) return refused;
    if (!this.#check.isUsable(contact, delivery)) return this.establish(serviceId);
    return { kind: 'encrypted', delivery: { ...delivery, access: contact, revision } };
  }

  /** Loads a delivery's ciphertexts from the outbox, or encrypts again where they do not fit. */
  async reload(serviceId: string): Promise<DeliveryStep> {
    const { outbox, resends } = this.#context;
    const [seen, [row]] = await Promise.all([
      this.#contacts.look(serviceId),
      outbox.rows(this.#id, [serviceId]),
    ]);
    const refused = refusalFor(serviceId, seen.contact, this.#context);
    if (refused !== undefined) return refused;
    if (row instanceof SealcastError) return failure(row);
    const delivery = this.#check.deliveryOf(serviceId, seen, row);
    if (delivery !== undefined) return { kind: 'encrypted', delivery };
    resends.answering(this.#id, serviceId);
    return this.establish(serviceId);
  }

  /** After a 404: archives the sessions, so that a message that comes late can still be read. */
  markUnregistered(serviceId: string): Promise<DeliveryStep> {
    return orFailure(() => this.#markUnregistered(serviceId));
  }

  #markUnregistered(serviceId: string): Promise<DeliveryStep> {
    return this.#context.locks.with([serviceId], async () => {
      const contact = await this.#context.outbox.contact(serviceId);
      const devices = contact.devices.map(({ deviceId }) => deviceId);
      const changes = await this.#archive(serviceId, devices);
      if (devices.length > 0) changes.push(contactChange(serviceId, { ...contact, devices: [] }));
      await this.#context.outbox.commit(changes);
      return UNREGISTERED;
    });
  }

  #archive(serviceId: string, deviceIds: readonly number[]): Promise<Change[]> {
    const { outbox, sessionClient } = this.#context;
    return archiveSessions(outbox, sessionClient, serviceId, deviceIds);
  }
}

/** Makes an argument that the transport or libsignal refuses the recipient's own failure. */
async function orFailure(work: () => Promise<DeliveryStep>): Promise<DeliveryStep> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SealcastError && error.code === 'ERR_INVALID_ARGUMENT')
      return failure(error);
    throw error;
  }
}

/** Whether to replace even a session that looks good: not if it was replaced since it encrypted. */
function isStale(
  { devices }: EncryptedDelivery,
  { deviceId, registrationId }: PreKeyBundleFields,
  stale: readonly number[],
): boolean {
  const encrypted: EncryptedDevice | undefined = devices.find(
    (device) => device.deviceId === deviceId,
  );
  return stale.includes(deviceId) && encrypted?.registrationId === registrationId;
}
