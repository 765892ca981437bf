import type { BundleSetup } from '../session/protocol.js';
import type { ContactRecord } from '../store/tables/contacts.js';
import type { EncryptedDevice } from '../store/tables/outbox.js';
import type { DeliveryStep } from './delivery.js';

/** A recipient without a usable session, as the contact was read. */
export interface Stranger {
  readonly serviceId: string;
  readonly contact: ContactRecord;
  /** Revision at which the contact was read, see `SendGuard`. */
  readonly revision: number;
}

/** Next steps of the recipients of a chunk, after its sessions were used. */
export interface ChunkSteps {
  /** Next step of a recipient, or undefined where its delivery had ended before. */
  readonly steps: ReadonlyMap<string, DeliveryStep | undefined>;
  /** Recipients without a usable session: prekeys have to be fetched for them. */
  readonly strangers: readonly Stranger[];
}

/** Devices of one recipient to encrypt for, and the bundles to begin sessions with. */
export interface SessionSetup {
  readonly serviceId: string;
  /** The contact as it is to be known from now on; its identity key is that of the bundles. */
  readonly contact: ContactRecord;
  /** Revision at which the contact was read, see `SendGuard`. */
  readonly revision: number;
  /** By device id; undefined where the session that exists is used. */
  readonly devices: ReadonlyMap<number, BundleSetup | undefined>;
  /** Devices of an earlier encryption that keep their ciphertexts. */
  readonly kept: readonly EncryptedDevice[];
  /** Of the profile key that these ciphertexts carry. */
  readonly keptMark: string | undefined;
  /** Devices whose sessions are archived. */
  readonly retired: readonly number[];
  /**
   * Steps under the recipient's lock. `commit`: the workers encrypt before. `encrypt-and-commit`:
   * for a contact that changed during each encryption before. `held-by-caller`: both, in a lock
   * that was taken earlier.
   */
  readonly lock: 'commit' | 'encrypt-and-commit' | 'held-by-caller';
}
