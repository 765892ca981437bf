import { IdentityKeyPair, KEMKeyPair, PrivateKey } from '@signalapp/libsignal-client';
import {
  type AccountAttributes,
  type AccountTransport,
  ChatTransport,
  type ChatTransportOptions,
  type ConnectionSource,
  type PreKeyUpload,
  type ProfileUpload,
  type RequestOptions,
  type SealedSend,
  type UnsealedSend,
} from 'sealcast';
import type { FakeResponse } from '../fakes/fake-service.js';

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

const publicKey = (firstByte: number, length: number): Uint8Array =>
  new Uint8Array(length).fill(9).fill(firstByte, 0, 1);
const signature = new Uint8Array(64).fill(6);

export const PREKEYS = {
  preKeys: [
    { id: 1, publicKey: publicKey(5, 33) },
    { id: 0xffffff, publicKey: publicKey(5, 33) },
  ],
  signedPreKey: { id: 2, publicKey: publicKey(5, 33), signature },
  kyberPreKeys: [{ id: 3, publicKey: publicKey(8, 1_569), signature }],
  lastResortKyberPreKey: { id: 4, publicKey: publicKey(8, 1_569), signature },
} as const satisfies PreKeyUpload;

export const ATTRIBUTES: AccountAttributes = {
  fetchesMessages: true,
  registrationId: 1,
  pniRegistrationId: 0x3fff,
  encryptedDeviceName: Uint8Array.of(1, 2, 3, 4),
  registrationLock: '0f'.repeat(32),
  accessKey: ACCESS_KEY,
  unrestrictedAccess: false,
  discoverableByPhoneNumber: true,
  capabilities: { storage: false, spqr: true },
  recoveryPassword: new Uint8Array(32).fill(2),
};

export const PROFILE: ProfileUpload = {
  version: 'a1'.repeat(32),
  commitment: new Uint8Array(97).fill(1),
  name: new Uint8Array(81).fill(2),
  badgeIds: ['donor'],
};

/** Every kind of request that a transport makes, by its name. */
export const ASK = {
  sendSealed: (transport: AccountTransport, options?: RequestOptions) =>
    transport.sendSealed(SEALED, options),
  sendUnsealed: (transport: AccountTransport, options?: RequestOptions) =>
    transport.sendUnsealed(UNSEALED, options),
  fetchPreKeys: (transport: AccountTransport, options?: RequestOptions) =>
    transport.fetchPreKeys({ destination: ACI, device: 'all', accessKey: ACCESS_KEY }, options),
  fetchPreKeysAsAccount: (transport: AccountTransport, options?: RequestOptions) =>
    transport.fetchPreKeys({ destination: ACI, device: 'all', accessKey: null }, options),
  accountExists: (transport: AccountTransport, options?: RequestOptions) =>
    transport.accountExists(ACI, options),
  fetchSenderCertificate: (transport: AccountTransport, options?: RequestOptions) =>
    transport.fetchSenderCertificate({ includePhoneNumber: false }, options),
  fetchProfile: (transport: AccountTransport, options?: RequestOptions) =>
    transport.fetchProfile(
      { serviceId: ACI, version: PROFILE.version, accessKey: ACCESS_KEY },
      options,
    ),
  fetchProfileAsAccount: (transport: AccountTransport, options?: RequestOptions) =>
    transport.fetchProfile({ serviceId: ACI, accessKey: null }, options),
  countPreKeys: (transport: AccountTransport, options?: RequestOptions) =>
    transport.countPreKeys(options),
  uploadPreKeys: (transport: AccountTransport, options?: RequestOptions) =>
    transport.uploadPreKeys(PREKEYS, options),
  setAccountAttributes: (transport: AccountTransport, options?: RequestOptions) =>
    transport.setAccountAttributes(ATTRIBUTES, options),
  setProfile: (transport: AccountTransport, options?: RequestOptions) =>
    transport.setProfile(PROFILE, options),
  setCapabilities: async (transport: AccountTransport, options?: RequestOptions) =>
    transport.setCapabilities?.({ spqr: true }, options),
  answerChallenge: async (transport: AccountTransport, options?: RequestOptions) =>
    transport.answerChallenge?.({ token: 'token', captcha: 'solved' }, options),
  fetchDevices: async (transport: AccountTransport, options?: RequestOptions) =>
    transport.fetchDevices?.(options),
  removeDevice: async (transport: AccountTransport, options?: RequestOptions) =>
    transport.removeDevice?.(2, options),
} as const;
export type AskName = keyof typeof ASK;
export const ASK_NAMES = Object.keys(ASK) as AskName[];
const AS_NOBODY: readonly AskName[] = [
  'sendSealed',
  'fetchPreKeys',
  'accountExists',
  'fetchProfile',
];
export const AS_ACCOUNT = ASK_NAMES.filter((name) => !AS_NOBODY.includes(name));
/** What libsignal has a typed call for: of an answer that it does not know, little is left. */
export const TYPED: readonly AskName[] = ['sendSealed', 'fetchPreKeys', 'accountExists'];
export const RAW = ASK_NAMES.filter((name) => !TYPED.includes(name));

/** Attempts to connect follow each other at once. */
export const NO_BACKOFF = { baseMs: 1, capMs: 2 } as const;

export function openTransport(
  source: ConnectionSource,
  options: ChatTransportOptions = {},
): Promise<ChatTransport> {
  return ChatTransport.over(source, { backoff: NO_BACKOFF, ...options });
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/**
 * What the service answers to a question for prekeys, for devices 1 and 2, of which the second has
 * no one-time prekey.
 */
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
