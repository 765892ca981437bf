// What the mock service's process and its parent say to each other. Bytes only: the service carries
// a libsignal of its own, older than ours, and objects of one copy mean nothing to the other.

/** What a client needs to be one device of an account. */
export interface DeviceAccount {
  readonly aci: string;
  readonly password: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** 32 bytes. */
  readonly identityPrivateKey: Uint8Array<ArrayBuffer>;
}

export interface BroadcasterAccount extends DeviceAccount {
  readonly number: string;
}

type Keyed<Id> = readonly (readonly [id: Id, record: Uint8Array<ArrayBuffer>])[];

/**
 * An account and what its first device remembers, for a service that is started later to go on
 * with.
 */
export interface AccountState {
  readonly aci: string;
  readonly number?: string;
  readonly registrationId: number;
  /** 32 bytes each. */
  readonly identityPrivateKey: Uint8Array<ArrayBuffer>;
  readonly profileKey: Uint8Array<ArrayBuffer>;
  readonly lastKeyIds: {
    readonly oneTime: number;
    readonly signed: number;
    readonly kyber: number;
  };
  readonly preKeys: Keyed<number>;
  readonly signedPreKeys: Keyed<number>;
  readonly kyberPreKeys: Keyed<number>;
  /** Which of them stay when they are used. */
  readonly lastResortIds: readonly number[];
  readonly sessions: Keyed<string>;
}

export interface PublicKeyState {
  readonly keyId: number;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly signature?: Uint8Array<ArrayBuffer>;
}
/** What a client uploaded for others to begin sessions with. */
export interface UploadedKeys {
  readonly signedPreKey: PublicKeyState;
  readonly lastResortKey: PublicKeyState;
  readonly preKeys: readonly PublicKeyState[];
  readonly kyberPreKeys: readonly PublicKeyState[];
}

/** All accounts of a service. Devices that were linked to them are left out. */
export interface ServiceState {
  readonly broadcaster: AccountState & {
    readonly password: string;
    readonly uploaded: UploadedKeys | undefined;
  };
  readonly subscribers: readonly (AccountState & { readonly hasSaidHello: boolean })[];
}

export interface ServiceDescription {
  readonly port: number;
  readonly caCertificateDer: Uint8Array<ArrayBuffer>;
  /** Public key that the service's certificates hang from, 33 bytes. */
  readonly trustRoot: Uint8Array<ArrayBuffer>;
  readonly broadcaster: BroadcasterAccount;
  /** Service ids of the subscribers. */
  readonly subscribers: readonly string[];
  /** Those among them who had not said hello to the broadcaster when the service was started. */
  readonly newcomers: readonly string[];
}

/** What a subscriber writes to the broadcaster. */
export interface SentText {
  readonly subscriber: string;
  readonly text: string;
  readonly sealed: boolean;
  readonly withProfileKey: boolean;
}

/** Content that a subscriber sends to the broadcaster, and a file that is on the CDN before. */
export interface SentContent {
  readonly subscriber: string;
  /** Serialized Content. */
  readonly content: Uint8Array<ArrayBuffer>;
  readonly file: { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> };
}

/** A message that a subscriber's libsignal client decrypted. */
export interface Decryption {
  readonly subscriber: string;
  readonly text: string;
  /** Service id of who sent it, as the subscriber learned it from inside the envelope. */
  readonly sender: string;
  /** Absent where it has none. */
  readonly attachments?: readonly DecryptedAttachment[];
}

/** Attachment of a message, as the subscriber's own protobufs read it. */
export interface DecryptedAttachment {
  readonly cdnKey: string;
  readonly cdnNumber: number;
  readonly key: Uint8Array<ArrayBuffer>;
  readonly digest: Uint8Array<ArrayBuffer>;
  readonly size: number;
  readonly contentType: string;
  readonly fileName: string | null;
  readonly width: number;
  readonly height: number;
  readonly flags: number;
}

/** A request as it reached the service. Header names are in lower case. */
export interface LoggedRequest {
  readonly verb: string;
  /** With the query, if there was one. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Headers of the HTTP request that opened the connection. */
  readonly connectionHeaders: readonly (readonly [name: string, value: string])[];
  /**
   * Whether the service knew which account it came from, by the connection or by the request
   * itself.
   */
  readonly authenticated: boolean;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly status: number;
}

/** What the parent can ask for: what it gives, what it hears meanwhile, what it gets. */
export interface Calls {
  start: {
    params: { readonly subscriberCount: number; readonly state: ServiceState | undefined };
    progress: number;
    result: ServiceDescription;
  };
  exportState: { params: null; progress: never; result: ServiceState };
  subscribersSayHello: { params: { readonly text: string }; progress: number; result: null };
  sendText: { params: SentText; progress: never; result: null };
  sendContent: { params: SentContent; progress: never; result: null };
  waitForDecrypted: {
    params: {
      readonly text: string;
      readonly subscribers: readonly string[];
      readonly idleTimeoutMs: number;
    };
    progress: Decryption;
    result: readonly Decryption[];
  };
  requests: { params: null; progress: never; result: readonly LoggedRequest[] };
  unregister: { params: { readonly subscriber: string }; progress: never; result: null };
  reregister: { params: { readonly subscriber: string }; progress: never; result: null };
  rotateProfileKey: {
    params: { readonly subscriber: string };
    progress: never;
    result: Uint8Array<ArrayBuffer>;
  };
  linkDevice: { params: { readonly subscriber: string }; progress: never; result: DeviceAccount };
  nextTranscript: { params: null; progress: never; result: string };
  scanCode: { params: { readonly url: string }; progress: never; result: number };
  unlinkDevice: {
    params: { readonly subscriber: string; readonly deviceId: number };
    progress: never;
    result: null;
  };
  /** The service warns the broadcaster's devices, from their next connect on. */
  alertBroadcaster: { params: { readonly alert: string }; progress: never; result: null };
  /** The service answers registrations so, once their session is verified; null: as usual. */
  answerRegistrations: {
    params: { readonly code: number; readonly data: object } | null;
    progress: never;
    result: null;
  };
  stop: { params: null; progress: never; result: null };
}

export type CallName = keyof Calls;

export type CallMessage = {
  [Name in CallName]: {
    readonly id: number;
    readonly name: Name;
    readonly params: Calls[Name]['params'];
  };
}[CallName];

export type ReplyMessage =
  | { readonly id: number; readonly kind: 'progress'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'result'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'failure'; readonly message: string };
