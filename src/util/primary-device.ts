import { SealcastError } from '../errors.js';

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
