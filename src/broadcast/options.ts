import { isBroadcastId, parseServiceId } from '../account/ids.js';
import type { Logger } from '../account/telemetry.js';
import {
  checkInteger,
  checkObject,
  checkPublicKey,
  checkSignal,
  refuse,
  viewOf,
  type PublicKeyInput,
} from '../options.js';
import type { AccountRecord } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { Transport } from '../transport/transport.js';
import { isPni } from '../access/access-mode.js';

/** Service ids, in any order, one or more times. */
export type Recipients = Iterable<string> | AsyncIterable<string>;

/** The account, and the device of it, that sends. */
export interface AccountInput {
  /** Service id: a UUID. */
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** A libsignal `IdentityKeyPair`, or its two keys as bytes (33 and 32). */
  readonly identityKeyPair: {
    readonly publicKey: PublicKeyInput;
    readonly privateKey: { serialize(): Uint8Array } | Uint8Array;
  };
  /** 32 bytes; goes out with every message, so that whoever gets it may answer sealed. */
  readonly profileKey?: Uint8Array;
}

/** A text message. */
export interface BroadcastMessage {
  /** 1 byte to 64 KiB of UTF-8. */
  readonly body: string;
}

export interface BroadcastOptions {
  /**
   * Names the broadcast: the same id again goes on with it, and each recipient gets one message. 1 to 128 letters, digits and
   * `_.:-`. Default: a random UUID.
   */
  readonly id?: string;
  /** ms since the epoch; no two messages of an account may have the same. Default: now. */
  readonly timestamp?: number;
  /** Whether recipients' phones are woken up. Default true. */
  readonly urgent?: boolean;
  /** Stops it; it can be taken up again with the same id. */
  readonly signal?: AbortSignal;
  /** Does everything but the network, and keeps nothing: deliveries say what would be tried. Default false. */
  readonly dryRun?: boolean;
  /** Recipients a second at most. Default: as fast as it goes. */
  readonly maxPerSecond?: number;
}

/** What to do where the protocol leaves a choice. */
export interface Policies {
  /** Whether to send unsealed to who does not take sealed messages. */
  readonly unsealedFallback: 'never' | 'when-denied';
  readonly onIdentityChange: 'accept' | 'fail';
}

export interface BroadcasterLimits {
  /** Requests to the service on their way at the same time. */
  readonly concurrency: number;
  /** Requests for prekeys among them. */
  readonly preKeyConcurrency: number;
  readonly chunkSize: number;
  readonly maxRetryAfterMs: number;
  readonly keepFinishedMs: number;
}

const BODY_BYTES = 65_536;
const HOUR_MS = 3_600_000;
const DEFAULTS: BroadcasterLimits = {
  concurrency: 128,
  preKeyConcurrency: 16,
  chunkSize: 256,
  maxRetryAfterMs: HOUR_MS,
  keepFinishedMs: 14 * 24 * HOUR_MS,
};

export function checkLimits(options: Readonly<Record<string, unknown>>): BroadcasterLimits {
  const limit = (name: keyof BroadcasterLimits, min: number, max: number): number =>
    checkInteger(options[name] ?? DEFAULTS[name], name, min, max);
  return {
    concurrency: limit('concurrency', 1, 4096),
    preKeyConcurrency: limit('preKeyConcurrency', 1, 1024),
    chunkSize: limit('chunkSize', 1, 4096),
    maxRetryAfterMs: limit('maxRetryAfterMs', 0, Number.MAX_SAFE_INTEGER),
    keepFinishedMs: limit('keepFinishedMs', 0, Number.MAX_SAFE_INTEGER),
  };
}

function oneOf<Value extends string>(value: unknown, field: string, allowed: readonly Value[]): Value {
  if (!allowed.includes(value as Value)) refuse(field, `one of ${allowed.join(', ')}`);
  return value as Value;
}

export function checkPolicies(options: Readonly<Record<string, unknown>>): Policies {
  return {
    unsealedFallback: oneOf(options['unsealedFallback'] ?? 'never', 'unsealedFallback', ['never', 'when-denied']),
    onIdentityChange: oneOf(options['onIdentityChange'] ?? 'accept', 'onIdentityChange', ['accept', 'fail']),
  };
}

