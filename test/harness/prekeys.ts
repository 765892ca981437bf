import {
  KEMKeyPair,
  KyberPreKeyRecord,
  PreKeyBundle,
  PreKeyRecord,
  PrivateKey,
  SignedPreKeyRecord,
} from '@signalapp/libsignal-client';
import type { MemoryStores } from '../fakes/memory-stores.js';

/** Prekeys of one device, their private halves in its stores. */
export interface PreKeys {
  readonly signed: SignedPreKeyRecord;
  readonly kyberLastResort: KyberPreKeyRecord;
  readonly oneTime: readonly PreKeyRecord[];
  readonly kyberOneTime: readonly KyberPreKeyRecord[];
}

export function generateKyberPreKey(id: number, identityKey: PrivateKey): KyberPreKeyRecord {
  const keyPair = KEMKeyPair.generate();
  return KyberPreKeyRecord.new(
    id,
    Date.now(),
    keyPair,
    identityKey.sign(keyPair.getPublicKey().serialize()),
  );
}

export async function generatePreKeys(
  stores: MemoryStores,
  oneTimeCount: number,
): Promise<PreKeys> {
  const identityKey = stores.identityKeyPair.privateKey;
  const signedKey = PrivateKey.generate();
  const signedPublicKey = signedKey.getPublicKey();
  const signature = identityKey.sign(signedPublicKey.serialize());
  const signed = SignedPreKeyRecord.new(1, Date.now(), signedPublicKey, signedKey, signature);
  await stores.signedPreKeys.saveSignedPreKey(signed.id(), signed);
  const kyberLastResort = generateKyberPreKey(1, identityKey);
  await stores.kyberPreKeys.saveLastResort(kyberLastResort.id(), kyberLastResort);

  const oneTime: PreKeyRecord[] = [];
  const kyberOneTime: KyberPreKeyRecord[] = [];
  for (let i = 0; i < oneTimeCount; i++) {
    const key = PrivateKey.generate();
    const record = PreKeyRecord.new(i + 1, key.getPublicKey(), key);
    await stores.preKeys.savePreKey(record.id(), record);
    oneTime.push(record);
    const kyberRecord = generateKyberPreKey(i + 2, identityKey);
    await stores.kyberPreKeys.saveKyberPreKey(kyberRecord.id(), kyberRecord);
    kyberOneTime.push(kyberRecord);
  }
  return { signed, kyberLastResort, oneTime, kyberOneTime };
}

/** The bundle a sender would fetch: the last-resort Kyber prekey, and no one-time prekey. */
export function bundleOf(
  stores: MemoryStores,
  deviceId: number,
  { signed, kyberLastResort }: PreKeys,
): PreKeyBundle {
  return PreKeyBundle.new(
    stores.registrationId,
    deviceId,
    null,
    null,
    signed.id(),
    signed.publicKey(),
    signed.signature(),
    stores.identityKeyPair.publicKey,
    kyberLastResort.id(),
    kyberLastResort.publicKey(),
    kyberLastResort.signature(),
  );
}
