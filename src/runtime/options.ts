import { LIMIT_NAMES } from '../broadcast/options.js';
import { isPni } from '../access/access-mode.js';
import {
  checkBoolean,
  checkInteger,
  checkKeyPair,
  checkObject,
  checkPublicKey,
  copyPrivateKey,
  ENGINE_NAMES,
  refuse,
  viewOf,
  type EngineSettings,
  type PrivateKeyInput,
  type PublicKeyInput,
} from '../sealer/options.js';
import type { AccountRecord } from '../store/tables/account.js';
import type { Store } from '../store/store.js';
import type { Transport } from '../transport/transport.js';
import type { AccountTransport } from '../transport/account-transport.js';
import type { Clock } from '../util/clock.js';
import { checkNames, type NamesOf } from '../util/known-names.js';
import { parseServiceId } from '../util/addresses.js';
import { Telemetry, type Logger } from './telemetry.js';
import { checkedTransport } from '../transport/checked-transport.js';
import { requireCodeGeneration } from '../util/code-generation.js';
import { copySecret } from '../util/bytes.js';

/** The account, and its device that sends. */
export interface AccountInput {
  /** Service id: a UUID. */
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** A libsignal `IdentityKeyPair`, or its two keys as bytes (33 and 32). */
  readonly identityKeyPair: {
    readonly publicKey: PublicKeyInput;
    readonly privateKey: PrivateKeyInput;
  };
  /** 32 bytes; every message carries it, so that the contact that gets it may answer sealed. */
  readonly profileKey?: Uint8Array;
}

/** Decisions where the protocol leaves a choice. */
export interface Policies {
  /** Whether to send unsealed to a recipient that does not take sealed messages. */
  readonly unsealedFallback: 'never' | 'when-denied';
  readonly onIdentityChange: 'accept' | 'fail';
}

/**
 * Options of everything that acts for an account.
 *
 * The second opener of a store shares what the first one set up.
 */
export interface SharedOptions extends EngineSettings {
  /** Storage of sessions, contacts, the outbox and the inbox. Stays the caller's to close. */
  readonly store: Store;
  /** Connection to the service. Stays the caller's to close. */
  readonly transport: Transport;
  /** Roots of sender certificates: libsignal PublicKeys, or 33 bytes each. */
  readonly trustRoots: readonly PublicKeyInput[];
  /**
   * Account that sends and receives; the store keeps it, and needs it only where it has none yet.
   */
  readonly account?: AccountInput;
  /** Whether receivers may see the account's phone number. Default false. */
  readonly includePhoneNumber?: boolean;
  /** A pino logger, or one of its shape. No secret, service id or phone number is in any line. */
  readonly logger?: Logger;
  /**
   * Memory for precomputed tables of recipients, in bytes. Default 32 MiB.
   *
   * This is half of what {@link Sealer} has: tables of some 10,000 recipients. Sealing is a fifth
   * of a broadcast, and sealcast seals for a recipient without a table all the same; memory is to
   * stay the same from there on.
   */
  readonly recipientCacheBytes?: number;
}

/** Names of {@link SharedOptions} and {@link Policies}. */
export const SHARED_NAMES = {
  ...ENGINE_NAMES,
  store: true,
  transport: true,
  trustRoots: true,
  account: true,
  includePhoneNumber: true,
  logger: true,
  unsealedFallback: true,
  onIdentityChange: true,
} as const satisfies NamesOf<SharedOptions & Policies>;

/**
 * Names of the options of `Broadcaster.open`, `Receiver.open` and `openAccount`.
 *
 * Each function knows the names of the others too: callers pass one options object to all of them.
 */
export const OPENER_NAMES = {
  ...SHARED_NAMES,
  ...LIMIT_NAMES,
  transcripts: true,
  maintainPreKeys: true,
  maxUnansweredContacts: true,
  capabilities: true,
} as const;

const ACCOUNT_NAMES = {
  aci: true,
  deviceId: true,
  registrationId: true,
  identityKeyPair: true,
  profileKey: true,
} satisfies NamesOf<AccountInput>;

const RECIPIENT_CACHE_BYTES = 32 * 1024 * 1024;

/**
 * Checked options with which an account opens.
 *
 * The second opener of a store shares what the first one set up.
 */
export interface RuntimeOptions {
  readonly store: Store;
  readonly transport: Transport;
  readonly trustRoots: readonly Uint8Array<ArrayBuffer>[];
  readonly account: AccountRecord | undefined;
  readonly includePhoneNumber: boolean;
  readonly sealerOptions: EngineSettings;
  readonly telemetry: Telemetry;
  /** Corrected by the service's time where the transport tells it. Default: the machine's. */
  readonly clock?: Clock;
  /** Whether messages of our own devices are received, too: what they are asked for arrives. */
  readonly receives?: boolean;
}

/** Parts that a test injects in place of the real ones, and what one class tells another. */
export interface Internals {
  readonly clock?: Clock;
  /** Whether the same store has a Receiver. Default false. */
  readonly receives?: boolean;
}

