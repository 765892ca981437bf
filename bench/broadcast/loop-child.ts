// Runs in a process of its own (see broadcast.ts): the plain loop that everybody writes first, over
// libsignal alone, in memory.
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import {
  IdentityKeyPair,
  PrivateKey,
  ProtocolAddress,
  PublicKey,
  SenderCertificate,
  SessionRecord,
  sealedSenderEncryptMessage,
} from '@signalapp/libsignal-client';
import { openStore } from 'sealcast';
import { encodeContent, padPlaintext } from '#dist/src/content/index.js';
import { decodeContact } from '#dist/src/store/tables/contacts.js';
import { MemoryStores } from '../../test/fakes/memory-stores.js';
import type { SenderKeys } from './sender-keys.js';

const [storePath = '', senderPath = '', acisPath = '', body = 'x'] = process.argv.slice(2);
const sender = deserialize(readFileSync(senderPath)) as SenderKeys;
const acis = deserialize(readFileSync(acisPath)) as string[];
const identity = new IdentityKeyPair(
  PublicKey.deserialize(sender.publicKey),
  PrivateKey.deserialize(sender.privateKey),
);
const memory = new MemoryStores(identity, sender.registrationId);
const store = await openStore({ path: storePath });
const addresses = acis.map((aci) => ProtocolAddress.new(aci, 1));
for (let from = 0; from < acis.length; from += 1000) {
  const some = acis.slice(from, from + 1000);
  const sessions = await store.getMany(
    'session',
    some.map((aci) => `${aci}.1`),
  );
  const contacts = await store.getMany('contact', some);
  for (const [i, record] of sessions.entries()) {
    const contact = contacts[i];
    const address = addresses[from + i];
    if (record === undefined || contact === undefined || address === undefined)
      throw new Error('no listener');
    const { identityKey } = decodeContact(contact);
    await memory.sessions.saveSession(address, SessionRecord.deserialize(record));
    await memory.identities.saveIdentity(
      address,
      PublicKey.deserialize(Uint8Array.from(identityKey ?? [])),
    );
  }
}
await store.close();
const certificate = SenderCertificate.deserialize(sender.certificate);
const plaintext = padPlaintext(
  encodeContent({
    dataMessage: { body, timestamp: Date.now(), profileKey: new Uint8Array(32).fill(7) },
  }),
);

const readings: number[] = [];
for (let round = 0; round < 3; round++) {
  const startMs = performance.now();
  for (const address of addresses) {
    await sealedSenderEncryptMessage(
      plaintext,
      address,
      certificate,
      memory.sessions,
      memory.identities,
    );
  }
  readings.push(((performance.now() - startMs) * 1000) / addresses.length);
}
process.stdout.write(JSON.stringify(readings));
