import type { SealcastError } from '../errors.js';

/** A prekey bundle of one device, as the service hands it out: numbers and serialized keys. */
export interface PreKeyBundleFields {
  readonly deviceId: number;
  readonly registrationId: number;
  /** Absent when the device has run out of one-time prekeys. */
  readonly preKeyId?: number;
  readonly preKeyPublic?: Uint8Array<ArrayBuffer>;
  readonly signedPreKeyId: number;
  readonly signedPreKeyPublic: Uint8Array<ArrayBuffer>;
  readonly signedPreKeySignature: Uint8Array<ArrayBuffer>;
  readonly kyberPreKeyId: number;
  readonly kyberPreKeyPublic: Uint8Array<ArrayBuffer>;
  readonly kyberPreKeySignature: Uint8Array<ArrayBuffer>;
}

/** Message to one device. */
export interface OutboundMessage {
  readonly deviceId: number;
  readonly registrationId: number;
  /** An envelope when sent sealed, otherwise the ratchet's ciphertext. */
  readonly content: Uint8Array<ArrayBuffer>;
}
/** Sent unsealed: the service has to be told what kind of ciphertext it is. */
export interface UnsealedMessage extends OutboundMessage {
  /**
   * `prekey` establishes a session, `whisper` goes on with one; `plaintext` is no secret: that a
   * message could not be decrypted.
   */
  readonly type: 'prekey' | 'whisper' | 'plaintext';
}

/** Why a request may be answered without a name: the recipient's access key, 16 bytes. */
export type AccessKey = Uint8Array<ArrayBuffer>;

/** Options of every request. */
export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of a request about our own prekeys. */
export interface PreKeyRequestOptions extends RequestOptions {
  /** The identity of ours that the prekeys are of. Default `aci`. */
  readonly identity?: 'aci' | 'pni';
}

interface SendRequest {
  /** Service id: a UUID (an ACI), or `PNI:` and a UUID. */
  readonly destination: string;
  /** ms since the epoch; with the sender, what receivers recognize a message by */
  readonly timestamp: number;
  /** Only if the recipient is connected right now. */
  readonly online: boolean;
  /** Whether the recipient's phone is to be woken up. */
  readonly urgent: boolean;
}
/** Request to send a sealed message to all devices of a recipient. */
export interface SealedSend extends SendRequest {
  readonly accessKey: AccessKey;
  /** All devices of the recipient: the service takes all or none. */
  readonly messages: readonly OutboundMessage[];
}
/** Request to send an unsealed message to all devices of a recipient. */
export interface UnsealedSend extends SendRequest {
  readonly messages: readonly UnsealedMessage[];
}

/**
 * Answer of a service that does not do a request. Refusals are answers, not exceptions: a fan-out
 * meets each of them, and goes on.
 */
export type Refusal =
  /** 401, 403: the access key is not the recipient's, or there is no such account. */
  | { readonly status: 'unauthorized' }
  /** 404: no such account or device. */
  | { readonly status: 'not-found' }
  /**
   * 409, 410: which devices are missing from the request, are no longer there, or have other
   * registration ids.
   */
  | {
      readonly status: 'mismatched-devices';
      readonly missing: readonly number[];
      readonly extra: readonly number[];
      readonly stale: readonly number[];
    }
  /** 413 */
  | { readonly status: 'too-large' }
  /** 428: to be answered by a person or a push token before the service takes more. */
  | {
      readonly status: 'challenge';
      /**
       * Empty where libsignal does not pass it on, which is on all but unsealed sends: only they
       * are challenged.
       */
      readonly token: string;
      readonly options: readonly string[];
      readonly retryAfterMs?: number;
    }
  /** 429 */
  | { readonly status: 'rate-limited'; readonly retryAfterMs: number }
  /**
   * 5xx, a lost connection, a time-out: whether the service did it is not known. `httpStatus` is
   * that of an answer, and absent where none came: a service that answers everything with 5xx is
   * waited for less long than a network that is down.
   */
  | {
      readonly status: 'unavailable';
      readonly httpStatus?: number;
      readonly retryAfterMs?: number;
      readonly cause?: unknown;
    }
  /**
   * Any other answer, or an unreadable one: asking again would give the same. `httpStatus` is 0
   * where there was none; 499 (this client is too old) counts as a rejection with
   * ERR_TRANSPORT_REFUSED.
   */
  | { readonly status: 'rejected'; readonly httpStatus: number; readonly cause?: unknown };

