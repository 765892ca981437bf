import { withSecretCopy } from '../util/bytes.js';

/** Keys of a PNI that the primary device made, and the ids of its prekeys. */
export interface PniKeys {
  /** 33 bytes; the private key has 32. */
  readonly identityPublicKey: Uint8Array;
  readonly identityPrivateKey: Uint8Array;
  readonly signedPreKeyId: number;
  readonly lastResortId: number | undefined;
}

/** Parts of a change of number; libsignal's records. */
export interface PniParts {
  readonly identityKeyPair: Uint8Array<ArrayBuffer>;
  readonly signedPreKey: Uint8Array<ArrayBuffer>;
  readonly lastResortKyberPreKey?: Uint8Array<ArrayBuffer>;
}

/** @returns undefined where libsignal cannot read the parts, or they do not belong together. */
export async function readPniKeys(change: PniParts): Promise<PniKeys | undefined> {
  const { IdentityKeyPair, KyberPreKeyRecord, SignedPreKeyRecord } =
    await import('@signalapp/libsignal-client');
  try {
    const { publicKey, privateKey } = IdentityKeyPair.deserialize(change.identityKeyPair);
    const signed = SignedPreKeyRecord.deserialize(change.signedPreKey);
    const isSigned = publicKey.verify(signed.publicKey().serialize(), signed.signature());
    const { lastResortKyberPreKey } = change;
    const lastResort =
      lastResortKyberPreKey && KyberPreKeyRecord.deserialize(lastResortKyberPreKey);
    const isLastResortSigned =
      lastResort === undefined ||
      publicKey.verify(lastResort.publicKey().serialize(), lastResort.signature());
    const isPair = privateKey.getPublicKey().equals(publicKey);
    if (!isSigned || !isLastResortSigned || !isPair) return undefined;
    return {
      identityPublicKey: publicKey.serialize(),
      identityPrivateKey: privateKey.serialize(),
      signedPreKeyId: signed.id(),
      lastResortId: lastResort?.id(),
    };
  } catch {
    return undefined;
  }
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
  {
    identityPublicKey,
    identityPrivateKey,
  }: Pick<PniKeys, 'identityPublicKey' | 'identityPrivateKey'>,
  aciIdentityKey: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const { IdentityKeyPair, PrivateKey, PublicKey } = await import('@signalapp/libsignal-client');
  const pair = new IdentityKeyPair(
    PublicKey.deserialize(Uint8Array.from(identityPublicKey)),
    withSecretCopy(identityPrivateKey, (copy) => PrivateKey.deserialize(copy)),
  );
  return pair.signAlternateIdentity(PublicKey.deserialize(Uint8Array.from(aciIdentityKey)));
}
