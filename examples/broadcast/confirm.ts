import type { MockService } from '../../test/mock-service/mock-service.js';
import type { Failure } from './failure.js';

export interface Confirmation {
  /** Service ids of who decrypted the text, and learned that the broadcaster sent it. */
  readonly decrypted: ReadonlySet<string>;
  readonly failures: readonly Failure[];
}

/**
 * Waits until the recipients' libsignal clients decrypted the message.
 *
 * The texts that they report are compared with the one that was sent.
 */
export async function confirmDecrypted(
  service: MockService,
  text: string,
  recipients: readonly string[],
  onDecrypted: (decrypted: number) => void,
): Promise<Confirmation> {
  const { aci } = service.description.broadcaster;
  const expected = new Set(recipients);
  const decrypted = new Set<string>();
  const wrongTexts = new Set<string>();
  await service.waitForDecrypted(text, {
    subscribers: [...expected],
    onDecryption: ({ subscriber, text: textSeen, sender }) => {
      if (!expected.has(subscriber)) return;
      if (textSeen !== text || sender !== aci) wrongTexts.add(subscriber);
      else decrypted.add(subscriber);
      onDecrypted(decrypted.size);
    },
  });
  const failures = [...expected]
    .filter((serviceId) => !decrypted.has(serviceId))
    .map((serviceId): Failure => {
      const reason = wrongTexts.has(serviceId)
        ? 'decrypted another text or sender'
        : 'decrypted nothing';
      return { serviceId, at: 'confirm', error: new Error(`the subscriber ${reason}`) };
    });
  return { decrypted, failures };
}