/** Answer to a message that was sent. */
export type SendOutcome = { readonly status: 'sent' } | Refusal;

/** Answer to a request for prekey bundles. */
export type PreKeysOutcome =
  | {
      readonly status: 'ok';
      /** 33 bytes */
      readonly identityKey: Uint8Array<ArrayBuffer>;
      readonly bundles: readonly PreKeyBundleFields[];
    }
  | Refusal;

/** Answer to the question whether an account exists. */
export type AccountExistsOutcome = { readonly status: 'ok'; readonly exists: boolean } | Refusal;
/** A sender certificate, serialized, as the service signed it. */
export type CertificateOutcome =
  { readonly status: 'ok'; readonly certificate: Uint8Array<ArrayBuffer> } | Refusal;

/** Time of the service, as an answer of it tells it. */
export interface ServerTime {
  /**
   * ms since the epoch, when the service answered; where it tells seconds, the middle of that
   * second.
   */
  readonly serverMs: number;
  /** ms from the request's start to its answer, without the wait for a connection. */
  readonly roundTripMs: number;
}

/**
 * The way to the service. Nothing here throws for what the service or the network does: see {@link
 * Refusal}. All methods reject with ERR_INVALID_ARGUMENT for arguments of a wrong form, with
 * ERR_ABORTED when their signal fires, and with ERR_CLOSED after `close()`. They reject with
 * ERR_TRANSPORT_REFUSED, and what libsignal said as its `cause`, where the service refuses the
 * connection they need for good: the device was delinked, or the account is connected elsewhere
 * (which concerns what is asked as the account), or this version of libsignal has expired (which
 * concerns all). No time mends that, a person does.
 *
 * An answer of another form than these outcomes, or a method that throws instead of returning a
 * promise, counts as `rejected` with `httpStatus` 0: it fails the recipient that the request was
 * for. Any other rejection stops a broadcast, which can be resumed.
 */
export interface Transport extends AsyncDisposable {
  /**
   * `PUT /v1/messages/{destination}`, unauthenticated.
   *
   * @example
   * const { status } = await transport.sendSealed({
   *   destination, accessKey, timestamp: Date.now(), online: false, urgent: true,
   *   messages: [{ deviceId: 1, registrationId: 4711, content: envelope }],
   * });
   */
  sendSealed(request: SealedSend, options?: RequestOptions): Promise<SendOutcome>;
  /**
   * The same, as the account: the service then knows who writes to whom.
   *
   * @example
   * const { status } = await transport.sendUnsealed({
   *   destination, timestamp: Date.now(), online: false, urgent: true,
   *   messages: [{ deviceId: 1, registrationId: 4711, type: 'whisper', content: ciphertext }],
   * });
   */
  sendUnsealed(request: UnsealedSend, options?: RequestOptions): Promise<SendOutcome>;
  /**
   * `GET /v2/keys/{destination}/{device}`: unauthenticated with an access key, authenticated with
   * null.
   *
   * @example
   * const keys = await transport.fetchPreKeys({ destination, device: 'all', accessKey });
   * if (keys.status === 'ok') console.log(keys.bundles.length);
   */
  fetchPreKeys(
    request: {
      readonly destination: string;
      readonly device: 'all' | number;
      readonly accessKey: AccessKey | null;
    },
    options?: RequestOptions,
  ): Promise<PreKeysOutcome>;
  /**
   * `HEAD /v1/accounts/account/{serviceId}`, unauthenticated.
   *
   * @example
   * const answer = await transport.accountExists(serviceId);
   * if (answer.status === 'ok') console.log(answer.exists);
   */
  accountExists(serviceId: string, options?: RequestOptions): Promise<AccountExistsOutcome>;
  /**
   * `GET /v1/certificate/delivery`, as the account.
   *
   * @example
   * const answer = await transport.fetchSenderCertificate({ includePhoneNumber: false });
   * if (answer.status === 'ok') console.log(answer.certificate.length);
   */
  fetchSenderCertificate(
    request: { readonly includePhoneNumber: boolean },
    options?: RequestOptions,
  ): Promise<CertificateOutcome>;
  /**
   * Has the listener hear of the service's time, at the moment that an answer with one comes: of
   * any request, and of any status. By it the account's clock is corrected. Optional: without it
   * the local clock has to be right.
   *
   * Only answers have it: a message that is delivered may have waited for weeks.
   *
   * @returns a call that ends it.
   * @example
   * const stop = transport.onServerTime?.(({ serverMs }) => console.log(new Date(serverMs)));
   */
  onServerTime?(listener: (time: ServerTime) => void): () => void;
  /**
   * Ends all connections; requests on their way reject with ERR_CLOSED.
   *
   * @example
   * await transport.close();
   */
  close(): Promise<void>;
}

