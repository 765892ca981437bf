/** State of a registration, as the service last told it. */
export interface RegistrationState {
  /** Whether a code can be requested. */
  readonly allowedToRequestCode: boolean;
  /** Whether the code was right; the account can be registered. */
  readonly verified: boolean;
  /** Solutions that the service asks for before it sends a code; `captcha` is one of them. */
  readonly requestedInformation: readonly ('captcha' | 'pushChallenge')[];
  /** When a text message can be sent, ms since the epoch; absent: none can. */
  readonly nextSmsAtMs?: number;
  /** When a call can be made, ms since the epoch; absent: none can. */
  readonly nextCallAtMs?: number;
  /** When a code can be handed in, ms since the epoch; absent: none was sent. */
  readonly nextAttemptAtMs?: number;
}

/** Public facts of an account that was registered; its device is the primary one. */
export interface RegisteredAccount {
  /** Service id: a UUID. */
  readonly aci: string;
  /** Service id: `PNI:` and a UUID. */
  readonly pni: string;
  /** Phone number, E.164. */
  readonly number: string;
  /** 1 */
  readonly deviceId: number;
}
