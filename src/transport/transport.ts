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

/** Username, with its discriminator, or the parts of a link to it. */
export type UsernameLookUp =
  | { readonly username: string }
  | {
      readonly link: {
        readonly uuid: string;
        /** 32 bytes: they decrypt the username. */
        readonly entropy: Uint8Array<ArrayBuffer>;
      };
    };

/** Answer to the question whose username it is; `not-found`: no account's, or an old link. */
export type UsernameOutcome = { readonly status: 'ok'; readonly aci: string } | Refusal;

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

/** File that is to be uploaded. */
export interface UploadRequest {
  /** Length of the encrypted file, to which the CDN holds the upload. */
  readonly uploadBytes: number;
}
/** Form with which one file is uploaded to a CDN, as the service gives it out. */
export interface UploadForm {
  /** Number of the CDN, which is also part of the pointer: 2 or 3. */
  readonly cdnNumber: number;
  /** Name of the file on the CDN, which is part of the pointer. */
  readonly key: string;
  /** Headers of the first request. They permit the upload: never to be logged. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly uploadUrl: string;
}
/** Answer to a request for an upload form. */
export type UploadFormOutcome = ({ readonly status: 'ok' } & UploadForm) | Refusal;

/** Hosts that keep encrypted attachments; they are no part of the chat service. */
export interface CdnService {
  /**
   * Begins of addresses, by the number of the CDN: `https://`, a host, and a path if there is one.
   * No other host is asked, whatever a form, a redirect or a pointer names.
   */
  readonly urls: Readonly<Record<number, string>>;
  /** Certificate authority of the hosts, PEM. No other one is trusted. */
  readonly certificateAuthority: string;
}

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
   * `GET /v4/attachments/form/upload`, as the account: permission to upload one encrypted file.
   * Optional: without it no attachment can be sent.
   *
   * @example
   * const form = await transport.getUploadForm?.({ uploadBytes: 592 });
   * if (form?.status === 'ok') console.log(form.cdnNumber);
   */
  getUploadForm?(request: UploadRequest, options?: RequestOptions): Promise<UploadFormOutcome>;
  /** Where attachments are stored. Absent: none can be sent or downloaded. */
  readonly cdn?: CdnService | undefined;
  /**
   * Finds the account of a username, or of a `signal.me` link, unauthenticated.
   *
   * `GET /v1/accounts/username_hash/{hash}` and `/v1/accounts/username_link/{uuid}`. Optional: a
   * list imports usernames and links by it.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: no account can have the username.
   * @example
   * const answer = await transport.lookUpUsername?.({ username: 'ada.42' });
   * if (answer?.status === 'ok') console.log(answer.aci);
   */
  lookUpUsername?(request: UsernameLookUp, options?: RequestOptions): Promise<UsernameOutcome>;
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
