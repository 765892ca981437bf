import {
  KEMKeyPair,
  KyberPreKeyRecord,
  PreKeyRecord,
  PrivateKey,
  SignedPreKeyRecord,
} from '@signalapp/libsignal-client';
import {
  type DescribePreKeysReply,
  type DescribePreKeysRequest,
  type GeneratePreKeysReply,
  type GeneratePreKeysRequest,
  type PublicPreKeys,
  pack,
  unpack,
  type Packed,
} from '../protocol.js';

/**
 * Generates records of new prekeys. Our identity key signs them where the protocol wants it (PQXDH
 * 3.1).
 */
export function generatePreKeys(
  request: GeneratePreKeysRequest,
  identityKey: PrivateKey,
): GeneratePreKeysReply {
  const { preKeyIds, signedPreKeyIds, kyberPreKeyIds, nowMs } = request;
  const all = (ids: Uint32Array, make: (id: number) => { serialize(): Uint8Array }): Packed =>
    pack(Array.from(ids, (id) => make(id).serialize()));
  return {
    preKeys: all(preKeyIds, (id) => {
      const key = PrivateKey.generate();
      return PreKeyRecord.new(id, key.getPublicKey(), key);
    }),
    signedPreKeys: all(signedPreKeyIds, (id) => {
      const key = PrivateKey.generate();
      const publicKey = key.getPublicKey();
      return SignedPreKeyRecord.new(
        id,
        nowMs,
        publicKey,
        key,
        identityKey.sign(publicKey.serialize()),
      );
    }),
    kyberPreKeys: all(kyberPreKeyIds, (id) => {
      const keyPair = KEMKeyPair.generate();
      return KyberPreKeyRecord.new(
        id,
        nowMs,
        keyPair,
        identityKey.sign(keyPair.getPublicKey().serialize()),
      );
    }),
  };
}

/** The public parts of prekeys, from their records. */
export function describePreKeys({
  preKeys,
  signedPreKeys,
  kyberPreKeys,
}: DescribePreKeysRequest): DescribePreKeysReply {
  return {
    preKeys: publicsOf(preKeys, (bytes) => ({
      publicKey: PreKeyRecord.deserialize(bytes).publicKey().serialize(),
    })),
    signedPreKeys: publicsOf(signedPreKeys, (bytes) =>
      signedPublicsOf(SignedPreKeyRecord.deserialize(bytes)),
    ),
    kyberPreKeys: publicsOf(kyberPreKeys, (bytes) =>
      signedPublicsOf(KyberPreKeyRecord.deserialize(bytes)),
    ),
  };
}

interface Publics {
  readonly publicKey: Uint8Array;
  readonly signature?: Uint8Array;
}

const signedPublicsOf = (record: {
  publicKey(): { serialize(): Uint8Array };
  signature(): Uint8Array;
}): Publics => ({
  publicKey: record.publicKey().serialize(),
  signature: record.signature(),
});

function publicsOf(
  records: Packed,
  read: (bytes: Uint8Array<ArrayBuffer>) => Publics,
): PublicPreKeys {
  const publics = unpack(records).map((bytes) => {
    try {
      return bytes && read(bytes);
    } catch {
      return undefined;
    }
  });
  return {
    publicKeys: pack(publics.map((each) => each?.publicKey)),
    signatures: pack(publics.map((each) => each?.signature)),
  };
}
