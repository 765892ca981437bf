import { ChildLink } from './child-link.js';
import type { Decryption, LoggedRequest, ServiceDescription } from './protocol.js';

export type { BroadcasterAccount, Decryption, LoggedRequest, ServiceDescription } from './protocol.js';

const DEFAULT_IDLE_TIMEOUT_MS = 15_000;

export interface StartOptions {
  readonly subscribers: number;
  readonly onProgress?: (subscribersMade: number) => void;
}

export interface WaitOptions {
  /** Whom to wait for; everybody, if not given. */
  readonly subscribers?: readonly string[];
  /** How long to wait while nobody decrypts anything. */
  readonly idleTimeoutMs?: number;
  readonly onDecryption?: (decryption: Decryption) => void;
}

/**
 * Signal's own mock service, in a process of its own, with a broadcaster's account and its subscribers. It listens on
 * localhost over TLS and HTTP/2, as libsignal's network connections speak it; the subscribers decrypt with libsignal.
 */
export class MockService implements AsyncDisposable {
  private constructor(
    private readonly link: ChildLink,
    readonly description: ServiceDescription,
  ) {}

  static async start({ subscribers, onProgress }: StartOptions): Promise<MockService> {
    const link = new ChildLink();
    try {
      return new MockService(link, await link.call('start', { subscriberCount: subscribers }, onProgress));
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  /**
   * Every subscriber sends a text with its profile key to the broadcaster, every second one of them sealed. The
   * broadcaster must be connected and have uploaded prekeys. Resolves when its client has taken all of them.
   */
  async subscribersSayHello(text = 'hello', onProgress?: (hellosTaken: number) => void): Promise<void> {
    await this.link.call('subscribersSayHello', { text }, onProgress);
  }

  /**
   * Waits until the subscribers have decrypted `text`, and gives everything that any subscriber decrypted. Gives up when
   * nobody decrypts anything for a while; so whether all of them did is for the caller to see.
   */
  waitForDecrypted(text: string, options: WaitOptions = {}): Promise<readonly Decryption[]> {
    const { subscribers = this.description.subscribers, idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } = options;
    return this.link.call('waitForDecrypted', { text, subscribers, idleTimeoutMs }, options.onDecryption);
  }

  /** Every `PUT /v1/messages/...` that reached the service, as it saw them. */
  messageRequests(): Promise<readonly LoggedRequest[]> {
    return this.link.call('messageRequests', null);
  }

  /** From now on the service answers that this subscriber has no account. */
  async unregister(subscriber: string): Promise<void> {
    await this.link.call('unregister', { subscriber });
  }

  /** Of the process that the service runs in. */
  get processId(): number {
    return this.link.processId;
  }

  close(): Promise<void> {
    return this.link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
