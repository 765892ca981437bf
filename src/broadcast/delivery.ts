import type { Access } from '../access/access-mode.js';
import { SealcastError } from '../errors.js';
import type { DeliveryStatus, EncryptedDevice } from '../store/records.js';
import type { Refusal } from '../transport/transport.js';

/** What became of a recipient. */
export interface Delivery {
  /** Service id. */
  readonly recipient: string;
  readonly status: DeliveryStatus;
  /** Why it failed. */
  readonly error?: SealcastError;
}

/** Recipients whose part has ended, by how. */
export type Counts = Record<DeliveryStatus, number>;

/** What one recipient is to be sent: encrypted, committed, and not sealed yet. */
export interface EncryptedDelivery {
  readonly serviceId: string;
  /** What we may send it with, as known when it was last looked at. */
  readonly access: Access;
  /** Of the contact, when access and identity key were read: see `SendGuard`. */
  readonly revision: number;
  /** 33 bytes */
  readonly identityKey: Uint8Array;
  readonly devices: readonly EncryptedDevice[];
}

/** Where a step with a recipient leads. */
export type DeliveryStep =
  | { readonly kind: 'parcel'; readonly parcel: EncryptedDelivery }
  | { readonly kind: 'ended'; readonly status: DeliveryStatus; readonly error?: SealcastError }
  /** The service could not do it now. */
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export const failure = (error: SealcastError): DeliveryStep => ({ kind: 'ended', status: 'failed', error });

export const blockedError = (serviceId: string): SealcastError =>
  new SealcastError('ERR_RECIPIENT_BLOCKED', 'the contact is blocked', { serviceId });
export const selfError = (serviceId: string): SealcastError =>
  new SealcastError('ERR_RECIPIENT_INVALID', 'the recipient is the sending account itself', { serviceId });
export const deniedError = (serviceId: string): SealcastError =>
  new SealcastError('ERR_ACCESS_DENIED', 'the recipient does not take sealed messages from us', { serviceId });
export const identityError = (serviceId: string): SealcastError =>
  new SealcastError('ERR_IDENTITY_CHANGED', 'the recipient has another identity key than before', { serviceId });
export const encryptionError = (serviceId: string, reason?: string): SealcastError =>
  new SealcastError('ERR_ENCRYPTION_FAILED', `libsignal could not encrypt: ${reason ?? 'no reason given'}`, {
    serviceId,
  });
export const noPreKeysError = (serviceId: string, reason?: string): SealcastError =>
  new SealcastError('ERR_NO_PREKEYS', `no usable prekey bundle: ${reason ?? 'the service gave none'}`, { serviceId });