export function checkSharedOptions(
  options: SharedOptions,
  { clock, receives = false }: Internals = {},
): RuntimeOptions {
  requireCodeGeneration('an account');
  const given = checkObject(options, 'options');
  const { account, threads, kernel, recipientCacheBytes = RECIPIENT_CACHE_BYTES } = options;
  return {
    store: checkStore(given['store']),
    transport: checkTransport(given['transport']),
    trustRoots: checkTrustRoots(given['trustRoots']),
    includePhoneNumber: checkBoolean(given['includePhoneNumber'], 'includePhoneNumber', false),
    telemetry: new Telemetry(checkLogger(given['logger'])),
    ...(clock !== undefined && { clock }),
    receives,
    sealerOptions: {
      ...(threads !== undefined && { threads }),
      ...(kernel !== undefined && { kernel }),
      recipientCacheBytes,
    },
    // Last: the private key in it is a copy.
    account: account === undefined ? undefined : checkAccount(account),
  };
}

export function oneOf<Value extends string>(
  value: unknown,
  field: string,
  allowed: readonly Value[],
): Value {
  if (!allowed.includes(value as Value)) refuse(field, `one of ${allowed.join(', ')}`);
  return value as Value;
}

export function checkPolicies(options: Readonly<Record<string, unknown>>): Policies {
  return {
    unsealedFallback: oneOf(options['unsealedFallback'] ?? 'never', 'unsealedFallback', [
      'never',
      'when-denied',
    ]),
    onIdentityChange: oneOf(options['onIdentityChange'] ?? 'accept', 'onIdentityChange', [
      'accept',
      'fail',
    ]),
  };
}

export function checkTrustRoots(trustRoots: unknown): Uint8Array<ArrayBuffer>[] {
  if (!Array.isArray(trustRoots) || trustRoots.length === 0)
    refuse('trustRoots', 'at least one public key');
  return trustRoots.map((root, index) =>
    Uint8Array.of(5, ...checkPublicKey(root, 'trustRoots', index)),
  );
}

function checkMethods(value: unknown, field: string, names: readonly string[]): void {
  const given = checkObject(value, field);
  for (const name of names) {
    if (typeof given[name] !== 'function') refuse(`${field}.${name}`, 'a function');
  }
}

export function checkStore(store: unknown): Store {
  checkMethods(store, 'store', ['getMany', 'list', 'commit']);
  return store as Store;
}

export function checkTransport(transport: unknown): Transport {
  const requests = [
    'sendSealed',
    'sendUnsealed',
    'fetchPreKeys',
    'accountExists',
    'fetchSenderCertificate',
  ];
  checkMethods(transport, 'transport', requests);
  const { onServerTime } = transport as Partial<Transport>;
  if (onServerTime !== undefined) checkMethods(transport, 'transport', ['onServerTime']);
  return checkedTransport(transport as Transport);
}

const ACCOUNT_REQUESTS = [
  'receive',
  'redeliver',
  'fetchProfile',
  'countPreKeys',
  'uploadPreKeys',
  'setAccountAttributes',
  'setProfile',
];
export function checkAccountTransport(transport: Transport): AccountTransport {
  checkMethods(transport, 'transport', ACCOUNT_REQUESTS);
  return checkedTransport(transport as AccountTransport);
}

export function checkLogger(logger: unknown): Logger | undefined {
  if (logger === undefined) return undefined;
  checkMethods(logger, 'logger', ['debug', 'info', 'warn', 'error']);
  return logger as Logger;
}

const MAX_DEVICE_ID = 127;
/** 14 bits, but for 0. */
const MAX_REGISTRATION_ID = 0x3fff;
const KEY_BYTES = 32;

export function checkProfileKey(
  profileKey: unknown,
  field = 'profileKey',
): Uint8Array<ArrayBuffer> {
  const bytes = viewOf(profileKey);
  if (bytes?.length !== KEY_BYTES) refuse(field, `a Uint8Array of ${KEY_BYTES} bytes`);
  return copySecret(bytes);
}

/** Checks an account, with a copy of its private key. */
export function checkAccount(account: unknown): AccountRecord {
  const given = checkObject(account, 'account');
  checkNames(given, ACCOUNT_NAMES, 'account');
  const { aci, deviceId, registrationId, profileKey } = given;
  const serviceId = parseServiceId(aci);
  if (serviceId === null || isPni(serviceId)) refuse('account.aci', 'a service id (a UUID)');
  const pair = checkKeyPair(given['identityKeyPair'], 'account.identityKeyPair');
  return {
    aci: serviceId,
    deviceId: checkInteger(deviceId, 'account.deviceId', 1, MAX_DEVICE_ID),
    registrationId: checkInteger(registrationId, 'account.registrationId', 1, MAX_REGISTRATION_ID),
    identityPublicKey: Uint8Array.of(
      5,
      ...checkPublicKey(pair['publicKey'], 'account.identityKeyPair.publicKey'),
    ),
    ...(profileKey !== undefined && {
      profileKey: checkProfileKey(profileKey, 'account.profileKey'),
    }),
    // Last: no check refuses after the copy of the private key is made.
    identityPrivateKey: copyPrivateKey(pair['privateKey'], 'account.identityKeyPair.privateKey'),
  };
}
