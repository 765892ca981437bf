// What the mock service's process and its parent say to each other. Bytes only: the service carries a libsignal of its
// own, older than ours, and objects of one copy mean nothing to the other.

/** What a broadcaster's client needs to be its account. */
export interface BroadcasterAccount {
  readonly aci: string;
  readonly number: string;
  readonly password: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** 32 bytes. */
  readonly identityPrivateKey: Uint8Array<ArrayBuffer>;
}

export interface ServiceDescription {
  readonly port: number;
  readonly caCertificateDer: Uint8Array<ArrayBuffer>;
  /** Public key that the service's certificates hang from, 33 bytes. */
  readonly trustRoot: Uint8Array<ArrayBuffer>;
  readonly broadcaster: BroadcasterAccount;
  /** Service ids of the subscribers. */
  readonly subscribers: readonly string[];
}

/** A message that a subscriber's libsignal client decrypted. */
export interface Decryption {
  readonly subscriber: string;
  readonly text: string;
  /** Service id of who sent it, as the subscriber learned it from inside the envelope. */
  readonly sender: string;
}

/** A request as it reached the service. Header names are in lower case. */
export interface LoggedRequest {
  readonly verb: string;
  /** With the query, if there was one. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Headers of the HTTP request that opened the connection. */
  readonly connectionHeaders: readonly (readonly [name: string, value: string])[];
  /** Whether the service knew which account it came from, by the connection or by the request itself. */
  readonly authenticated: boolean;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly status: number;
}

/** What the parent can ask for: what it gives, what it hears meanwhile, what it gets. */
export interface Calls {
  start: { params: { readonly subscriberCount: number }; progress: number; result: ServiceDescription };
  subscribersSayHello: { params: { readonly text: string }; progress: number; result: null };
  waitForDecrypted: {
    params: { readonly text: string; readonly subscribers: readonly string[]; readonly idleTimeoutMs: number };
    progress: Decryption;
    result: readonly Decryption[];
  };
  messageRequests: { params: null; progress: never; result: readonly LoggedRequest[] };
  unregister: { params: { readonly subscriber: string }; progress: never; result: null };
  stop: { params: null; progress: never; result: null };
}

export type CallName = keyof Calls;

export type CallMessage = {
  [Name in CallName]: { readonly id: number; readonly name: Name; readonly params: Calls[Name]['params'] };
}[CallName];

export type ReplyMessage =
  | { readonly id: number; readonly kind: 'progress'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'result'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'failure'; readonly message: string };
