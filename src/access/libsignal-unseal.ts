import {
  IdentityChange,
  IdentityKeyStore,
  PrivateKey,
  sealedSenderDecryptToUsmc,
  type PublicKey,
} from '@signalapp/libsignal-client';

/** An identity store with a private key and nothing else, all that unsealing asks for. */
class OwnIdentity extends IdentityKeyStore {
  readonly #privateKey: PrivateKey;

  constructor(privateKey: PrivateKey) {
    super();
    this.#privateKey = privateKey;
  }

  override getIdentityKey(): Promise<PrivateKey> {
    return Promise.resolve(this.#privateKey);
  }
  override getLocalRegistrationId(): Promise<number> {
    return Promise.resolve(0);
  }
  override saveIdentity(): Promise<IdentityChange> {
    return Promise.resolve(IdentityChange.NewOrUnchanged);
  }
  override isTrustedIdentity(): Promise<boolean> {
    return Promise.resolve(true);
  }
  override getIdentity(): Promise<PublicKey | null> {
    return Promise.resolve(null);
  }
}

/**
 * Unseals, with libsignal on this thread, what the kernel does not: v2 envelopes, and v1 ones beyond the kernel's size.
 */
export class LibsignalUnsealer {
  readonly #identity: OwnIdentity;

  /** @param privateKey 32 bytes, copied by libsignal. */
  constructor(privateKey: Uint8Array<ArrayBuffer>) {
    this.#identity = new OwnIdentity(PrivateKey.deserialize(privateKey));
  }

  /** @returns the USMC's bytes, its certificate's key held against the sealing key; null when the envelope is invalid. */
  async unseal(envelope: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      const usmc = await sealedSenderDecryptToUsmc(envelope, this.#identity);
      return usmc.serialize();
    } catch {
      return null;
    }
  }
}
