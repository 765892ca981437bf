// Runs in a process of its own (see strangers.ts): the plain loop over libsignal, in memory, to
// recipients without sessions.
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import {
  ContentHint,
  IdentityKeyPair,
  KEMPublicKey,
  PreKeyBundle,
  PrivateKey,
  ProtocolAddress,
  PublicKey,
  SenderCertificate,
  UnidentifiedSenderMessageContent,
  processPreKeyBundle,
  sealedSenderEncrypt,
  signalEncrypt,
} from '@signalapp/libsignal-client';
import { encodeContent, padPlaintext } from '#dist/src/content/index.js';
import { MemoryStores } from '../../test/fakes/memory-stores.js';
import type { SenderKeys } from '../broadcast/sender-keys.js';
import { Bundles, PREKEY_ID, STRANGER_DEVICE } from './bundle-file.js';

const [senderPath = '', bundlesPath = '', count = '0', body = 'x'] = process.argv.slice(2);
const recipients = Number(count);
const sender = deserialize(readFileSync(senderPath)) as SenderKeys;
const bundles = new Bundles(bundlesPath, 'memory');
const memory = new MemoryStores(
  new IdentityKeyPair(
    PublicKey.deserialize(sender.publicKey),
    PrivateKey.deserialize(sender.privateKey),
  ),
  sender.registrationId,
);
const own = ProtocolAddress.new(sender.aci, sender.deviceId);
const certificate = SenderCertificate.deserialize(sender.certificate);
const plaintext = padPlaintext(
  encodeContent({
    dataMessage: { body, timestamp: Date.now(), profileKey: new Uint8Array(32).fill(7) },
  }),
);

const readings: number[] = [];
for (let from = 0; from + recipients <= bundles.count; from += recipients) {
  const acis = [...bundles.acis(from, from + recipients)];
  const startMs = performance.now();
  for (const [i, aci] of acis.entries()) await sendTo(aci, from + i);
  readings.push(((performance.now() - startMs) * 1000) / recipients);
}
process.stdout.write(JSON.stringify(readings));

async function sendTo(aci: string, place: number): Promise<void> {
  const { sessions, identities } = memory;
  const address = ProtocolAddress.new(aci, STRANGER_DEVICE.deviceId);
  await processPreKeyBundle(bundleAt(place), address, own, sessions, identities);
  const ciphertext = await signalEncrypt(plaintext, address, own, sessions, identities);
  const content = UnidentifiedSenderMessageContent.new(
    ciphertext,
    certificate,
    ContentHint.Resendable,
    null,
  );
  await sealedSenderEncrypt(content, address, identities);
}

function bundleAt(place: number): PreKeyBundle {
  const parts = bundles.parts(place);
  return PreKeyBundle.new(
    STRANGER_DEVICE.registrationId,
    STRANGER_DEVICE.deviceId,
    PREKEY_ID,
    PublicKey.deserialize(parts.preKeyPublic),
    PREKEY_ID,
    PublicKey.deserialize(parts.signedPreKeyPublic),
    parts.signedPreKeySignature,
    PublicKey.deserialize(parts.identityKey),
    PREKEY_ID,
    KEMPublicKey.deserialize(parts.kyberPreKeyPublic),
    parts.kyberPreKeySignature,
  );
}
