/*
 * Delivery of one broadcast to one recipient: its states, its transitions, and the only code that
 * changes its row (table `outbox`). The lint rules refuse such a change in any other file.
 *
 * | state     | the row has                         | what `resume()` does with it                |
 * | --------- | ----------------------------------- | ------------------------------------------- |
 * | none      | -                                   | nothing: not a recipient of this broadcast, |
 * |           |                                     | or pruned                                   |
 * | queued    | -                                   | encrypts and sends                          |
 * | encrypted | identity key, ciphertext per device | sends these ciphertexts; a receiver drops a |
 * |           |                                     | copy of one that came before. Where they    |
 * |           |                                     | carry a profile key that was replaced:      |
 * |           |                                     | encrypts and sends; clients drop a message  |
 * |           |                                     | whose timestamp they have                   |
 * | done      | status, error code                  | nothing                                     |
 * | damaged   | bytes that cannot be read           | ends it as failed (ERR_STORE_FAILED): the   |
 * |           |                                     | message may have left, or may not           |
 *
 * | event     | from                    | to        | made by, and the rest of its commit         |
 * | --------- | ----------------------- | --------- | ------------------------------------------- |
 * | added     | none                    | queued    | ingest                                      |
 * | encrypted | queued, encrypted       | encrypted | Encryptor, with the sessions that changed;  |
 * |           |                         |           | from `encrypted` after a repair of devices, |
 * |           |                         |           | for another identity key, or with another   |
 * |           |                         |           | profile key                                 |
 * | ended     | queued, encrypted,      | done      | OutcomeWriter, with the access mode that    |
 * |           | damaged                 |           | the send proved                             |
 * | requested | encrypted, done         | queued    | ResendQueue for a retry request, with the   |
 * |           |                         |           | rest of the request's envelope              |
 * | overtaken | queued, encrypted       | queued    | in place of `encrypted` and `ended` where a |
 * |           |                         |           | retry request came meanwhile                |
 * | pruned    | queued, encrypted,      | none      | Outbox.prune                                |
 * |           | done, damaged           |           |                                             |
 *
 * | status of done | how the delivery ended                                                      |
 * | -------------- | --------------------------------------------------------------------------- |
 * | sealed         | the service accepted the sealed message                                     |
 * | unsealed       | the service accepted the message unsealed: the contact accepts none sealed, |
 * |                | and the policy allows it                                                    |
 * | unregistered   | the account is gone (404); its sessions are archived first, so that a late  |
 * |                | message can still be read                                                   |
 * | failed         | for this recipient alone; the error code says why, see the functions below  |
 *
 * ResendQueue is in `runtime`, as requests come in without a Broadcaster too; it imports this file
 * for its transition. Commits order `requested` and the changes of a run: the step that calls
 * commit asks whether a request came meanwhile. Any other pair of state and event is a fault of
 * this library: it throws, so that the run neither sends nor records anything twice.
 */
import { takesSealed, type Access } from '../access/access-mode.js';
import type { SenderCertificate } from '../access/sender-certificate.js';
import { SealcastError } from '../errors.js';
import { isDamaged } from '../store/damage.js';
import {
  rowChange,
  type DeliveryStatus,
  type EncryptedDevice,
  type FoundRow,
  type OutboxRecord,
} from '../store/tables/outbox.js';
import type { Change } from '../store/store.js';
import type { ContactRecord } from '../store/tables/contacts.js';
import type { Refusal } from '../transport/transport.js';

/** State of a delivery; `none` where there is no row, `damaged` where it cannot be read. */
export type DeliveryState = OutboxRecord['state'] | 'none' | 'damaged';

export type DeliveryEvent = 'added' | 'encrypted' | 'ended' | 'requested' | 'overtaken' | 'pruned';

const TRANSITIONS: Readonly<
  Record<DeliveryEvent, { readonly from: readonly DeliveryState[]; readonly to: DeliveryState }>
> = {
  added: { from: ['none'], to: 'queued' },
  encrypted: { from: ['queued', 'encrypted'], to: 'encrypted' },
  ended: { from: ['queued', 'encrypted', 'damaged'], to: 'done' },
  requested: { from: ['encrypted', 'done'], to: 'queued' },
  overtaken: { from: ['queued', 'encrypted'], to: 'queued' },
  pruned: { from: ['queued', 'encrypted', 'done', 'damaged'], to: 'none' },
};

/**
 * State after the event.
 *
 * @throws RangeError for a pair that the table above does not have.
 */
export function nextState(state: DeliveryState, event: DeliveryEvent): DeliveryState {
  const { from, to } = TRANSITIONS[event];
  if (!from.includes(state)) throw new RangeError(`a delivery that is ${state} cannot be ${event}`);
  return to;
}

/** State of a row as the store has it. */
export const stateOf = (row: FoundRow): DeliveryState =>
  row instanceof Error ? 'damaged' : (row?.state ?? 'none');

