import {
  encryptPaymentAddress,
  encryptProfileAbout,
  encryptProfileEmoji,
  encryptProfileFlag,
  encryptProfileName,
} from '../access/profile-cipher.js';
import { profileKeyFacts } from '../access/profile-version.js';
import { SealcastError } from '../errors.js';
import { checkObject, refuse, viewOf } from '../sealer/options.js';
import { checkNames, type NamesOf } from '../util/known-names.js';
import type { ProfileRecord } from '../store/tables/account.js';
import type { ProfileUpload } from '../transport/account-transport.js';

/**
 * The account's profile, all of it: an upload removes absent fields from the profile.
 *
 * The service gets it encrypted with the profile key. The store keeps it as it is: no new profile
 * key can do without it.
 *
 * There is no avatar: clients upload it apart from the chat connection, which sealcast does not
 * support. The first upload under a profile key removes the avatar that was there, as no holder of
 * that key could read it.
 */
export interface ProfileInput {
  /** Given and family name: 257 bytes of UTF-8 together, with one between them. */
  readonly given: string;
  readonly family?: string;
  /** Up to 512 bytes of UTF-8. */
  readonly about?: string;
  /** Up to 32 bytes of UTF-8. */
  readonly aboutEmoji?: string;
  /** A serialized PaymentAddress, up to 550 bytes. */
  readonly paymentAddress?: Uint8Array;
  /** Whether contacts may see the phone number; absent: the profile does not say. */
  readonly phoneNumberSharing?: boolean;
  /** Ids of the account's badges that are shown. Default: none. */
  readonly badgeIds?: readonly string[];
}

const NAMES = {
  given: true,
  family: true,
  about: true,
  aboutEmoji: true,
  paymentAddress: true,
  phoneNumberSharing: true,
  badgeIds: true,
} satisfies NamesOf<ProfileInput>;

function checkText(value: unknown, field: string): string {
  if (typeof value !== 'string' || !value.isWellFormed())
    refuse(field, 'a string of well-formed Unicode');
  return value;
}

/** @returns a copy. Encryption with a key of no account checks the lengths. */
export function checkProfile(input: unknown): ProfileRecord {
  const given = checkObject(input, 'profile') as { readonly [name in keyof ProfileInput]: unknown };
  checkNames(given, NAMES, 'profile');
  const { family, about, aboutEmoji, paymentAddress, phoneNumberSharing, badgeIds = [] } = given;
  const address = paymentAddress === undefined ? undefined : viewOf(paymentAddress);
  if (address === null || address?.length === 0)
    refuse('profile.paymentAddress', 'a Uint8Array of at least 1 byte');
  if (phoneNumberSharing !== undefined && typeof phoneNumberSharing !== 'boolean') {
    refuse('profile.phoneNumberSharing', 'true or false');
  }
  if (!Array.isArray(badgeIds)) refuse('profile.badgeIds', 'an array');
  const profile: ProfileRecord = {
    given: checkText(given.given, 'profile.given'),
    badgeIds: Array.from(badgeIds as unknown[], (id) => checkText(id, 'profile.badgeIds')),
    isPending: false,
    ...(family !== undefined && { family: checkText(family, 'profile.family') }),
    ...(about !== undefined && { about: checkText(about, 'profile.about') }),
    ...(aboutEmoji !== undefined && { aboutEmoji: checkText(aboutEmoji, 'profile.aboutEmoji') }),
    ...(address !== undefined && { paymentAddress: Uint8Array.from(address) }),
    ...(phoneNumberSharing !== undefined && { phoneNumberSharing }),
  };
  try {
    encryptFields(profile, new Uint8Array(32));
  } catch (error) {
    if (!(error instanceof SealcastError)) throw error;
    throw new SealcastError(error.code, `profile.${error.message}`, {
      field: `profile.${error.field ?? ''}`,
    });
  }
  return profile;
}

function encryptFields(
  profile: ProfileRecord,
  key: Uint8Array,
): Omit<ProfileUpload, 'version' | 'commitment' | 'badgeIds'> {
  const { given, family, about, aboutEmoji, paymentAddress, phoneNumberSharing } = profile;
  return {
    name: encryptProfileName(key, { given, ...(family !== undefined && { family }) }),
    ...(about !== undefined && { about: encryptProfileAbout(key, about) }),
    ...(aboutEmoji !== undefined && { aboutEmoji: encryptProfileEmoji(key, aboutEmoji) }),
    ...(paymentAddress !== undefined && {
      paymentAddress: encryptPaymentAddress(key, paymentAddress),
    }),
    ...(phoneNumberSharing !== undefined && {
      phoneNumberSharing: encryptProfileFlag(key, phoneNumberSharing),
    }),
  };
}

/** Builds the upload: the profile, encrypted with this profile key. */
export async function profileUpload(
  profile: ProfileRecord,
  profileKey: Uint8Array,
  aci: string,
): Promise<ProfileUpload> {
  const { version, commitment } = await profileKeyFacts(profileKey, aci);
  return { version, commitment, ...encryptFields(profile, profileKey), badgeIds: profile.badgeIds };
}
