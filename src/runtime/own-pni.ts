import { signAciIdentity } from '../access/pni-keys.js';
import { SealcastError } from '../errors.js';
import type { Store } from '../store/store.js';
import { copySecret } from '../util/bytes.js';
import { loadCredentials, wipeCredentials, type PniIdentity } from '../store/tables/credentials.js';

/**
 * The account's phone-number identity (PNI) on this device, without its private key.
 *
 * People who find the account by its number write to the PNI first; what is sent to them carries
 * the signature, by which their client joins the two identities.
 */
export class OwnPni {
  /** `PNI:` and a UUID, lower case. */
  readonly serviceId: string;
  readonly registrationId: number;
  /** Signature of the ACI's identity key by the PNI's (libsignal: sign_alternate_identity). */
  readonly signature: Uint8Array<ArrayBuffer>;

  private constructor({ pni, registrationId }: PniIdentity, signature: Uint8Array<ArrayBuffer>) {
    this.serviceId = pni;
    this.registrationId = registrationId;
    this.signature = signature;
  }

  /**
   * Loads the PNI of the store's account; undefined where the account has none.
   *
   * @param aciIdentityKey 33 bytes
   */
  static async load(store: Store, aciIdentityKey: Uint8Array): Promise<OwnPni | undefined> {
    const credentials = await loadCredentials(store);
    const identity = credentials?.pniIdentity;
    try {
      return identity && (await OwnPni.of(identity, aciIdentityKey));
    } finally {
      wipeCredentials(credentials);
    }
  }

  /** @param aciIdentityKey 33 bytes */
  static async of(identity: PniIdentity, aciIdentityKey: Uint8Array): Promise<OwnPni> {
    return new OwnPni(identity, await signAciIdentity(identity, aciIdentityKey));
  }

  /**
   * Loads the PNI's private key, 32 bytes, which the caller wipes.
   *
   * @throws SealcastError ERR_STORE_FAILED: the store has no PNI.
   */
  static async loadPrivateKey(store: Store): Promise<Uint8Array> {
    const credentials = await loadCredentials(store);
    const identity = credentials?.pniIdentity;
    const privateKey = identity && copySecret(identity.identityPrivateKey);
    wipeCredentials(credentials);
    if (privateKey === undefined)
      throw new SealcastError(
        'ERR_STORE_FAILED',
        'load the PNI: the store no longer has the credentials of the account',
      );
    return privateKey;
  }
}