/**
 * Tells the service what became of an incoming message; libsignal's `ChatServerMessageAck` is one.
 */
export interface MessageAck {
  /**
   * 200 takes the message out of the service's queue. Throws when the connection that it came over
   * is gone.
   */
  send(statusCode: number): void;
}

/** Listener for messages and events of the account. Its exceptions are thrown at the process. */
export interface TransportListener {
  /**
   * A message: an Envelope of the service, serialized, and the service's time, ms since the epoch.
   * It stays in the service's queue until `ack.send(200)`; without this listener, nothing is
   * acknowledged.
   */
  onIncomingMessage?(envelope: Uint8Array<ArrayBuffer>, timestampMs: number, ack: MessageAck): void;
  /**
   * Messages that were queued when the account connected have been delivered; after every connect.
   */
  onQueueEmpty?(): void;
  /**
   * Alerts of the service for this device, after a connect: `idle-primary-device` where the phone
   * has not been seen for 30 days, and its linked devices are removed at 90.
   */
  onAlerts?(alerts: readonly string[]): void;
  /**
   * The account's connection was lost; it is made again, unless the service refuses it for good.
   * Without a cause where it was ended on purpose, for the service to deliver again.
   */
  onConnectionInterrupted?(cause: Error | null): void;
  /**
   * The account's connection will not be made again, and nothing more comes: ERR_TRANSPORT_REFUSED
   * where the service refuses the account or this client for good (`cause`: what libsignal said),
   * ERR_CLOSED where the transport was closed. Told once, also to a listener that came later. A
   * transport that never calls it leaves its listener waiting in silence.
   */
  onConnectionEnded?(error: SealcastError): void;
}

/** A profile as the service returns it. Its encrypted fields stay encrypted. */
export interface FetchedProfile {
  /** 33 bytes */
  readonly identityKey: Uint8Array<ArrayBuffer>;
  /** HMAC-SHA256(access key, 0^32), 32 bytes; absent where the account takes no sealed messages. */
  readonly verifier?: Uint8Array<ArrayBuffer>;
  /** Whether anybody may send sealed. */
  readonly unrestricted: boolean;
  /** Encrypted with the profile key; absent unless that key's version was asked for. */
  readonly name?: Uint8Array<ArrayBuffer>;
}
/** Answer to a request for a profile. */
export type ProfileOutcome = ({ readonly status: 'ok' } & FetchedProfile) | Refusal;

/** How many one-time prekeys the service still has of this device. */
export type PreKeyCountOutcome =
  { readonly status: 'ok'; readonly preKeys: number; readonly kyberPreKeys: number } | Refusal;

/** Public half of a one-time prekey. */
export interface PublicPreKey {
  /** 1 to 2^24 - 1 */
  readonly id: number;
  /** Serialized, with its type byte: 33 bytes, or the 1,569 of Kyber1024. */
  readonly publicKey: Uint8Array;
}
/** Public half of a prekey, with its signature by the identity key. */
export interface SignedPublicPreKey extends PublicPreKey {
  /** 64 bytes */
  readonly signature: Uint8Array;
}
/**
 * Public halves of prekeys for the service. An absent field leaves the service's as it is; a list
 * replaces the service's, at most 100 keys each. An empty list does not.
 */
