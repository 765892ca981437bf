import { SealcastError } from '../errors.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const PNI_PREFIX = 'PNI:';

/** The service id in its one form, in lower case; null for what is none. */
export function parseServiceId(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const isPni = value.slice(0, PNI_PREFIX.length).toUpperCase() === PNI_PREFIX;
  const uuid = isPni ? value.slice(PNI_PREFIX.length) : value;
  if (!UUID.test(uuid)) return null;
  return `${isPni ? PNI_PREFIX : ''}${uuid.toLowerCase()}`;
}

/** Id of an account's primary device; linked devices have 2 to 127. */
export const PRIMARY_DEVICE_ID = 1;

export const isPrimary = ({ deviceId }: { readonly deviceId: number }): boolean =>
  deviceId === PRIMARY_DEVICE_ID;

/**
 * Refuses a change of the account that only its primary device may make.
 *
 * The service takes such a change from any device. From a linked one it would clear the owner's
 * registration lock and overwrite the access key (Signal-Server: AccountController,
 * `setAccountAttributes` checks no device, 2026-08).
 *
 * @param operation what was asked, as in "set the profile"
 * @throws SealcastError ERR_NOT_PRIMARY
 */
export function requirePrimary(device: { readonly deviceId: number }, operation: string): void {
  if (isPrimary(device)) return;
  throw new SealcastError(
    'ERR_NOT_PRIMARY',
    `${operation}: device ${device.deviceId} is a linked one; do it on the primary device`,
  );
}
