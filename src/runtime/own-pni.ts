import { signAciIdentity } from '../access/pni-signature.js';
import { SealcastError } from '../errors.js';
import type { Store } from '../store/store.js';
import { loadCredentials, type PniIdentity } from '../store/tables/credentials.js';

/** Facts of a phone-number identity that everyone may know. */
export interface OwnPniFacts {
  /** Service id: `PNI:` and a UUID, lower case. */
  readonly serviceId: string;
  readonly registrationId: number;
  /** Signature of the ACI's identity key by the PNI's (libsignal: sign_alternate_identity). */
  readonly signature: Uint8Array<ArrayBuffer>;
}

/**
 * The account's phone-number identity (PNI) on this device, without its private key.
 *
 * People who find the account by its number write to the PNI first; what is sent to them carries
 * the signature, by which their client joins the two identities.
 */
export class OwnPni implements OwnPniFacts {
  readonly serviceId: string;
  readonly registrationId: number;
  readonly signature: Uint8Array<ArrayBuffer>;

  private constructor({ serviceId, registrationId, signature }: OwnPniFacts) {
    this.serviceId = serviceId;
    this.registrationId = registrationId;
    this.signature = signature;
  }

  /**
   * Loads the PNI of the store's account; undefined where the account has none.
   *
   * @param aciIdentityKey 33 bytes
   */
  static async load(store: Store, aciIdentityKey: Uint8Array): Promise<OwnPni | undefined> {
    const identity = (await loadCredentials(store))?.pniIdentity;
    if (identity === undefined) return undefined;
    try {
      return await OwnPni.of(identity, aciIdentityKey);
    } finally {
      identity.identityPrivateKey.fill(0);
    }
  }

  /** @param aciIdentityKey 33 bytes */
  static async of(identity: PniIdentity, aciIdentityKey: Uint8Array): Promise<OwnPni> {
    return new OwnPni({
      serviceId: identity.pni.replace(/^PNI:/i, 'PNI:'),
      registrationId: identity.registrationId,
      signature: await signAciIdentity(identity, aciIdentityKey),
    });
  }

  /**
   * Loads the PNI's private key, 32 bytes, which the caller wipes.
   *
   * @throws SealcastError ERR_STORE_FAILED: the store has no PNI.
   */
  static async loadPrivateKey(store: Store): Promise<Uint8Array> {
    const identity = (await loadCredentials(store))?.pniIdentity;
    if (identity === undefined)
      throw new SealcastError(
        'ERR_STORE_FAILED',
        'load the PNI: the store no longer has the credentials of the account',
      );
    return identity.identityPrivateKey;
  }
}
