// A stand-in of the service for linking: provisioning connections, the request that links, and
// devices that can connect.
import { LibSignalErrorBase } from '@signalapp/libsignal-client';
import type { AuthenticatedConnection, ChatAccount, UnauthenticatedConnection } from 'sealcast';
import type { LinkSource, ProvisioningListener } from '#dist/src/transport/chat/link-source.js';

/** Answer to a raw request. */
export interface RawAnswer {
  readonly status: number;
  readonly headers?: readonly [string, string][];
  readonly json?: unknown;
}

/** A provisioning connection as the service sees it. */
export class FakeProvisioning {
  isOpen = true;
  /** Status codes of the acknowledgements, in order. */
  readonly acks: number[] = [];

  constructor(
    readonly address: string,
    readonly listener: ProvisioningListener,
  ) {}

  readonly #ack = { send: (status: number): void => void this.acks.push(status) };

  name(address = this.address): void {
    this.listener.onReceivedAddress(address, this.#ack);
  }

  deliver(envelope: Uint8Array<ArrayBuffer>): void {
    this.listener.onReceivedEnvelope(envelope, this.#ack);
  }

  /** The service closes it, as after 90 s. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.listener.onConnectionInterrupted(new Error('the connection was closed: 1000 Timeout'));
  }
}

/** Body of a request that links, as far as tests read it. */
export interface LinkBody {
  readonly verificationCode: string;
  readonly accountAttributes: {
    readonly registrationId: number;
    readonly pniRegistrationId?: number;
    readonly name: string;
    readonly capabilities: Record<string, boolean>;
    readonly fetchesMessages: boolean;
  };
  readonly [key: string]: unknown;
}

export interface LinkRequest {
  readonly path: string;
  readonly verb: string;
  readonly user: string;
  readonly password: string;
  readonly body: LinkBody;
}

type Fetch = UnauthenticatedConnection['fetch'];
type Request = Parameters<Fetch>[0];
type Answer = Awaited<ReturnType<Fetch>>;

function answerOf({ status, headers = [], json }: RawAnswer): Answer {
  const body = json === undefined ? undefined : new TextEncoder().encode(JSON.stringify(json));
  return { status, message: '', headers: [...headers], body };
}

export class FakeLinkService implements LinkSource {
  readonly provisionings: FakeProvisioning[] = [];
  readonly links: LinkRequest[] = [];
  /** User names of the attempts to connect as a device, in order. */
  readonly attempts: string[] = [];
  /** Passwords by user name. */
  readonly devices = new Map<string, string>();
  openConnections = 0;
  /** Whether new provisioning connections are named at once. */
  namesAtOnce = true;
  /** Thrown at the next attempts to open a provisioning connection. */
  readonly provisioningErrors: Error[] = [];
  /** Thrown at attempts to connect as a device, in order; null: no error. */
  readonly deviceErrors: (Error | null)[] = [];
  /** Answers in place of the service's own, in order; an error is a lost connection. */
  readonly answers: (RawAnswer | Error | ((request: LinkRequest) => Promise<RawAnswer>))[] = [];
  pni: string | null = null;

  get open(): readonly FakeProvisioning[] {
    return this.provisionings.filter(({ isOpen }) => isOpen);
  }

  get newest(): FakeProvisioning {
    const newest = this.provisionings[this.provisionings.length - 1];
    if (newest === undefined) throw new Error('no provisioning connection was opened');
    return newest;
  }

  connectProvisioning(
    listener: ProvisioningListener,
  ): ReturnType<LinkSource['connectProvisioning']> {
    const error = this.provisioningErrors.shift();
    if (error !== undefined) return Promise.reject(error);
    const provisioning = new FakeProvisioning(`address-${this.provisionings.length}==`, listener);
    this.provisionings.push(provisioning);
    if (this.namesAtOnce) setImmediate(() => provisioning.name());
    const disconnect = (): Promise<void> => {
      if (provisioning.isOpen) {
        provisioning.isOpen = false;
        listener.onConnectionInterrupted(null);
      }
      return Promise.resolve();
    };
    return Promise.resolve({ disconnect });
  }

  connectUnauthenticated(): ReturnType<LinkSource['connectUnauthenticated']> {
    this.openConnections += 1;
    return Promise.resolve({
      fetch: async (request: Request) => answerOf(await this.#link(request)),
      disconnect: () => this.#disconnected(),
    });
  }

  connectAs({ username, password }: ChatAccount): Promise<AuthenticatedConnection> {
    this.attempts.push(username);
    const error = this.deviceErrors.shift();
    if (error instanceof Error) return Promise.reject(error);
    if (this.devices.get(username) !== password)
      return Promise.reject(new LibSignalErrorBase('delinked', 'DeviceDelinked', 'connect'));
    this.openConnections += 1;
    const [uuid] = username.split('.');
    return Promise.resolve({
      fetch: () => Promise.resolve(answerOf({ status: 200, json: { uuid } })),
      disconnect: () => this.#disconnected(),
    });
  }

  /** Links a device as the service does, for a test that answers otherwise. */
  accept({ user, password }: LinkRequest): RawAnswer {
    let deviceId = 2;
    while (this.devices.has(`${user}.${deviceId}`)) deviceId += 1;
    this.devices.set(`${user}.${deviceId}`, password);
    return { status: 200, json: { uuid: user, pni: this.pni, deviceId } };
  }

  async #link({ verb, path, headers, body }: Request): Promise<RawAnswer> {
    const authorization = headers.find(([name]) => name === 'authorization')?.[1] ?? '';
    const [user = '', password = ''] = Buffer.from(authorization.slice('Basic '.length), 'base64')
      .toString()
      .split(':');
    const text = Buffer.from(body ?? new Uint8Array(0)).toString();
    const request = { verb, path, user, password, body: JSON.parse(text) as LinkBody };
    this.links.push(request);
    const answer = this.answers.shift();
    if (answer instanceof Error) throw answer;
    if (typeof answer === 'function') return answer(request);
    return answer ?? this.accept(request);
  }

  #disconnected(): Promise<void> {
    this.openConnections -= 1;
    return Promise.resolve();
  }
}