/** Change for `added`. @param row as the store has it */
export function addedChange(id: string, serviceId: string, row: OutboxRecord | undefined): Change {
  nextState(stateOf(row), 'added');
  return rowChange(id, serviceId, { state: 'queued' });
}

/** Change for `requested`. @param row as the store has it */
export function requestedChange(id: string, serviceId: string, row: OutboxRecord): Change {
  nextState(stateOf(row), 'requested');
  return rowChange(id, serviceId, { state: 'queued' });
}

/** Change for `pruned`. @param row as the store has it */
export function prunedChange(
  id: string,
  serviceId: string,
  row: OutboxRecord | SealcastError,
): Change {
  nextState(stateOf(row), 'pruned');
  return rowChange(id, serviceId, null);
}

/** Error codes of deliveries that ended before anything was sent. */
const NEVER_SENT: ReadonlySet<string | undefined> = new Set([
  'ERR_RECIPIENT_BLOCKED',
  'ERR_RECIPIENT_UNSUBSCRIBED',
  'ERR_RECIPIENT_INVALID',
]);

/** Whether the recipient may have the message, whatever the service answered. */
export const mayHaveArrived = (row: OutboxRecord): boolean =>
  row.state !== 'done' || !NEVER_SENT.has(row.errorCode);

/** View of the retry requests for a run that encrypts and records. */
export interface ResendRequests {
  /**
   * Whether the recipient asked for the message after the run encrypted it: its row stays `queued`.
   */
  isRequested(id: string, serviceId: string): boolean;
  /**
   * A run encrypts for the recipient from now on, with the session as it is now: this answers
   * earlier requests.
   */
  answering(id: string, serviceId: string): void;
}

/**
 * Rows of the recipients that one run has in work: makes the changes for `encrypted` and `ended`,
 * and for `overtaken`.
 */
export class DeliveryRows {
  readonly #id: string;
  readonly #resends: ResendRequests;
  readonly #states = new Map<string, DeliveryState>();

  constructor(id: string, resends: ResendRequests) {
    this.#id = id;
    this.#resends = resends;
  }

  /**
   * Begins or restarts work on a recipient. The message is encrypted with the session as it is from
   * here on, or is not sent, so retry requests of before are answered.
   *
   * @param row as the store has it, not `done`. A row that the store lost is written again: the
   *   recipient belongs to the broadcast.
   */
  begin(serviceId: string, row: FoundRow): void {
    const state = row === undefined ? 'queued' : stateOf(row);
    if (state !== 'encrypted') this.#resends.answering(this.#id, serviceId);
    this.#states.set(serviceId, state);
  }

  /**
   * Change that keeps what was encrypted. A recipient that asked for the message meanwhile cannot
   * read it: the row stays `queued`, so that the message is encrypted again after a crash.
   *
   * @param identityKey the ciphertexts are for it, 33 bytes
   * @param profileKeyMark of the profile key that they carry; undefined: they carry none.
   */
  encrypted(
    serviceId: string,
    identityKey: Uint8Array,
    devices: readonly EncryptedDevice[],
    profileKeyMark?: string,
  ): Change {
    return this.#change(serviceId, 'encrypted', {
      state: 'encrypted',
      identityKey,
      devices,
      ...(profileKeyMark !== undefined && { profileKeyMark }),
    });
  }

  /**
   * As {@link DeliveryRows.encrypted}, where a worker made the change of a `queued` row.
   *
   * @returns `stays` where the row is not to be changed: the recipient asked for the message
   *   meanwhile.
   */
  encryptedAsStored(serviceId: string): 'stays' | 'changes' {
    const isRequested = this.#resends.isRequested(this.#id, serviceId);
    const state = this.#states.get(serviceId) ?? 'none';
    this.#states.set(serviceId, nextState(state, isRequested ? 'overtaken' : 'encrypted'));
    return isRequested ? 'stays' : 'changes';
  }

  /** Change that records the end. The caller commits it in the same step: see `overtaken`. */
  ended({ recipient, status, error }: Delivery): Change {
    const errorCode = error === undefined ? {} : { errorCode: error.code };
    const change = this.#change(recipient, 'ended', { state: 'done', status, ...errorCode });
    this.#states.delete(recipient);
    return change;
  }

  #change(serviceId: string, event: 'encrypted' | 'ended', row: OutboxRecord): Change {
    const state = this.#states.get(serviceId) ?? 'none';
    const isRequested = this.#resends.isRequested(this.#id, serviceId);
    const next = nextState(state, isRequested ? 'overtaken' : event);
    this.#states.set(serviceId, next);
    return rowChange(this.#id, serviceId, isRequested ? { state: 'queued' } : row);
  }
}

/** How the delivery to a recipient ended. */
export interface Delivery {
  /** Service id. */
  readonly recipient: string;
  readonly status: DeliveryStatus;
  /** Why it failed. */
  readonly error?: SealcastError;
}

