// Runs in a process of its own (see bundle-file.ts): makes recipients' public keys with libsignal.
import { IdentityKeyPair, KEMKeyPair, PrivateKey } from '@signalapp/libsignal-client';
import { makeAci, writeBundles, type BundleParts } from './bundle-file.js';

const BATCH = 500;
const [path = '', from = '0', to = '0'] = process.argv.slice(2);
for (let at = Number(from); at < Number(to); at += BATCH) {
  const count = Math.min(BATCH, Number(to) - at);
  writeBundles(
    path,
    at,
    Array.from({ length: count }, (_, i) => makeBundle(at + i)),
  );
}

function makeBundle(place: number): BundleParts {
  const identity = IdentityKeyPair.generate();
  const signed = PrivateKey.generate().getPublicKey().serialize();
  const kyber = KEMKeyPair.generate().getPublicKey().serialize();
  return {
    aci: makeAci(place),
    identityKey: identity.publicKey.serialize(),
    preKeyPublic: PrivateKey.generate().getPublicKey().serialize(),
    signedPreKeyPublic: signed,
    signedPreKeySignature: identity.privateKey.sign(signed),
    kyberPreKeyPublic: kyber,
    kyberPreKeySignature: identity.privateKey.sign(kyber),
  };
}
