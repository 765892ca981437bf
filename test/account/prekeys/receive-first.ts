import {
  CiphertextMessageType,
  IdentityKeyPair,
  KEMPublicKey,
  KyberPreKeyRecord,
  PreKeyBundle,
  PreKeyRecord,
  PreKeySignalMessage,
  ProtocolAddress,
  PublicKey,
  SignedPreKeyRecord,
  processPreKeyBundle,
  signalDecryptPreKey,
  signalEncrypt,
} from '@signalapp/libsignal-client';
import { expect } from 'vitest';
import type { AccountScene } from '../../harness/account-scene.js';
import { MemoryStores } from '../../fakes/memory-stores.js';
import type { Store, TableName } from 'sealcast';

/** A prekey as the store has it. */
export async function bytesOf(
  store: Store,
  table: TableName,
  id: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const [bytes] = await store.getMany(table, [String(id)]);
  return bytes!;
}

/**
 * Somebody begins a session with a bundle that the service has of us; we decrypt with what the
 * store has.
 */
export async function receiveFirst(
  { store, service }: AccountScene,
  text: string,
): Promise<{ text: string; kyberId: number }> {
  const { sender } = service;
  const own = ProtocolAddress.new(sender.aci, sender.deviceId);
  const other = ProtocolAddress.new('9d0652a3-dcc3-4d11-975f-74d61598733f', 1);
  const theirs = new MemoryStores(IdentityKeyPair.generate(), 77);
  const fields = service.takeBundle();
  const bundle = PreKeyBundle.new(
    fields.registrationId,
    fields.deviceId,
    fields.preKeyId ?? null,
    fields.preKeyPublic === undefined ? null : PublicKey.deserialize(fields.preKeyPublic),
    fields.signedPreKeyId,
    PublicKey.deserialize(fields.signedPreKeyPublic),
    fields.signedPreKeySignature,
    sender.identityKeyPair.publicKey,
    fields.kyberPreKeyId,
    KEMPublicKey.deserialize(fields.kyberPreKeyPublic),
    fields.kyberPreKeySignature,
  );
  await processPreKeyBundle(bundle, own, other, theirs.sessions, theirs.identities);
  const encrypted = await signalEncrypt(
    Uint8Array.from(Buffer.from(text)),
    own,
    other,
    theirs.sessions,
    theirs.identities,
  );
  expect(encrypted.type()).toBe(CiphertextMessageType.PreKey);

  const ours = new MemoryStores(sender.identityKeyPair, sender.registrationId);
  if (fields.preKeyId !== undefined) {
    const record = PreKeyRecord.deserialize(await bytesOf(store, 'preKey', fields.preKeyId));
    await ours.preKeys.savePreKey(fields.preKeyId, record);
  }
  const signed = SignedPreKeyRecord.deserialize(
    await bytesOf(store, 'signedPreKey', fields.signedPreKeyId),
  );
  await ours.signedPreKeys.saveSignedPreKey(fields.signedPreKeyId, signed);
  const kyber = KyberPreKeyRecord.deserialize(
    await bytesOf(store, 'kyberPreKey', fields.kyberPreKeyId),
  );
  await ours.kyberPreKeys.saveKyberPreKey(fields.kyberPreKeyId, kyber);
  const plaintext = await signalDecryptPreKey(
    PreKeySignalMessage.deserialize(encrypted.serialize()),
    other,
    own,
    ours.sessions,
    ours.identities,
    ours.preKeys,
    ours.signedPreKeys,
    ours.kyberPreKeys,
  );
  return { text: Buffer.from(plaintext).toString(), kyberId: fields.kyberPreKeyId };
}