/** Recipients whose delivery has ended, by status. */
export type Counts = Record<DeliveryStatus, number>;

/** Message for one recipient: encrypted, committed, and not sealed yet. */
export interface EncryptedDelivery {
  readonly serviceId: string;
  /** Access of the contact when it was last read. */
  readonly access: Access;
  /** Of the contact, when access and identity key were read: see `SendGuard`. */
  readonly revision: number;
  /** 33 bytes */
  readonly identityKey: Uint8Array;
  readonly devices: readonly EncryptedDevice[];
  /** Of the profile key that the ciphertexts carry; absent: they carry none. */
  readonly profileKeyMark?: string | undefined;
}

/** Envelopes of a recipient, one a device; none where the message is sent unsealed. */
export interface Sealed {
  readonly certificate: SenderCertificate | undefined;
  readonly envelopes: readonly Uint8Array<ArrayBuffer>[];
}

/**
 * Result of a step with a recipient. Between `encrypted` and `ended` a run takes as many steps as
 * the service's answers ask for.
 */
export type DeliveryStep =
  | {
      readonly kind: 'encrypted';
      readonly delivery: EncryptedDelivery;
      /** Where it is sealed already. */
      readonly sealed?: Sealed;
    }
  | EndedStep
  /** The service could not do it now. */
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** End of a delivery, not recorded yet. */
export interface EndedStep {
  readonly kind: 'ended';
  readonly status: DeliveryStatus;
  readonly error?: SealcastError;
  /** Access that a sealed message was accepted with. */
  readonly sealedWith?: Access;
}

/** Status of a message that the service accepted with this access. */
export const acceptedStatus = (serviceId: string, access: Access): 'sealed' | 'unsealed' =>
  takesSealed(serviceId, access) ? 'sealed' : 'unsealed';

/** The service accepted the message. */
export function accepted({ serviceId, access }: EncryptedDelivery): EndedStep {
  const status = acceptedStatus(serviceId, access);
  return { kind: 'ended', status, ...(status === 'sealed' && { sealedWith: access }) };
}

/** The account is gone. */
export const UNREGISTERED: EndedStep = { kind: 'ended', status: 'unregistered' };

export const failure = (error: SealcastError): EndedStep => ({
  kind: 'ended',
  status: 'failed',
  error,
});

/**
 * End of a delivery to a contact that gets no message of this broadcast: they are blocked, or have
 * left the list that the broadcast goes to.
 *
 * Every step asks with the contact as it has just been read. A contact that changes after that is
 * looked at again right before the request: see `SendGuard`.
 *
 * @returns undefined where the contact may get it.
 */
export function refusalFor(
  serviceId: string,
  { blocked, leftLists }: Pick<ContactRecord, 'blocked' | 'leftLists'>,
  { list }: { readonly list?: string | undefined },
): EndedStep | undefined {
  if (blocked) return failure(blockedError(serviceId));
  if (list !== undefined && leftLists?.includes(list) === true)
    return failure(unsubscribedError(serviceId));
  return undefined;
}

/**
 * End of a delivery whose contact, session or row is damaged in the store: it fails for this
 * recipient alone.
 *
 * @throws any other error.
 */
export function damagedStep(error: unknown): EndedStep {
  if (!isDamaged(error, ['contact', 'session', 'outbox'])) throw error;
  return failure(error);
}

export const blockedError = (serviceId: string): SealcastError =>
  new SealcastError('ERR_RECIPIENT_BLOCKED', 'the contact is blocked', { serviceId });
export const unsubscribedError = (serviceId: string): SealcastError =>
  new SealcastError('ERR_RECIPIENT_UNSUBSCRIBED', 'the recipient has left the list', { serviceId });
export const selfError = (serviceId: string): SealcastError =>
  new SealcastError('ERR_RECIPIENT_INVALID', 'the recipient is the sending account itself', {
    serviceId,
  });
export const deniedError = (serviceId: string): SealcastError =>
  new SealcastError('ERR_ACCESS_DENIED', 'the recipient does not take sealed messages from us', {
    serviceId,
  });
export const identityError = (serviceId: string): SealcastError =>
  new SealcastError('ERR_IDENTITY_CHANGED', 'the recipient has another identity key than before', {
    serviceId,
  });
export const encryptionError = (serviceId: string, reason?: string): SealcastError =>
  new SealcastError(
    'ERR_ENCRYPTION_FAILED',
    `libsignal could not encrypt: ${reason ?? 'no reason given'}`,
    {
      serviceId,
    },
  );
export const noPreKeysError = (serviceId: string, reason?: string): SealcastError =>
  new SealcastError(
    'ERR_NO_PREKEYS',
    `no usable prekey bundle: ${reason ?? 'the service gave none'}`,
    { serviceId },
  );
