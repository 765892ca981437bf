import { ChildLink } from './child-link.js';
import type {
  Decryption,
  DeviceAccount,
  LoggedRequest,
  SentText,
  ServiceDescription,
  ServiceState,
} from './protocol.js';

export type {
  BroadcasterAccount,
  DecryptedAttachment,
  Decryption,
  DeviceAccount,
  LoggedRequest,
  ServiceDescription,
  ServiceState,
} from './protocol.js';

/** On a busy machine a message takes its time; only a wait that fails takes this long. */
const DEFAULT_IDLE_TIMEOUT_MS = 120_000;

export interface StartOptions {
  readonly subscribers: number;
  /**
   * Of an earlier service, whose accounts live on in this one; if they are too few subscribers,
   * more are made.
   */
  readonly state?: ServiceState | undefined;
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
 * Signal's own mock service, in a process of its own, with a broadcaster's account and its
 * subscribers. It listens on localhost over TLS and HTTP/2, as libsignal's network connections
 * speak it; the subscribers decrypt with libsignal.
 */
export class MockService implements AsyncDisposable {
  private constructor(
    private readonly link: ChildLink,
    readonly description: ServiceDescription,
  ) {}

  static async start({ subscribers, state, onProgress }: StartOptions): Promise<MockService> {
    const link = new ChildLink();
    try {
      return new MockService(
        link,
        await link.call('start', { subscriberCount: subscribers, state }, onProgress),
      );
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  /**
   * Every newcomer among the subscribers sends a text with its profile key to the broadcaster,
   * every second one of them sealed. The broadcaster must be connected and have uploaded prekeys.
   * Resolves when its client has taken all of them.
   */
  async subscribersSayHello(
    text = 'hello',
    onProgress?: (hellosTaken: number) => void,
  ): Promise<void> {
    await this.link.call('subscribersSayHello', { text }, onProgress);
  }

  /**
   * A subscriber writes to the broadcaster, who must be connected and have uploaded prekeys.
   * Resolves when its client has taken it.
   */
  async subscriberSends(
    subscriber: string,
    text: string,
    {
      sealed = true,
      withProfileKey = true,
    }: Partial<Pick<SentText, 'sealed' | 'withProfileKey'>> = {},
  ): Promise<void> {
    await this.link.call('sendText', { subscriber, text, sealed, withProfileKey });
  }

  /**
   * A subscriber who has said hello sends a Content to the broadcaster, sealed, and puts a file on
   * the CDN before. Resolves when the broadcaster's client has taken the message.
   */
  async subscriberSendsFile(
    subscriber: string,
    content: Uint8Array<ArrayBuffer>,
    file: { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> },
  ): Promise<void> {
    await this.link.call('sendContent', { subscriber, content, file });
  }

  /**
   * Waits until the subscribers have decrypted `text`, and gives everything that any subscriber
   * decrypted. Gives up when nobody decrypts anything for a while; so whether all of them did is
   * for the caller to see.
   */
  waitForDecrypted(text: string, options: WaitOptions = {}): Promise<readonly Decryption[]> {
    const { subscribers = this.description.subscribers, idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } =
      options;
    return this.link.call(
      'waitForDecrypted',
      { text, subscribers, idleTimeoutMs },
      options.onDecryption,
    );
  }

  /** Every request that reached the service over a chat connection, as it saw them. */
  requests(): Promise<readonly LoggedRequest[]> {
    return this.link.call('requests', null);
  }

  /** Every `PUT /v1/messages/...` among them. */
  async messageRequests(): Promise<readonly LoggedRequest[]> {
    const requests = await this.requests();
    return requests.filter(({ verb, path }) => verb === 'PUT' && path.startsWith('/v1/messages/'));
  }

  /** All accounts as they are now, for a service to be started with. */
  exportState(): Promise<ServiceState> {
    return this.link.call('exportState', null);
  }

  /** From now on the service answers that this subscriber has no account. */
  async unregister(subscriber: string): Promise<void> {
    await this.link.call('unregister', { subscriber });
  }

  /**
   * A subscriber gets a new profile key, and so another access key. @returns the profile key, 32
   * bytes
   */
  rotateProfileKey(subscriber: string): Promise<Uint8Array<ArrayBuffer>> {
    return this.link.call('rotateProfileKey', { subscriber });
  }

  /**
   * The subscriber registers once more, as on a new phone: with another identity key and
   * registration id, without its sessions, and with the profile key that it had.
   */
  async reregister(subscriber: string): Promise<void> {
    await this.link.call('reregister', { subscriber });
  }

  /** Links one more device to the subscriber's account; its client is the caller's to run. */
  linkDevice(subscriber: string): Promise<DeviceAccount> {
    return this.link.call('linkDevice', { subscriber });
  }

  /**
   * The broadcaster's phone scans the code of a device that links itself. Resolves with the device
   * id, once the new device has uploaded prekeys. From then on subscribers write to that device.
   */
  scanCode(url: string): Promise<number> {
    return this.link.call('scanCode', { url });
  }

  /** Waits for the next text that the broadcaster's linked device tells its phone it has sent. */
  nextTranscript(): Promise<string> {
    return this.link.call('nextTranscript', null);
  }

  async unlinkDevice(subscriber: string, deviceId: number): Promise<void> {
    await this.link.call('unlinkDevice', { subscriber, deviceId });
  }

  /** From its next connect on, the service warns the broadcaster's device. */
  async alertBroadcaster(alert: string): Promise<void> {
    await this.link.call('alertBroadcaster', { alert });
  }

  /** From now on the service refuses registrations whose session is verified; null: no more. */
  async answerRegistrations(
    answer: { readonly code: number; readonly data: object } | null,
  ): Promise<void> {
    await this.link.call('answerRegistrations', answer);
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
