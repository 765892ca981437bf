import { deriveAccessKey } from '../access/access-key.js';
import { checkInteger, checkObject, refuse, viewOf } from '../sealer/options.js';
import { checkNames, type NamesOf } from '../util/known-names.js';
import type { AccountRecord, AttributesRecord } from '../store/tables/account.js';
import {
  checkCapabilities,
  effectiveCapabilities,
  type Capabilities,
} from '../access/capabilities.js';
import type { AccountAttributes } from '../transport/account-transport.js';

/**
 * Attributes of the account and this device on the service, except for the access key.
 *
 * The caller gives all of them, once, as the account has them, and the store keeps them: every
 * registration of an access key sends the whole set, and the service clears absent ones
 * (`PUT /v1/accounts/attributes/`), a registration lock among them.
 */
export interface AttributesInput {
  /**
   * Whether the device asks for its messages, and no push wakes it. Default true: sealcast has no
   * push.
   */
  readonly fetchesMessages?: boolean;
  /** The device's registration id for the phone-number identity. */
  readonly pniRegistrationId: number;
  /** Hex, 64 digits, derived from the account's master key; absent: the account has none. */
  readonly registrationLock?: string;
  /**
   * 32 bytes, with which the account can be registered again; absent: the service keeps the present
   * one.
   */
  readonly recoveryPassword?: Uint8Array;
  /** The device's name, encrypted for the account; absent: it has none. */
  readonly encryptedDeviceName?: Uint8Array;
  /** Whether an account that knows the phone number finds this one. */
  readonly discoverableByPhoneNumber: boolean;
  /**
   * Capabilities of this device, by the service's names.
   *
   * Give the whole set, as the service takes absent ones away. Some count for the account only if
   * all of its devices have them (`spqr`), some if any has (`storage`), some if the primary has
   * (`attachmentBackfill`).
   *
   * Default: `spqr` and `usernameChangeSyncMessage`, what the service requires of a primary device
   * (2026-11). The option `capabilities` of {@link openAccount} precedes it.
   */
  readonly capabilities?: Capabilities;
}

const NAMES = {
  fetchesMessages: true,
  pniRegistrationId: true,
  registrationLock: true,
  recoveryPassword: true,
  encryptedDeviceName: true,
  discoverableByPhoneNumber: true,
  capabilities: true,
} satisfies NamesOf<AttributesInput>;

/** 14 bits, but for 0. */
const MAX_REGISTRATION_ID = 0x3fff;
const RECOVERY_PASSWORD_BYTES = 32;
/** Longest name that the service takes (`AccountAttributes.name`). */
const MAX_DEVICE_NAME_BYTES = 225;
const REGISTRATION_LOCK = /^[0-9a-f]{64}$/i;

function checkBoolean(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') refuse(field, 'true or false');
  return value;
}

/** @returns a copy, with the defaults, and with `unrestricted` and `isPending` of `known`. */
export function checkAttributes(
  input: unknown,
  known: AttributesRecord | undefined,
): AttributesRecord {
  const given = checkObject(input, 'attributes') as {
    readonly [name in keyof AttributesInput]: unknown;
  };
  checkNames(given, NAMES, 'attributes');
  const { registrationLock, recoveryPassword, encryptedDeviceName } = given;
  if (registrationLock !== undefined) {
    if (typeof registrationLock !== 'string' || !REGISTRATION_LOCK.test(registrationLock)) {
      refuse('attributes.registrationLock', '64 hex digits');
    }
  }
  const password = recoveryPassword === undefined ? undefined : viewOf(recoveryPassword);
  if (
    password === null ||
    (password !== undefined && password.length !== RECOVERY_PASSWORD_BYTES)
  ) {
    refuse('attributes.recoveryPassword', `a Uint8Array of ${RECOVERY_PASSWORD_BYTES} bytes`);
  }
  const name = encryptedDeviceName === undefined ? undefined : viewOf(encryptedDeviceName);
  if (
    name === null ||
    (name !== undefined && (name.length === 0 || name.length > MAX_DEVICE_NAME_BYTES))
  ) {
    refuse('attributes.encryptedDeviceName', `a Uint8Array of 1 to ${MAX_DEVICE_NAME_BYTES} bytes`);
  }
  return {
    fetchesMessages: checkBoolean(given.fetchesMessages ?? true, 'attributes.fetchesMessages'),
    pniRegistrationId: checkInteger(
      given.pniRegistrationId,
      'attributes.pniRegistrationId',
      1,
      MAX_REGISTRATION_ID,
    ),
    discoverableByPhoneNumber: checkBoolean(
      given.discoverableByPhoneNumber,
      'attributes.discoverableByPhoneNumber',
    ),
    // Empty: the default of the version that sends it.
    capabilities: checkCapabilities(given.capabilities, 'attributes.capabilities') ?? {},
    unrestricted: known?.unrestricted ?? false,
    isPending: known?.isPending ?? false,
    ...(registrationLock !== undefined && { registrationLock }),
    ...(password !== undefined && { recoveryPassword: Uint8Array.from(password) }),
    ...(name !== undefined && { encryptedDeviceName: Uint8Array.from(name) }),
  };
}

interface AttributesContext {
  readonly profileKey: Uint8Array;
  /** Set that the caller gave to {@link openAccount}. */
  readonly capabilities: Capabilities | undefined;
}

/** Builds all attributes for the service, with the access key of this profile key. */
export function attributesWith(
  attributes: AttributesRecord,
  account: AccountRecord,
  { profileKey, capabilities }: AttributesContext,
): AccountAttributes {
  const { registrationId } = account;
  return {
    fetchesMessages: attributes.fetchesMessages,
    registrationId,
    pniRegistrationId: attributes.pniRegistrationId,
    encryptedDeviceName: attributes.encryptedDeviceName ?? null,
    registrationLock: attributes.registrationLock ?? null,
    accessKey: deriveAccessKey(profileKey),
    unrestrictedAccess: attributes.unrestricted,
    discoverableByPhoneNumber: attributes.discoverableByPhoneNumber,
    capabilities: effectiveCapabilities(account, capabilities, {
      attributes: attributes.capabilities,
    }),
    recoveryPassword: attributes.recoveryPassword ?? null,
  };
}
