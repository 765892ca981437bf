import { SealcastError } from '../errors.js';
import type { Libsignal, ServiceId } from './mapping/libsignal.js';
import type {
  AccessKey,
  OutboundMessage,
  SealedSend,
  UnsealedMessage,
  UnsealedSend,
  UsernameLookUp,
} from './transport.js';
import type { TransportListener } from './account-transport.js';

const ACCESS_KEY_BYTES = 16;
const MAX_DEVICE_ID = 127;
const MAX_REGISTRATION_ID = 2 ** 32 - 1;

/** @throws SealcastError ERR_INVALID_ARGUMENT, as all here. */
export function refuse(field: string, expected: string, index?: number): never {
  const place = index === undefined ? field : `entry ${index}: ${field}`;
  const facts = index === undefined ? { field } : { field, index };
  throw new SealcastError('ERR_INVALID_ARGUMENT', `${place} must be ${expected}`, facts);
}

export function checkOptions<T>(value: T, field = 'options'): T & object {
  return typeof value === 'object' && value !== null ? value : refuse(field, 'an object');
}

export function isIntegerIn(value: unknown, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

/** @param lengths that it may have. */
export function checkBytes(
  value: unknown,
  field: string,
  lengths: readonly number[],
  index?: number,
): void {
  if (value instanceof Uint8Array && lengths.includes(value.length)) return;
  refuse(field, `${lengths.join(', ').replace(/, (?=\d+$)/, ' or ')} bytes`, index);
}

export function checkServiceId({ ServiceId }: Libsignal, value: string, field: string): ServiceId {
  try {
    return ServiceId.parseFromServiceIdString(value);
  } catch {
    return refuse(field, 'a service id: a UUID, or PNI: and a UUID');
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ENTROPY_BYTES = 32;

/** Subject of a look-up, as libsignal takes it. */
export type CheckedUsername =
  | { readonly hash: Uint8Array<ArrayBuffer> }
  | { readonly uuid: string; readonly entropy: Uint8Array<ArrayBuffer> };

export function checkUsernameLookUp(
  { usernames }: Libsignal,
  request: UsernameLookUp,
): CheckedUsername {
  const given = checkOptions(request, 'request');
  if ('link' in given) {
    const { uuid, entropy } = checkOptions(given.link, 'link');
    if (typeof uuid !== 'string' || !UUID.test(uuid)) refuse('link.uuid', 'a UUID');
    checkBytes(entropy, 'link.entropy', [ENTROPY_BYTES]);
    return { uuid, entropy };
  }
  try {
    return { hash: usernames.hash(given.username) };
  } catch {
    return refuse('username', 'a nickname, a point and two or more digits, as Signal has them');
  }
}

export function checkAccessKey(value: AccessKey): AccessKey {
  checkBytes(value, 'accessKey', [ACCESS_KEY_BYTES]);
  return value;
}

/** @returns the device in the form for a path. */
export function checkDevice(value: 'all' | number): string {
  if (value === 'all') return '*';
  return isIntegerIn(value, 1, MAX_DEVICE_ID)
    ? String(value)
    : refuse('device', `'all' or 1 to ${MAX_DEVICE_ID}`);
}

/** @returns the one device in the form for a path. */
export function checkDeviceId(value: number): string {
  return isIntegerIn(value, 1, MAX_DEVICE_ID)
    ? String(value)
    : refuse('deviceId', `1 to ${MAX_DEVICE_ID}`);
}

export function checkText(value: unknown, field: string): void {
  if (typeof value !== 'string' || value === '') refuse(field, 'a string of at least 1 character');
}

/**
 * Checks a send. libsignal's own checks of these are assertions, which end its request with a panic
 * (0.103.0, 2026-11).
 */
export function checkSend({
  timestamp,
  online,
  urgent,
  messages,
}: SealedSend | UnsealedSend): void {
  if (!isIntegerIn(timestamp, 0, Number.MAX_SAFE_INTEGER))
    refuse('timestamp', 'ms since the epoch');
  if (typeof online !== 'boolean') refuse('online', 'true or false');
  if (typeof urgent !== 'boolean') refuse('urgent', 'true or false');
  if (!Array.isArray(messages) || messages.length === 0)
    refuse('messages', 'a message for each device of the recipient');
  for (const [i, message] of messages.entries()) {
    // JavaScript callers may leave these out.
    const { deviceId, registrationId, content } =
      (message as Partial<OutboundMessage> | null | undefined) ?? {};
    if (!isIntegerIn(deviceId, 1, MAX_DEVICE_ID)) refuse('deviceId', `1 to ${MAX_DEVICE_ID}`, i);
    if (!isIntegerIn(registrationId, 0, MAX_REGISTRATION_ID))
      refuse('registrationId', '32 bits', i);
    if (!(content instanceof Uint8Array)) refuse('content', 'a Uint8Array', i);
  }
}

export function checkTypes(messages: readonly UnsealedMessage[]): void {
  const index = messages.findIndex(
    ({ type }) => !['prekey', 'whisper', 'plaintext'].includes(type),
  );
  if (index !== -1) refuse('type', "'prekey', 'whisper' or 'plaintext'", index);
}

export function checkCount(field: string, value: number, max: number): number {
  return isIntegerIn(value, 1, max) ? value : refuse(field, `a whole number from 1 to ${max}`);
}

export function checkListener(listener: TransportListener): void {
  const names = [
    'onIncomingMessage',
    'onQueueEmpty',
    'onAlerts',
    'onConnectionInterrupted',
    'onConnectionEnded',
  ] as const;
  const isListener = (value: unknown): value is TransportListener =>
    typeof value === 'object' && value !== null;
  if (
    isListener(listener) &&
    names.every((name) => ['function', 'undefined'].includes(typeof listener[name]))
  )
    return;
  refuse('listener', `an object with any of ${names.join(', ')}`);
}

/**
 * Checks a user name. libsignal ends an attempt to connect under a name of another form with a
 * panic (0.103.0, 2026-11).
 */
/** @returns the device id in it. */
export function checkUsername(value: string): number {
  const device = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.(\d{1,3})$/i.exec(value)?.[1];
  if (device === undefined || !isIntegerIn(Number(device), 1, MAX_DEVICE_ID)) {
    refuse('username', 'an ACI, a point and a device id');
  }
  return Number(device);
}
