import type {
  ChatServerMessageAck,
  ChatServiceListener,
} from '@signalapp/libsignal-client/dist/net.js';

export interface IncomingMessage {
  /** An Envelope of the service, serialized. */
  readonly envelopeBytes: Uint8Array<ArrayBuffer>;
  readonly ack: ChatServerMessageAck;
}

/**
 * What an authenticated connection delivers, to be taken in batches: whatever has come in since the
 * last one.
 */
export class Inbox implements ChatServiceListener {
  private readonly waiting: IncomingMessage[] = [];
  private ended = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  onIncomingMessage(
    envelopeBytes: Uint8Array<ArrayBuffer>,
    _timestampMs: number,
    ack: ChatServerMessageAck,
  ): void {
    this.waiting.push({ envelopeBytes, ack });
    this.wake?.();
  }

  onQueueEmpty(): void {
    // Nothing was queued for an account that is a moment old, and what matters here comes later.
  }

  onConnectionInterrupted(cause: Error | null): void {
    if (cause !== null)
      this.failure = new Error('the connection to the service was lost', { cause });
    this.end();
  }

  /** No more is expected: whoever takes batches gets what is there, and then no more. */
  end(): void {
    this.ended = true;
    this.wake?.();
  }

  async *batches(): AsyncGenerator<readonly IncomingMessage[]> {
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      if (this.waiting.length > 0) {
        yield this.waiting.splice(0);
      } else if (this.ended) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    }
  }
}
