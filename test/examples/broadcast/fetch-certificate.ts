import { SenderCertificate, type PublicKey } from '@signalapp/libsignal-client';
import type { AuthenticatedChatConnection } from '@signalapp/libsignal-client/dist/net.js';
import type { Client } from './client.js';

/** Fetches the broadcaster's sender certificate, without its phone number, and makes sure that it is one. */
export async function fetchSenderCertificate(
  connection: AuthenticatedChatConnection,
  client: Client,
  trustRoot: PublicKey,
): Promise<SenderCertificate> {
  const response = await connection.fetch({
    verb: 'GET',
    path: '/v1/certificate/delivery?includeE164=false',
    headers: [],
  });
  if (response.status !== 200 || response.body === undefined) {
    throw new Error(`the service gave no sender certificate: ${response.status}`);
  }
  const { certificate: encoded } = JSON.parse(Buffer.from(response.body).toString()) as { certificate: string };
  const certificate = SenderCertificate.deserialize(new Uint8Array(Buffer.from(encoded, 'base64')));

  if (!certificate.validateWithTrustRoots([trustRoot], Date.now())) {
    throw new Error('the sender certificate is not signed by the trust root, or has expired');
  }
  const { aci, deviceId } = client.account;
  if (certificate.senderAci()?.getServiceIdString() !== aci || certificate.senderDeviceId() !== deviceId) {
    throw new Error('the sender certificate names another device');
  }
  if (!certificate.key().equals(client.identityKeyPair.publicKey)) {
    throw new Error('the sender certificate carries another identity key');
  }
  if (certificate.senderE164() !== null) throw new Error('the sender certificate carries the phone number');
  return certificate;
}
