import type {
  AuthenticatedConnection,
  AuthenticatedListener,
  ConnectionSource,
  UnauthenticatedConnection,
} from 'sealcast';

type Fetch = AuthenticatedConnection['fetch'];

/** A connection as the account, whose every event is the test's to make. */
export class HandMadeConnection implements AuthenticatedConnection {
  isOpen = true;
  /** What was acknowledged over it. */
  readonly acknowledged: string[] = [];

  constructor(
    private readonly listener: AuthenticatedListener,
    private readonly ended: () => Promise<void>,
  ) {}

  /** @param size of the envelope in bytes, zeros behind the text. */
  deliver(text: string, size = text.length): void {
    const envelope = new Uint8Array(size);
    envelope.set(Buffer.from(text));
    this.listener.onIncomingMessage(envelope, 1_000, {
      send: () => {
        if (!this.isOpen) throw new Error('the connection is gone');
        this.acknowledged.push(text);
      },
    });
  }

  queueEmpty(): void {
    this.listener.onQueueEmpty();
  }

  alert(alerts: readonly string[]): void {
    this.listener.onReceivedAlerts?.(alerts);
  }

  interrupt(cause: Error | null = new Error('lost')): void {
    this.isOpen = false;
    this.listener.onConnectionInterrupted(cause);
  }

  readonly fetch: Fetch = () =>
    Promise.resolve({
      status: 200,
      message: 'OK',
      headers: [],
      body: Buffer.from('{"count":1,"pqCount":2}'),
    });

  disconnect(): Promise<void> {
    this.isOpen = false;
    return this.ended();
  }
}

/**
 * Where connections come from that are objects in memory: as the account, and one as nobody that
 * nothing is asked of.
 */
export class HandMadeConnections implements ConnectionSource {
  /**
   * As the account, in the order in which they were made; also those that are not in the
   * transport's hands yet.
   */
  readonly all: HandMadeConnection[] = [];
  nobodys = 0;
  /** What an attempt to connect as the account waits for before its connection is in hand. */
  connected: (connection: HandMadeConnection) => Promise<void> = () => Promise.resolve();
  /** What the end of a connection waits for. */
  ended: () => Promise<void> = () => Promise.resolve();

  get newest(): HandMadeConnection {
    const [newest] = this.all.slice(-1);
    if (newest === undefined) throw new Error('nobody connected');
    return newest;
  }

  get open(): readonly HandMadeConnection[] {
    return this.all.filter(({ isOpen }) => isOpen);
  }

  async connectAuthenticated(listener: AuthenticatedListener): Promise<AuthenticatedConnection> {
    const connection = new HandMadeConnection(listener, () => this.ended());
    this.all.push(connection);
    await this.connected(connection);
    return connection;
  }

  connectUnauthenticated(): Promise<UnauthenticatedConnection> {
    this.nobodys += 1;
    return Promise.resolve({ disconnect: () => Promise.resolve() } as UnauthenticatedConnection);
  }
}

/** A promise, and what resolves it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}
