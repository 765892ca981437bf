import type { PublicKey } from '@signalapp/libsignal-client';

/** A subscriber as each step of the broadcast leaves it. */
export interface Addressee {
  readonly serviceId: string;
  readonly accessKey: Uint8Array<ArrayBuffer>;
}

export interface Device {
  readonly deviceId: number;
  readonly registrationId: number;
}

export interface WithSessions extends Addressee {
  readonly identityKey: PublicKey;
  readonly devices: readonly Device[];
}

export interface Encrypted extends Addressee {
  readonly identityKey: PublicKey;
  /** `usmc`: what is to be sealed for this device. */
  readonly devices: readonly (Device & { readonly usmc: Uint8Array<ArrayBuffer> })[];
}

export interface Sealed extends Addressee {
  readonly devices: readonly (Device & { readonly envelope: Uint8Array<ArrayBuffer> })[];
}
