import type { PrimaryDevice } from '@signalapp/mock-server';
import type { DecryptedAttachment, Decryption } from './protocol.js';

type Message = Awaited<ReturnType<PrimaryDevice['waitForMessage']>>['dataMessage'];

function attachmentOf(pointer: Message['attachments'][number]): DecryptedAttachment {
  const copy = (bytes: Uint8Array | null | undefined): Uint8Array<ArrayBuffer> =>
    Uint8Array.from(bytes ?? []);
  return {
    cdnKey: pointer.attachmentIdentifier?.cdnKey ?? '',
    cdnNumber: pointer.cdnNumber ?? 0,
    key: copy(pointer.key),
    digest: copy(pointer.digest),
    size: pointer.size ?? 0,
    contentType: pointer.contentType ?? '',
    fileName: pointer.fileName ?? null,
    width: pointer.width ?? 0,
    height: pointer.height ?? 0,
    flags: pointer.flags ?? 0,
  };
}

/** What every subscriber has decrypted so far, and who waits to hear of more. */
export class Mailboxes {
  private readonly decryptions: Decryption[] = [];
  private readonly listeners = new Set<(decryption: Decryption) => void>();

  /** Collects whatever this subscriber decrypts from now on. */
  async collectFrom(subscriber: PrimaryDevice): Promise<never> {
    for (;;) {
      const { body, source, dataMessage } = await subscriber.waitForMessage();
      const attachments = dataMessage.attachments.map(attachmentOf);
      const decryption = {
        subscriber: subscriber.device.aci,
        text: body,
        sender: source.aci,
        ...(attachments.length > 0 && { attachments }),
      };
      this.decryptions.push(decryption);
      for (const listener of this.listeners) listener(decryption);
    }
  }

  /**
   * Waits until each of `subscribers` has decrypted `text`, or until nobody has decrypted anything
   * for `idleTimeoutMs`. Gives every decryption, of whatever text, also the ones made before the
   * call.
   */
  async waitFor(
    text: string,
    subscribers: readonly string[],
    idleTimeoutMs: number,
    onDecryption: (decryption: Decryption) => void,
  ): Promise<readonly Decryption[]> {
    const missing = new Set(subscribers);
    const hear = (decryption: Decryption): void => {
      if (decryption.text === text) missing.delete(decryption.subscriber);
      onDecryption(decryption);
    };
    for (const decryption of this.decryptions) hear(decryption);
    if (missing.size > 0) {
      await new Promise<void>((resolve) => {
        const idle = setTimeout(done, idleTimeoutMs);
        const listener = (decryption: Decryption): void => {
          hear(decryption);
          idle.refresh();
          if (missing.size === 0) done();
        };
        const { listeners } = this;
        function done(): void {
          clearTimeout(idle);
          listeners.delete(listener);
          resolve();
        }
        listeners.add(listener);
      });
    }
    return [...this.decryptions];
  }
}
