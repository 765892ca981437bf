import type { SealcastError } from '../errors.js';
import type { AccessKey, Refusal, RequestOptions, Transport } from './transport.js';

/** Options of a request about our own prekeys. */
export interface PreKeyRequestOptions extends RequestOptions {
  /** The identity of ours that the prekeys are of. Default `aci`. */
  readonly identity?: 'aci' | 'pni';
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
