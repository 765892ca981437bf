import type {
  IdentityChange,
  IdentityKeyStore,
  PrivateKey,
  PublicKey,
} from '@signalapp/libsignal-client';
import { libsignal } from '../access/libsignal.js';

/** An identity store that has only a private key, all that unsealing asks for. */
function ownIdentity(privateKey: PrivateKey): IdentityKeyStore {
  const unused = libsignal().IdentityChange.NewOrUnchanged;
  class OwnIdentity extends libsignal().IdentityKeyStore {
    override getIdentityKey(): Promise<PrivateKey> {
      return Promise.resolve(privateKey);
    }
    override getLocalRegistrationId(): Promise<number> {
      return Promise.resolve(0);
    }
    override saveIdentity(): Promise<IdentityChange> {
      return Promise.resolve(unused);
    }
    override isTrustedIdentity(): Promise<boolean> {
      return Promise.resolve(true);
    }
    override getIdentity(): Promise<PublicKey | null> {
      return Promise.resolve(null);
    }
  }
  return new OwnIdentity();
}

/**
 * Unseals, with libsignal on this thread, what the kernel does not: v2 envelopes, and v1 ones
 * beyond the kernel's size.
 */
export class LibsignalUnsealer {
  readonly #identity: IdentityKeyStore;

  /** @param privateKey 32 bytes, copied by libsignal. */
  constructor(privateKey: Uint8Array<ArrayBuffer>) {
    this.#identity = ownIdentity(libsignal().PrivateKey.deserialize(privateKey));
  }

  /**
   * @returns the USMC's bytes, its certificate's key held against the sealing key; null when the
   *   envelope is invalid.
   */
  async unseal(envelope: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      const usmc = await libsignal().sealedSenderDecryptToUsmc(envelope, this.#identity);
      return usmc.serialize();
    } catch {
      return null;
    }
  }
}
