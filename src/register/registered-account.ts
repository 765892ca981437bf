import { isDeepStrictEqual } from 'node:util';
import { PRIMARY_CAPABILITIES, type Capabilities } from '../access/capabilities.js';
import { newDeviceChanges } from '../link/linked-account.js';
import { attributesChange } from '../store/tables/account.js';
import {
  pendingRegistrationRemoval,
  type PendingRegistrationRecord,
} from '../store/tables/credentials.js';
import type { Change, Store } from '../store/store.js';
import { PRIMARY_DEVICE_ID } from '../util/addresses.js';
import { masterSecretsOf } from './pending-registration.js';

const isDefault = (capabilities: Capabilities): boolean =>
  isDeepStrictEqual({ ...capabilities }, PRIMARY_CAPABILITIES);

/**
 * Makes the changes with which a registration becomes the store's account, for one commit.
 *
 * Remains of an earlier registration of the number go, contacts stay. The attributes are kept as
 * the service has them, so that a later request of them clears neither lock nor recovery password.
 *
 * Values have secrets in them: the caller wipes them once they are committed.
 */
export async function registeredAccountChanges(
  store: Store,
  registration: PendingRegistrationRecord,
  { aci, pni, nowMs }: { readonly aci: string; readonly pni: string; readonly nowMs: number },
): Promise<Change[]> {
  const { registrationId, identityPublicKey, identityPrivateKey, profileKey } = registration;
  const { aciPreKeys, pniPreKeys } = registration;
  const credentials = {
    ...registration.credentials,
    pniIdentity: { ...registration.credentials.pniIdentity, pni },
  };
  const account = {
    aci,
    deviceId: PRIMARY_DEVICE_ID,
    registrationId,
    identityPublicKey,
    identityPrivateKey,
    profileKey,
  };
  const { recoveryPassword, registrationLock } = masterSecretsOf(registration);
  const attributes = attributesChange({
    fetchesMessages: true,
    pniRegistrationId: credentials.pniIdentity.registrationId,
    ...(registrationLock !== undefined && { registrationLock }),
    recoveryPassword,
    discoverableByPhoneNumber: registration.discoverableByPhoneNumber,
    // Empty: the default of the version that sends them.
    capabilities: isDefault(credentials.capabilities) ? {} : credentials.capabilities,
    unrestricted: false,
    isPending: false,
  });
  const device = { account, credentials, aciPreKeys, pniPreKeys };
  const changes = await newDeviceChanges(store, device, nowMs);
  return [
    ...changes.filter(({ table, key }) => table !== attributes.table || key !== attributes.key),
    attributes,
    pendingRegistrationRemoval(),
  ];
}
