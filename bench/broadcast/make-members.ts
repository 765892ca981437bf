// Runs in a process of its own (see population.ts): makes recipients with libsignal, and a session
// with each that both sides have written in.
import { randomUUID } from 'node:crypto';
import {
  IdentityKeyPair,
  KEMKeyPair,
  KyberPreKeyRecord,
  PreKeyBundle,
  PreKeySignalMessage,
  PrivateKey,
  ProtocolAddress,
  PublicKey,
  SignalMessage,
  SignedPreKeyRecord,
  processPreKeyBundle,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
} from '@signalapp/libsignal-client';
import { MemoryStores } from '../../test/fakes/memory-stores.js';
import type { Member } from './population.js';
import type { SenderKeys } from './sender-keys.js';

const BATCH = 250;
const TEXT = new Uint8Array(159);
const DEVICE_ID = 1;
const REGISTRATION_ID = 77;
/** One for all: making it is half of the work, and no figure depends on it. */
const KYBER = KEMKeyPair.generate();

let sender: SenderKeys | undefined;
let left = Number(process.argv[2]);
process.on('message', (message: SenderKeys | 'more') => {
  if (message !== 'more') sender = message;
  void next();
});

async function next(): Promise<void> {
  if (sender === undefined) throw new Error('who sends?');
  if (left === 0) {
    process.disconnect();
    return;
  }
  const members: Member[] = [];
  while (members.length < Math.min(BATCH, left)) members.push(await makeMember(sender));
  left -= members.length;
  process.send?.(members);
}

async function makeMember({
  aci,
  deviceId,
  registrationId,
  publicKey,
  privateKey,
}: SenderKeys): Promise<Member> {
  const ownIdentity = new IdentityKeyPair(
    PublicKey.deserialize(publicKey),
    PrivateKey.deserialize(privateKey),
  );
  const own = new MemoryStores(ownIdentity, registrationId);
  const ownAddress = ProtocolAddress.new(aci, deviceId);
  const identity = IdentityKeyPair.generate();
  const theirs = new MemoryStores(identity, REGISTRATION_ID);
  const theirAci = randomUUID();
  const theirAddress = ProtocolAddress.new(theirAci, DEVICE_ID);

  const signed = PrivateKey.generate();
  const signature = identity.privateKey.sign(signed.getPublicKey().serialize());
  const kyberSignature = identity.privateKey.sign(KYBER.getPublicKey().serialize());
  await theirs.signedPreKeys.saveSignedPreKey(
    1,
    SignedPreKeyRecord.new(1, 1, signed.getPublicKey(), signed, signature),
  );
  await theirs.kyberPreKeys.saveLastResort(1, KyberPreKeyRecord.new(1, 1, KYBER, kyberSignature));
  const bundle = PreKeyBundle.new(
    REGISTRATION_ID,
    DEVICE_ID,
    null,
    null,
    1,
    signed.getPublicKey(),
    signature,
    identity.publicKey,
    1,
    KYBER.getPublicKey(),
    kyberSignature,
  );
  await processPreKeyBundle(bundle, theirAddress, ownAddress, own.sessions, own.identities);
  const hello = await signalEncrypt(TEXT, theirAddress, ownAddress, own.sessions, own.identities);
  await signalDecryptPreKey(
    PreKeySignalMessage.deserialize(hello.serialize()),
    ownAddress,
    theirAddress,
    theirs.sessions,
    theirs.identities,
    theirs.preKeys,
    theirs.signedPreKeys,
    theirs.kyberPreKeys,
  );
  const answer = await signalEncrypt(
    TEXT,
    ownAddress,
    theirAddress,
    theirs.sessions,
    theirs.identities,
  );
  const message = SignalMessage.deserialize(answer.serialize());
  await signalDecrypt(message, theirAddress, ownAddress, own.sessions, own.identities);
  const session = await own.sessions.getSession(theirAddress);
  if (session === null) throw new Error('no session came of it');
  return {
    aci: theirAci,
    deviceId: DEVICE_ID,
    registrationId: REGISTRATION_ID,
    identityKey: identity.publicKey.serialize(),
    session: session.serialize(),
  };
}
