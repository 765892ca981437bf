import { randomBytes } from 'node:crypto';
import { PrivateKey } from '@signalapp/libsignal-client';
import { AccountEntropyPool, SvrKey } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import { deriveAccessKey } from '../access/access-key.js';
import type { Capabilities } from '../access/capabilities.js';
import { newPassword, newPreKeys, newRegistrationId } from '../link/pending-link.js';
import type { AccountRecord } from '../store/tables/account.js';
import {
  wipeCredentials,
  type PendingLinkRecord,
  type PendingRegistrationRecord,
} from '../store/tables/credentials.js';
import type { NewIdentityKeys, RegisterRequest } from '../transport/json/registration.js';

const PROFILE_KEY_BYTES = 32;

export interface NewRegistration {
  readonly number: string;
  readonly sessionId: string;
  readonly capabilities: Capabilities;
  readonly discoverableByPhoneNumber: boolean;
  /** The store's account of the same number: its registration id is not used again. */
  readonly earlier: Pick<AccountRecord, 'registrationId' | 'profileKey'> | undefined;
  readonly nowMs: number;
}

interface KeyPair {
  readonly identityPublicKey: Uint8Array;
  readonly identityPrivateKey: Uint8Array;
}

function newKeyPair(): KeyPair {
  const privateKey = PrivateKey.generate();
  return {
    identityPublicKey: privateKey.getPublicKey().serialize(),
    identityPrivateKey: privateKey.serialize(),
  };
}

/** Makes everything of a new account: keys, password, registration ids, prekeys, entropy pool. */
export function createPendingRegistration(options: NewRegistration): PendingRegistrationRecord {
  const { number, sessionId, capabilities, discoverableByPhoneNumber, earlier, nowMs } = options;
  const aci = newKeyPair();
  const pni = newKeyPair();
  const registrationId = newRegistrationId(earlier?.registrationId);
  return {
    number,
    sessionId,
    isRequested: false,
    registrationId,
    ...aci,
    // Contacts that have the former key go on sending sealed.
    profileKey: earlier?.profileKey ?? randomBytes(PROFILE_KEY_BYTES),
    credentials: {
      password: newPassword(),
      number,
      pniIdentity: { pni: '', registrationId: newRegistrationId(registrationId), ...pni },
      accountEntropyPool: AccountEntropyPool.generate(),
      capabilities,
      createdAtMs: nowMs,
    },
    aciPreKeys: newPreKeys(aci.identityPrivateKey, nowMs),
    pniPreKeys: newPreKeys(pni.identityPrivateKey, nowMs),
    discoverableByPhoneNumber,
  };
}

/** Secrets that the master key of the account gives. */
export interface MasterSecrets {
  /** 32 bytes */
  readonly recoveryPassword: Uint8Array;
  /**
   * Hex, 64 digits; only where a PIN restored the master key: its account had a registration lock,
   * and keeps it.
   */
  readonly registrationLock: string | undefined;
}

export function masterSecretsOf({ credentials }: PendingRegistrationRecord): MasterSecrets {
  const { masterKey, accountEntropyPool = '' } = credentials;
  const svrKey = new SvrKey(
    masterKey === undefined
      ? AccountEntropyPool.deriveSvrKey(accountEntropyPool)
      : Uint8Array.from(masterKey),
  );
  return {
    recoveryPassword: svrKey.deriveRegistrationRecoveryPassword(),
    registrationLock:
      masterKey === undefined
        ? undefined
        : Buffer.from(svrKey.deriveRegistrationLock()).toString('hex'),
  };
}

/** The request that makes the account; the same one each time it is sent. */
export function registerRequestOf(registration: PendingRegistrationRecord): RegisterRequest {
  const { credentials, aciPreKeys, pniPreKeys } = registration;
  const { pniIdentity, capabilities } = credentials;
  const keysOf = (publicKey: Uint8Array, preKeys: typeof aciPreKeys): NewIdentityKeys => ({
    publicKey,
    ...preKeys,
  });
  return {
    number: registration.number,
    password: credentials.password,
    registrationId: registration.registrationId,
    pniRegistrationId: pniIdentity.registrationId,
    ...masterSecretsOf(registration),
    accessKey: deriveAccessKey(registration.profileKey),
    capabilities,
    discoverableByPhoneNumber: registration.discoverableByPhoneNumber,
    aci: keysOf(registration.identityPublicKey, aciPreKeys),
    pni: keysOf(pniIdentity.identityPublicKey, pniPreKeys),
  };
}

/** The registration with the master key that a PIN restored, in place of its entropy pool. */
export function withMasterKey(
  registration: PendingRegistrationRecord,
  masterKey: Uint8Array,
): PendingRegistrationRecord {
  // The record keeps no empty text.
  const credentials = { ...registration.credentials, accountEntropyPool: '', masterKey };
  return { ...registration, credentials };
}

export function wipeRegistration({
  identityPrivateKey,
  credentials,
  profileKey,
}: Pick<
  PendingRegistrationRecord | PendingLinkRecord,
  'identityPrivateKey' | 'credentials' | 'profileKey'
>): void {
  identityPrivateKey.fill(0);
  wipeCredentials(credentials);
  profileKey.fill(0);
}
