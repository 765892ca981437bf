import {
  type CiphertextMessage,
  CiphertextMessageType,
  DecryptionErrorMessage,
  groupEncrypt,
  IdentityKeyPair,
  PlaintextContent,
  PreKeySignalMessage,
  processPreKeyBundle,
  ProtocolAddress,
  SenderKeyDistributionMessage,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
  SignalMessage,
} from '@signalapp/libsignal-client';
import { MemoryStores } from '../fakes/memory-stores.js';
import { bundleOf, generatePreKeys } from './prekeys.js';

const PLAINTEXT = new TextEncoder().encode('a plaintext');

/**
 * One ciphertext of every type that a USMC can carry, as libsignal makes them between two clients.
 */
export async function makeCiphertexts(): Promise<readonly CiphertextMessage[]> {
  const alice = new MemoryStores(IdentityKeyPair.generate(), 1);
  const bob = new MemoryStores(IdentityKeyPair.generate(), 2);
  const aliceAddress = ProtocolAddress.new('9d0652a3-dcc3-4d11-975f-74d61598733f', 1);
  const bobAddress = ProtocolAddress.new('e80f7bbe-5b94-471e-bd8c-2173654ea3d1', 1);
  const bobBundle = bundleOf(bob, bobAddress.deviceId(), await generatePreKeys(bob, 0));

  await processPreKeyBundle(bobBundle, bobAddress, aliceAddress, alice.sessions, alice.identities);
  const prekey = await signalEncrypt(
    PLAINTEXT,
    bobAddress,
    aliceAddress,
    alice.sessions,
    alice.identities,
  );
  await signalDecryptPreKey(
    PreKeySignalMessage.deserialize(prekey.serialize()),
    aliceAddress,
    bobAddress,
    bob.sessions,
    bob.identities,
    bob.preKeys,
    bob.signedPreKeys,
    bob.kyberPreKeys,
  );
  // Bob's answer ends the prekey messages: what alice sends after it is a plain ratchet message.
  const answer = await signalEncrypt(
    PLAINTEXT,
    aliceAddress,
    bobAddress,
    bob.sessions,
    bob.identities,
  );
  const answerMessage = SignalMessage.deserialize(answer.serialize());
  await signalDecrypt(answerMessage, bobAddress, aliceAddress, alice.sessions, alice.identities);
  const whisper = await signalEncrypt(
    PLAINTEXT,
    bobAddress,
    aliceAddress,
    alice.sessions,
    alice.identities,
  );

  const distributionId = 'd1d1d1d1-7000-11eb-b32a-33b8a8a487a6';
  await SenderKeyDistributionMessage.create(aliceAddress, distributionId, alice.senderKeys);
  const senderKey = await groupEncrypt(aliceAddress, distributionId, alice.senderKeys, PLAINTEXT);

  const error = DecryptionErrorMessage.forOriginal(
    whisper.serialize(),
    CiphertextMessageType.Whisper,
    1,
    1,
  );
  return [prekey, whisper, senderKey, PlaintextContent.from(error).asCiphertextMessage()];
}