export function checkTrustRoots(trustRoots: unknown): Uint8Array<ArrayBuffer>[] {
  if (!Array.isArray(trustRoots) || trustRoots.length === 0) refuse('trustRoots', 'at least one public key');
  return trustRoots.map((root, index) => Uint8Array.of(5, ...checkPublicKey(root, 'trustRoots', index)));
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
  const requests = ['sendSealed', 'sendUnsealed', 'fetchPreKeys', 'accountExists', 'fetchSenderCertificate'];
  checkMethods(transport, 'transport', requests);
  return transport as Transport;
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

export function checkProfileKey(profileKey: unknown, field = 'profileKey'): Uint8Array<ArrayBuffer> {
  const bytes = viewOf(profileKey);
  if (bytes?.length !== KEY_BYTES) refuse(field, `a Uint8Array of ${KEY_BYTES} bytes`);
  return Uint8Array.from(bytes);
}

/** The private key in it is a copy. */
export function checkAccount(account: unknown): AccountRecord {
  const given = checkObject(account, 'account');
  const { aci, deviceId, registrationId, profileKey } = given;
  const serviceId = parseServiceId(aci);
  if (serviceId === null || isPni(serviceId)) refuse('account.aci', 'a service id (a UUID)');
  const pair = checkObject(given['identityKeyPair'], 'account.identityKeyPair');
  const privateKey = pair['privateKey'] as { serialize?: () => unknown } | undefined;
  const privateBytes = viewOf(privateKey) ?? viewOf(privateKey?.serialize?.());
  if (privateBytes?.length !== KEY_BYTES) {
    refuse('account.identityKeyPair.privateKey', `a libsignal PrivateKey or its ${KEY_BYTES} bytes`);
  }
  return {
    aci: serviceId,
    deviceId: checkInteger(deviceId, 'account.deviceId', 1, MAX_DEVICE_ID),
    registrationId: checkInteger(registrationId, 'account.registrationId', 1, MAX_REGISTRATION_ID),
    identityPublicKey: Uint8Array.of(5, ...checkPublicKey(pair['publicKey'], 'account.identityKeyPair.publicKey')),
    identityPrivateKey: Uint8Array.from(privateBytes),
    ...(profileKey !== undefined && { profileKey: checkProfileKey(profileKey, 'account.profileKey') }),
  };
}

export interface CheckedBroadcast {
  readonly body: string;
  readonly recipients: Recipients;
  readonly id: string | undefined;
  readonly timestamp: number | undefined;
  readonly urgent: boolean;
  readonly signal: AbortSignal | undefined;
  readonly dryRun: boolean;
  readonly maxPerSecond: number;
}

function checkBoolean(value: unknown, field: string, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') refuse(field, 'true or false');
  return value;
}

export function checkBroadcast(message: unknown, recipients: unknown, options: unknown): CheckedBroadcast {
  const { body } = checkObject(message, 'message');
  if (typeof body !== 'string' || body === '' || Buffer.byteLength(body) > BODY_BYTES || !body.isWellFormed()) {
    refuse('message.body', `a string of well-formed Unicode, 1 to ${BODY_BYTES} bytes of UTF-8`);
  }
  const iterable = recipients as Partial<Iterable<string> & AsyncIterable<string>> | null | undefined;
  if (
    typeof recipients === 'string' ||
    (iterable?.[Symbol.iterator] ?? iterable?.[Symbol.asyncIterator]) === undefined
  ) {
    refuse('recipients', 'an iterable or async iterable of service ids');
  }
  const { id, timestamp, urgent, signal, dryRun, maxPerSecond } = checkObject(options, 'options');
  if (id !== undefined && !isBroadcastId(id)) refuse('id', '1 to 128 letters, digits and _.:-');
  if (maxPerSecond !== undefined && (typeof maxPerSecond !== 'number' || !(maxPerSecond > 0))) {
    refuse('maxPerSecond', 'a number above 0');
  }
  return {
    body,
    recipients: recipients as Recipients,
    id,
    timestamp: timestamp === undefined ? undefined : checkInteger(timestamp, 'timestamp', 1, Number.MAX_SAFE_INTEGER),
    urgent: checkBoolean(urgent, 'urgent', true),
    signal: checkSignal(signal),
    dryRun: checkBoolean(dryRun, 'dryRun', false),
    maxPerSecond: maxPerSecond ?? Infinity,
  };
}
