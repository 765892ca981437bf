import {
  bytesOfBase64,
  flag,
  optionalBytesOfBase64,
  readAnswer,
  base64,
  base64OrNull,
} from './answer-fields.js';
import type { HttpAnswer } from '../mapping/http.js';
import type { AccountAttributes, ProfileOutcome, ProfileUpload } from '../account-transport.js';

const IDENTITY_KEY_BYTES = 33;
const VERIFIER_BYTES = 32;

/**
 * The body of `PUT /v1/accounts/attributes/` (Signal-Server: AccountAttributes, DeviceAttributes,
 * 2026).
 */
export function attributesJson(attributes: AccountAttributes): object {
  return {
    fetchesMessages: attributes.fetchesMessages,
    registrationId: attributes.registrationId,
    pniRegistrationId: attributes.pniRegistrationId,
    name: base64OrNull(attributes.encryptedDeviceName),
    registrationLock: attributes.registrationLock,
    // Also where access is unrestricted, though the service could do without it then: of an account
    // without a verifier in its profile, Signal for Android thinks that it takes no sealed messages
    // (RetrieveProfileJob, 2026).
    unidentifiedAccessKey: base64(attributes.accessKey),
    unrestrictedUnidentifiedAccess: attributes.unrestrictedAccess,
    discoverableByPhoneNumber: attributes.discoverableByPhoneNumber,
    capabilities: attributes.capabilities,
    recoveryPassword: base64OrNull(attributes.recoveryPassword),
  };
}

/**
 * The body of `PUT /v1/profile` (Signal-Server: CreateProfileRequest, 2026). The avatar of this
 * version, if any, stays.
 */
export function profileJson(profile: ProfileUpload): object {
  return {
    version: profile.version,
    commitment: base64(profile.commitment),
    name: base64(profile.name),
    about: base64OrNull(profile.about),
    aboutEmoji: base64OrNull(profile.aboutEmoji),
    paymentAddress: base64OrNull(profile.paymentAddress),
    phoneNumberSharing: base64OrNull(profile.phoneNumberSharing),
    avatar: true,
    sameAvatar: true,
    badgeIds: profile.badgeIds,
  };
}

/**
 * The answer to `GET /v1/profile/...` (Signal-Server: BaseProfileResponse,
 * VersionedProfileResponse, 2026).
 */
export function profileOfAnswer(answer: HttpAnswer): ProfileOutcome {
  return readAnswer(answer, (json) => {
    const verifier = optionalBytesOfBase64(
      json['unidentifiedAccess'],
      'unidentifiedAccess',
      VERIFIER_BYTES,
    );
    const name = optionalBytesOfBase64(json['name'], 'name');
    return {
      status: 'ok',
      identityKey: bytesOfBase64(json['identityKey'], 'identityKey', IDENTITY_KEY_BYTES),
      ...(verifier !== undefined && { verifier }),
      unrestricted: flag(json, 'unrestrictedUnidentifiedAccess'),
      ...(name !== undefined && { name }),
    };
  });
}
