/** Public facts of an account that this device was linked to. */
export interface LinkedAccount {
  /** Service id: a UUID. */
  readonly aci: string;
  readonly deviceId: number;
  /** Service id: `PNI:` and a UUID; absent: the account has no phone number. */
  readonly pni?: string;
  /** Phone number, E.164; absent: the account has none. */
  readonly number?: string;
}

/** Event of a `DeviceLink`. */
export type LinkEvent =
  /** A code to show, as a QR code: the URL is its content. It takes the place of the one before. */
  | { readonly type: 'url'; readonly url: string; readonly expiresAtMs: number }
  /** A phone has scanned a code; none has to be shown any longer. */
  | { readonly type: 'scanned' }
  /** The account is in the store. */
  | ({ readonly type: 'linked' } & LinkedAccount);
