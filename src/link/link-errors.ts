import { SealcastError } from '../errors.js';
import type { CredentialsRecord } from '../store/tables/credentials.js';
import { refusedError } from '../transport/chat/connection-pool.js';
import type { LinkOutcome } from '../transport/chat/link-requests.js';
import { CLIENT_TOO_OLD } from '../transport/mapping/http.js';

type Refused = Extract<LinkOutcome, { status: 'refused' }>;

/** The device's name, and when it was made, by which a person finds it on the phone. */
const named = ({ deviceName = '', createdAtMs }: CredentialsRecord): string =>
  `"${deviceName}", made ${new Date(createdAtMs).toISOString()}`;

/** The error of a service that has certainly not linked the device. */
export function linkRefusedError(refused: Refused): SealcastError {
  const { httpStatus, retryAfterMs, currentDevices, maxDevices } = refused;
  switch (httpStatus) {
    case 403:
      return new SealcastError(
        'ERR_LINK_CODE',
        "link: the service refused the phone's code, which was used already or is older than ten minutes; call linkDevice again, and scan a new code",
      );
    case 409:
      return new SealcastError(
        'ERR_LINK_CAPABILITY',
        'link: the account has a capability that this device lacks; update sealcast, or name the capability in the option capabilities',
      );
    case 411:
      return new SealcastError(
        'ERR_LINK_DEVICES',
        `link: the account has ${currentDevices ?? 'as many'} devices${maxDevices === undefined ? ' as it may have' : ` and may have ${maxDevices}`}; remove one under "Linked devices" on the phone, then call linkDevice again`,
        {
          ...(currentDevices !== undefined && { currentDevices }),
          ...(maxDevices !== undefined && { maxDevices }),
        },
      );
    case 429:
      return new SealcastError(
        'ERR_RATE_LIMITED',
        `link: too many attempts, the service wants ${Math.ceil((retryAfterMs ?? 0) / 1_000)} s to pass; call linkDevice again then`,
        { ...(retryAfterMs !== undefined && { retryAfterMs }) },
      );
    case CLIENT_TOO_OLD:
      return refusedError(new Error('the service answered 499: client too old'));
    default:
      return new SealcastError(
        'ERR_SERVICE_REJECTED',
        `link: the service answered ${httpStatus}; update sealcast, and report it if that does not help`,
      );
  }
}

export const linkAccountError = (): SealcastError =>
  new SealcastError(
    'ERR_LINK_ACCOUNT',
    "link: the phone that scanned the code has another account than the store; scan it with the phone of the store's account, or use another store",
  );

export const pendingRegistrationError = (): SealcastError =>
  new SealcastError(
    'ERR_ACCOUNT_MISMATCH',
    'link the device: the service may have registered a number for the store; call resumeRegistration to finish, or use another store',
    { field: 'store' },
  );

/** The error of a link whose outcome is not known, and that the store keeps. */
export const linkUnknownError = (credentials: CredentialsRecord, cause: unknown): SealcastError =>
  new SealcastError(
    'ERR_SERVICE_UNAVAILABLE',
    `link: the service did not say whether it linked the device (${named(credentials)}); call linkDevice with this store again to finish, or remove the device on the phone if it is there`,
    { cause },
  );

/** The error of a store that did not take an account that the service has linked. */
export const linkedUnstoredError = (
  credentials: CredentialsRecord,
  cause: unknown,
): SealcastError =>
  new SealcastError(
    cause instanceof SealcastError ? cause.code : 'ERR_STORE_FAILED',
    `link: the service linked the device (${named(credentials)}), but the store did not take it; make room and call linkDevice with this store again to finish, or remove the device on the phone`,
    { cause },
  );
