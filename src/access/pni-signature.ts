/** The PNI's identity key pair: 33 and 32 bytes. */
export interface PniKeys {
  readonly identityPublicKey: Uint8Array;
  readonly identityPrivateKey: Uint8Array;
}

/**
 * Signs the ACI's identity key with the PNI's (libsignal: `sign_alternate_identity`).
 *
 * With the signature others can join the two identities. Loads libsignal's addon, so an account
 * without a PNI does not call it.
 *
 * @param aciIdentityKey 33 bytes
 */
export async function signAciIdentity(
  { identityPublicKey, identityPrivateKey }: PniKeys,
  aciIdentityKey: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const { IdentityKeyPair, PrivateKey, PublicKey } = await import('@signalapp/libsignal-client');
  const pair = new IdentityKeyPair(
    PublicKey.deserialize(Uint8Array.from(identityPublicKey)),
    PrivateKey.deserialize(Uint8Array.from(identityPrivateKey)),
  );
  return pair.signAlternateIdentity(PublicKey.deserialize(Uint8Array.from(aciIdentityKey)));
}
