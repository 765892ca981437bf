import type { AuthenticatedChatConnection } from '@signalapp/libsignal-client/dist/net.js';
import { generatePreKeys } from '../prekeys.js';
import type { Client } from './client.js';

/** As many as Signal's clients upload; whoever comes after them gets the last-resort key. */
const ONE_TIME_PREKEYS = 100;

interface PublicPreKey {
  id(): number;
  publicKey(): { serialize(): Uint8Array };
}

interface SignedPublicPreKey extends PublicPreKey {
  signature(): Uint8Array;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function preKeyJson(record: PublicPreKey): object {
  return { keyId: record.id(), publicKey: base64(record.publicKey().serialize()) };
}

function signedPreKeyJson(record: SignedPublicPreKey): object {
  return { ...preKeyJson(record), signature: base64(record.signature()) };
}

/** Lets others open sessions with the broadcaster, which it needs to read what they send it. */
export async function uploadPreKeys(
  connection: AuthenticatedChatConnection,
  client: Client,
): Promise<void> {
  const preKeys = await generatePreKeys(client.stores, ONE_TIME_PREKEYS);
  const body = {
    identityKey: base64(client.identityKeyPair.publicKey.serialize()),
    signedPreKey: signedPreKeyJson(preKeys.signed),
    preKeys: preKeys.oneTime.map(preKeyJson),
    pqPreKeys: preKeys.kyberOneTime.map(signedPreKeyJson),
    pqLastResortPreKey: signedPreKeyJson(preKeys.kyberLastResort),
  };
  const response = await connection.fetch({
    verb: 'PUT',
    path: '/v2/keys?identity=aci',
    headers: [['content-type', 'application/json']],
    body: new TextEncoder().encode(JSON.stringify(body)),
  });
  if (response.status !== 200)
    throw new Error(`the service refused the prekeys: ${response.status}`);
}
