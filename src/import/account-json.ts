import { AccountEntropyPool, SvrKey } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import { MAX_ID } from '../account/prekeys/plan.js';
import { libsignal } from '../access/libsignal.js';
import { isSameBytes } from '../util/bytes.js';
import { parseServiceId } from '../util/addresses.js';
import { checkEnvironment, type AccountFiles, type ServiceEnvironment } from './account-files.js';
import { fail, failPart, JsonPart } from './parts.js';

/** Version of an account's JSON (signal-cli 0.14, 2026-11). */
const JSON_VERSION = 10;
const MAX_DEVICE_ID = 127;
/** 14 bits, but for 0. */
const MAX_REGISTRATION_ID = 0x3fff;

/** One of an account's two identities on this device. */
export interface SourceIdentity {
  readonly serviceId: string;
  readonly registrationId: number;
  /** 33 bytes; the private key has 32. */
  readonly identityPublicKey: Uint8Array<ArrayBuffer>;
  readonly identityPrivateKey: Uint8Array<ArrayBuffer>;
  readonly nextPreKeyId: number | undefined;
  readonly nextSignedPreKeyId: number | undefined;
  readonly activeSignedPreKeyId: number | undefined;
  readonly nextKyberPreKeyId: number | undefined;
  readonly activeLastResortKyberPreKeyId: number | undefined;
}

/** An account as signal-cli keeps it, without what is in its database. */
export interface SourceAccount {
  readonly number: string | undefined;
  readonly deviceId: number;
  readonly password: string;
  readonly encryptedDeviceName: Uint8Array<ArrayBuffer> | undefined;
  readonly aci: SourceIdentity;
  /** Absent: the account has no phone number. */
  readonly pni: SourceIdentity | undefined;
  readonly profileKey: Uint8Array<ArrayBuffer> | undefined;
  readonly accountEntropyPool: string | undefined;
  readonly masterKey: Uint8Array<ArrayBuffer> | undefined;
  readonly mediaRootBackupKey: Uint8Array<ArrayBuffer> | undefined;
  /** Whether a PIN guards the registration of the number. */
  readonly hasPin: boolean;
}

/** Ids of signal-cli begin at 0 or 1, and -1 means none. */
const idOf = (data: JsonPart, name: string): number | undefined => {
  const id = data.optionalInteger(name, -1, MAX_ID + 1);
  return id === undefined || id < 1 ? undefined : id;
};

function identityOf(data: JsonPart, name: string, isPni: boolean): SourceIdentity {
  const serviceId = parseServiceId(data.text('serviceId'));
  if (serviceId === null || (!isPni && serviceId.startsWith('PNI:')))
    failPart(`${name}.serviceId`, 'a service id');
  const identityPrivateKey = data.bytes('identityPrivateKey', 32);
  const identityPublicKey = data.bytes('identityPublicKey', 33);
  let derived: Uint8Array | undefined;
  try {
    derived = libsignal().PrivateKey.deserialize(identityPrivateKey).getPublicKey().serialize();
  } catch {
    derived = undefined;
  }
  if (!isSameBytes(derived, identityPublicKey)) failPart(name, 'an identity whose two keys match');
  return {
    serviceId: isPni && !serviceId.startsWith('PNI:') ? `PNI:${serviceId}` : serviceId,
    registrationId: data.integer('registrationId', 1, MAX_REGISTRATION_ID),
    identityPublicKey,
    identityPrivateKey,
    nextPreKeyId: idOf(data, 'nextPreKeyId'),
    nextSignedPreKeyId: idOf(data, 'nextSignedPreKeyId'),
    activeSignedPreKeyId: idOf(data, 'activeSignedPreKeyId'),
    nextKyberPreKeyId: idOf(data, 'nextKyberPreKeyId'),
    activeLastResortKyberPreKeyId: idOf(data, 'activeLastResortKyberPreKeyId'),
  };
}

/** Whether there is a phone-number identity: signal-cli keeps an object for it in any case. */
const hasIdentity = (account: JsonPart, name: string): boolean =>
  account.raw(name) !== undefined &&
  account.part(name).raw('serviceId') !== undefined &&
  account.part(name).raw('identityPrivateKey') !== undefined;