export interface PreKeyUpload {
  readonly preKeys?: readonly PublicPreKey[];
  readonly signedPreKey?: SignedPublicPreKey;
  readonly kyberPreKeys?: readonly SignedPublicPreKey[];
  readonly lastResortKyberPreKey?: SignedPublicPreKey;
}

/**
 * Attributes of the account and this device, all of them: the service replaces what it has, and
 * clears what is left out (a registration lock too).
 */
export interface AccountAttributes {
  readonly fetchesMessages: boolean;
  /** 1 to 16,383, both of them. */
  readonly registrationId: number;
  readonly pniRegistrationId: number;
  /** The device's name, as it was encrypted for the account, at most 225 bytes; null: none. */
  readonly encryptedDeviceName: Uint8Array | null;
  /** 64 lower-case hex digits; null: none. */
  readonly registrationLock: string | null;
  /** 16 bytes */
  readonly accessKey: Uint8Array;
  /** Whether anybody may send sealed. */
  readonly unrestrictedAccess: boolean;
  readonly discoverableByPhoneNumber: boolean;
  readonly capabilities: Readonly<Record<string, boolean>>;
  /** 32 bytes; null: none. */
  readonly recoveryPassword: Uint8Array | null;
}

/**
 * A profile for the holders of its key: encrypted with it, but for version and commitment, which
 * are made of it. An absent or empty field is cleared; an avatar stays.
 */
export interface ProfileUpload {
  /** Of the profile key: 64 lower-case hex digits. */
  readonly version: string;
  /** 97 bytes */
  readonly commitment: Uint8Array;
  /** 81 or 285 bytes: padded, then encrypted, as the others are. */
  readonly name: Uint8Array;
  /** 156, 282 or 540 bytes */
  readonly about?: Uint8Array;
  /** 60 bytes */
  readonly aboutEmoji?: Uint8Array;
  /** 582 bytes */
  readonly paymentAddress?: Uint8Array;
  /** 29 bytes */
  readonly phoneNumberSharing?: Uint8Array;
  readonly badgeIds: readonly string[];
}

/** A device of the account, the primary one among them. */
export interface LinkedDevice {
  readonly deviceId: number;
  /** ms since the epoch, of the day on which the service last saw it. */
  readonly lastSeenMs: number;
  readonly registrationId?: number;
  /** Encrypted for the account; absent: it has none. */
  readonly encryptedName?: Uint8Array<ArrayBuffer>;
}
/** Answer to a request for the account's devices. */
export type DevicesOutcome =
  { readonly status: 'ok'; readonly devices: readonly LinkedDevice[] } | Refusal;

/**
 * Answer of the storage service: a serialized protobuf message of it. `unchanged`: the version that
 * is known is the present one.
 */
export type StorageOutcome =
  | { readonly status: 'ok'; readonly body: Uint8Array<ArrayBuffer> }
  | { readonly status: 'unchanged' }
  | Refusal;

/** Answer to a request that changes data of the account. */
export type DoneOutcome = { readonly status: 'ok' } | Refusal;

