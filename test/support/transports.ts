import { IdentityKeyPair, KEMKeyPair, PrivateKey } from '@signalapp/libsignal-client';
import {
  ChatTransport,
  type ChatTransportOptions,
  type ConnectionSource,
  type RequestOptions,
  type SealedSend,
  type Transport,
  type UnsealedSend,
} from 'sealcast';
import type { FakeResponse } from './fake-service.js';

export const ACI = '9d0652a3-dcc3-4d11-975f-74d61598733f';
export const ACCESS_KEY = new Uint8Array(16).fill(7);

export const SEALED: SealedSend = {
  destination: ACI,
  timestamp: 1_700_000_000_123,
  online: false,
  urgent: true,
  accessKey: ACCESS_KEY,
  messages: [
    { deviceId: 1, registrationId: 77, content: Uint8Array.of(0x11, 1, 2, 3) },
    { deviceId: 3, registrationId: 16_380, content: Uint8Array.of(0x11, 255) },
  ],
};

export const UNSEALED: UnsealedSend = {
  destination: ACI,
  timestamp: 1_700_000_000_123,
  online: false,
  urgent: true,
  messages: [
    { deviceId: 1, registrationId: 77, content: Uint8Array.of(0x44, 9), type: 'whisper' },
    { deviceId: 3, registrationId: 78, content: Uint8Array.of(0x44, 8), type: 'prekey' },
  ],
};

/** Every kind of request that a transport makes, by its name. */
export const ASK = {
  sendSealed: (transport: Transport, options?: RequestOptions) => transport.sendSealed(SEALED, options),
  sendUnsealed: (transport: Transport, options?: RequestOptions) => transport.sendUnsealed(UNSEALED, options),
  fetchPreKeys: (transport: Transport, options?: RequestOptions) =>
    transport.fetchPreKeys({ destination: ACI, device: 'all', accessKey: ACCESS_KEY }, options),
  fetchPreKeysAsAccount: (transport: Transport, options?: RequestOptions) =>
    transport.fetchPreKeys({ destination: ACI, device: 'all', accessKey: null }, options),
  accountExists: (transport: Transport, options?: RequestOptions) => transport.accountExists(ACI, options),
  fetchSenderCertificate: (transport: Transport, options?: RequestOptions) =>
    transport.fetchSenderCertificate({ includePhoneNumber: false }, options),
} as const;
export type AskName = keyof typeof ASK;
export const ASK_NAMES = Object.keys(ASK) as AskName[];
export const AS_ACCOUNT: readonly AskName[] = ['sendUnsealed', 'fetchPreKeysAsAccount', 'fetchSenderCertificate'];
export const AS_NOBODY: readonly AskName[] = ['sendSealed', 'fetchPreKeys', 'accountExists'];

/** Attempts to connect follow each other at once. */
export const NO_BACKOFF = { baseMs: 1, capMs: 2 } as const;

export function openTransport(source: ConnectionSource, options: ChatTransportOptions = {}): Promise<ChatTransport> {
  return ChatTransport.over(source, { backoff: NO_BACKOFF, ...options });
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** What the service answers to a question for prekeys, for devices 1 and 2, of which the second has no one-time prekey. */
export function preKeysAnswer(): {
  response: FakeResponse;
  identityKey: Uint8Array<ArrayBuffer>;
  oneTimeKey: Uint8Array;
} {
  const identity = IdentityKeyPair.generate();
  const newKey = (): Uint8Array<ArrayBuffer> => PrivateKey.generate().getPublicKey().serialize();
  const signed = (keyId: number, publicKey: Uint8Array<ArrayBuffer>): object => ({
    keyId,
    publicKey: base64(publicKey),
    signature: base64(identity.privateKey.sign(publicKey)),
  });
  const oneTimeKey = newKey();
  const device = (deviceId: number): object => ({
    deviceId,
    registrationId: 100 + deviceId,
    signedPreKey: signed(10 + deviceId, newKey()),
    pqPreKey: signed(20 + deviceId, KEMKeyPair.generate().getPublicKey().serialize()),
    preKey: deviceId === 1 ? { keyId: 31, publicKey: base64(oneTimeKey) } : null,
  });
  const identityKey = identity.publicKey.serialize();
  const body = { identityKey: base64(identityKey), devices: [device(1), device(2)] };
  return { response: { status: 200, body }, identityKey, oneTimeKey };
}