/**
 * Parses the account's JSON.
 *
 * @throws SealcastError ERR_IMPORT_VERSION, ERR_IMPORT_DAMAGED
 */
export function parseAccount(text: string): JsonPart {
  const json = JsonPart.parse(text, "the account's JSON");
  const version = json.raw('version');
  if (version !== JSON_VERSION) {
    const found = typeof version === 'number' ? version : 'unknown';
    fail(
      'ERR_IMPORT_VERSION',
      `the account's JSON has version ${found}, and only version ${JSON_VERSION} can be read`,
    );
  }
  return json;
}

/** The account's ACI; undefined where it has none yet. */
export function aciOf(json: JsonPart): string | undefined {
  if (json.raw('aciAccountData') === undefined) return undefined;
  return parseServiceId(json.part('aciAccountData').raw('serviceId')) ?? undefined;
}

/**
 * The service that the account is registered with.
 *
 * @throws SealcastError ERR_IMPORT_REFUSED: it is not the expected one; ERR_IMPORT_DAMAGED
 */
export function environmentOf(
  json: JsonPart,
  files: Pick<AccountFiles, 'environment'>,
  wanted: ServiceEnvironment,
): ServiceEnvironment {
  const text = json.optionalText('serviceEnvironment');
  const environment =
    text === undefined ? files.environment : checkEnvironment(text, 'serviceEnvironment');
  if (environment !== files.environment)
    failPart('serviceEnvironment', 'the one that accounts.json tells');
  if (environment !== wanted) {
    const message = `the account is registered with the ${environment} service, not the ${wanted} one; tell option environment where that is meant`;
    fail('ERR_IMPORT_REFUSED', message, 'environment');
  }
  return environment;
}

/**
 * Reads the account in its JSON.
 *
 * @throws SealcastError ERR_IMPORT_DAMAGED, ERR_IMPORT_REFUSED: the account is not registered.
 */
export function readAccount(json: JsonPart): SourceAccount {
  if (json.raw('registered') !== true)
    fail('ERR_IMPORT_REFUSED', 'the account is not registered: its sessions are of no use');
  const accountEntropyPool = json.optionalText('accountEntropyPool');
  if (accountEntropyPool !== undefined && !AccountEntropyPool.isValid(accountEntropyPool))
    failPart('accountEntropyPool', 'an account entropy pool');
  return {
    number: json.optionalText('number'),
    deviceId: json.optionalInteger('deviceId', 1, MAX_DEVICE_ID) ?? 1,
    password: json.text('password'),
    encryptedDeviceName: json.optionalBytes('encryptedDeviceName'),
    aci: identityOf(json.part('aciAccountData'), 'aciAccountData', false),
    pni: hasIdentity(json, 'pniAccountData')
      ? identityOf(json.part('pniAccountData'), 'pniAccountData', true)
      : undefined,
    profileKey: json.optionalBytes('profileKey', 32),
    accountEntropyPool,
    masterKey: json.optionalBytes('pinMasterKey', 32),
    mediaRootBackupKey: json.optionalBytes('mediaRootBackupKey', 32),
    hasPin: json.optionalText('registrationLockPin') !== undefined,
  };
}

/** Keys of a number's registration that follow from the account's master key. */
export interface PinKeys {
  /** Hex */
  readonly registrationLock: string;
  /** 32 bytes */
  readonly recoveryPassword: Uint8Array<ArrayBuffer>;
}

/**
 * Derives what a primary device registers beside a PIN; undefined where the account has no PIN.
 *
 * A registration of attributes without them would take the lock away.
 */
export function pinKeysOf(account: SourceAccount): PinKeys | undefined {
  const { hasPin, masterKey, accountEntropyPool } = account;
  if (!hasPin) return undefined;
  const root =
    masterKey ??
    (accountEntropyPool === undefined
      ? failPart('pinMasterKey', 'there, though the account has a PIN')
      : AccountEntropyPool.deriveSvrKey(accountEntropyPool));
  const key = new SvrKey(root);
  return {
    registrationLock: Buffer.from(key.deriveRegistrationLock()).toString('hex'),
    recoveryPassword: key.deriveRegistrationRecoveryPassword(),
  };
}