/** A {@link Transport} that also receives messages, and changes the account's own data. */
export interface AccountTransport extends Transport {
  /**
   * Gives the listener the account's messages, first those since it connected. One listener at a
   * time.
   *
   * @returns a function that ends it; later messages wait for the next listener, unacknowledged.
   * @throws SealcastError ERR_INVALID_ARGUMENT: there is one already; ERR_CLOSED.
   * @example
   * const stop = transport.receive({ onQueueEmpty: () => console.log('up to date') });
   */
  receive(listener: TransportListener): () => void;
  /**
   * Makes the service deliver unacknowledged messages again: the account's connection is replaced.
   *
   * @example
   * transport.redeliver();
   */
  redeliver(): void;
  /**
   * `GET /v1/profile/{serviceId}[/{version}]`: unauthenticated with an access key, else as the
   * account.
   *
   * @example
   * const profile = await transport.fetchProfile({ serviceId, accessKey: null });
   * if (profile.status === 'ok') console.log(profile.unrestricted);
   */
  fetchProfile(
    request: {
      readonly serviceId: string;
      /**
       * Version of the contact's profile key, 64 lower-case hex digits; only an ACI's profile has
       * versions.
       */
      readonly version?: string;
      readonly accessKey: AccessKey | null;
    },
    options?: RequestOptions,
  ): Promise<ProfileOutcome>;
  /**
   * `GET /v2/keys?identity=aci` or `=pni`, as the account.
   *
   * @example
   * const count = await transport.countPreKeys();
   * if (count.status === 'ok') console.log(count.preKeys, count.kyberPreKeys);
   */
  countPreKeys(options?: PreKeyRequestOptions): Promise<PreKeyCountOutcome>;
  /**
   * `PUT /v2/keys?identity=aci` or `=pni`, as the account.
   *
   * @example
   * const { status } = await transport.uploadPreKeys({ preKeys, signedPreKey });
   */
  uploadPreKeys(upload: PreKeyUpload, options?: PreKeyRequestOptions): Promise<DoneOutcome>;
  /**
   * `PUT /v1/accounts/attributes/`, as the account.
   *
   * @example
   * const { status } = await transport.setAccountAttributes(attributes);
   */
  setAccountAttributes(
    attributes: AccountAttributes,
    options?: RequestOptions,
  ): Promise<DoneOutcome>;
  /**
   * `PUT /v1/profile`, as the account.
   *
   * @example
   * const { status } = await transport.setProfile(profile);
   */
  setProfile(profile: ProfileUpload, options?: RequestOptions): Promise<DoneOutcome>;
  /**
   * `PUT /v1/devices/capabilities`, as the account: replaces the set of this device. Optional:
   * without it, the service keeps the set with which the device was linked or registered.
   *
   * @example
   * await transport.setCapabilities?.({ spqr: true });
   */
  setCapabilities?(
    capabilities: Readonly<Record<string, boolean>>,
    options?: RequestOptions,
  ): Promise<DoneOutcome>;
  /**
   * `PUT /v1/challenge`, as the account: answers a challenge (428) with a solved captcha. A wrong
   * one is answered with `challenge` again. Optional: another program may answer it.
   *
   * @example
   * const answer = await transport.answerChallenge?.({ token, captcha });
   * if (answer?.status === 'challenge') console.log('the captcha is wrong');
   */
  answerChallenge?(
    answer: { readonly token: string; readonly captcha: string },
    options?: RequestOptions,
  ): Promise<DoneOutcome>;
  /**
   * `GET /v1/devices`, as the account. Optional.
   *
   * @example
   * const answer = await transport.fetchDevices?.();
   * if (answer?.status === 'ok') console.log(answer.devices.length);
   */
  fetchDevices?(options?: RequestOptions): Promise<DevicesOutcome>;
  /**
   * `DELETE /v1/devices/{deviceId}`, as the account: a primary device removes any linked one, a
   * linked device itself. Optional.
   *
   * @example
   * const answer = await transport.removeDevice?.(2);
   */
  removeDevice?(deviceId: number, options?: RequestOptions): Promise<DoneOutcome>;
  /**
   * `GET /v1/storage/manifest/version/{after}` of the storage service: a StorageManifest, unless
   * that version is the present one. A linked device finds the account's new profile key there.
   * Optional: without it, a linked device sends no profile key once the phone has replaced it.
   *
   * @example
   * const answer = await transport.fetchStorageManifest?.({ after: 0 });
   */
  fetchStorageManifest?(
    request: { readonly after: number },
    options?: RequestOptions,
  ): Promise<StorageOutcome>;
  /**
   * `PUT /v1/storage/read` of the storage service: a ReadOperation, for StorageItems. Optional, as
   * the manifest.
   *
   * @example
   * const answer = await transport.fetchStorageItems?.({ body: readOperation });
   */
  fetchStorageItems?(
    request: { readonly body: Uint8Array },
    options?: RequestOptions,
  ): Promise<StorageOutcome>;
}
