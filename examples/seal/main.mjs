// @ts-check Seals one message for a hundred recipients with a Sealer alone, and opens one of the
// envelopes as its recipient. Plain JavaScript: `await using` is a syntax error on Node 20 and 22,
// so `finally` closes what was opened.
import * as signal from '@signalapp/libsignal-client';
import { Sealer } from 'sealcast';
import { MockService } from '../../test/mock-service/mock-service.js';
import { accountInputOf, connectTo } from '../support/mock-account.js';

const RECIPIENTS = 100;

/**
 * The sender certificate that the service signs for the account: recipients learn from it who
 * wrote.
 *
 * @param {MockService} service
 * @returns {Promise<signal.SenderCertificate>}
 */
async function fetchCertificate(service) {
  const transport = await connectTo(service);
  try {
    const outcome = await transport.fetchSenderCertificate({ includePhoneNumber: false });
    if (outcome.status !== 'ok') throw new Error(`fetch the sender certificate: ${outcome.status}`);
    return signal.SenderCertificate.deserialize(outcome.certificate);
  } finally {
    await transport.close();
  }
}

const service = await MockService.start({ subscribers: 0 });
try {
  const certificate = await fetchCertificate(service);
  // A session with the recipient would encrypt the text; this plaintext message replaces its
  // ciphertext.
  const ciphertext = signal.PlaintextContent.deserialize(
    Uint8Array.of(0xc0, 1, 2, 3, 0x80),
  ).asCiphertextMessage();
  const content = signal.UnidentifiedSenderMessageContent.new(
    ciphertext,
    certificate,
    0,
    null,
  ).serialize();
  const firstRecipient = signal.IdentityKeyPair.generate();
  const others = Array.from({ length: RECIPIENTS - 1 }, () => signal.IdentityKeyPair.generate());

  const { identityKeyPair } = accountInputOf(service);
  const sealer = await Sealer.create({ identityKeyPair });
  try {
    const results = await sealer.seal(
      [firstRecipient, ...others].map(({ publicKey }) => ({
        recipientIdentityKey: publicKey,
        content,
      })),
    );
    // A recipient that cannot be sealed for fails alone: look at each result.
    const envelopes = results.flatMap((result) => (result.ok ? [result.envelope] : []));
    console.log(
      `sealed for ${envelopes.length} of ${RECIPIENTS} recipients, kernel ${sealer.stats().kernel}`,
    );

    const recipient = await Sealer.create({ identityKeyPair: firstRecipient, threads: 1 });
    try {
      const trustRoots = [service.description.trustRoot];
      const [opened] = await recipient.unseal(envelopes.slice(0, 1), {
        trustRoots,
        timestamp: Date.now(),
      });
      if (!opened?.ok) throw new Error(`open the envelope: ${opened?.error.code}`);
      const isOurs = opened.sender?.serviceId === service.description.broadcaster.aci;
      console.log(
        `the first recipient opened its envelope; the certificate in it names us: ${isOurs}`,
      );
    } finally {
      await recipient.close();
    }
  } finally {
    await sealer.close(); // wipes the keys
  }
} finally {
  await service.close();
}
