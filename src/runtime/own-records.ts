import {
  decodeAttributes,
  decodeProfile,
  decodeRotation,
  encodeAttributes,
  encodeProfile,
  encodeRotation,
  type AttributesRecord,
  type ProfileRecord,
  type RotationRecord,
} from '../store/records-own.js';
import type { Change, Store } from '../store/store.js';

/** Locks of what is the account's own; service ids are those of others. */
export const OWN_LOCKS = {
  /** Held from reading one of the account's own records to having it changed on the disk; never while the service is asked. */
  records: 'own records',
  /** Held while the service is told something of the account: one thing after the other, as it keeps what it heard last. */
  service: 'own word with the service',
  /** Held while prekeys are seen to. */
  preKeys: 'own prekeys',
} as const;

/** Locks with which nothing is done in the store but under another lock; they are held for as long as the service takes to answer. */
export const LOCKS_WHILE_ASKING: ReadonlySet<string> = new Set([OWN_LOCKS.service, OWN_LOCKS.preKeys]);

/** What is kept of the account itself, but for its keys. */
export interface OwnRecords {
  readonly attributes: AttributesRecord | undefined;
  readonly profile: ProfileRecord | undefined;
  /** There while another profile key is on its way. */
  readonly rotation: RotationRecord | undefined;
}

export async function loadOwnRecords(store: Store): Promise<OwnRecords> {
  const [attributes, profile, rotation] = await store.getMany('account', ['attributes', 'profile', 'rotation']);
  return {
    attributes: attributes && decodeAttributes(attributes),
    profile: profile && decodeProfile(profile),
    rotation: rotation && decodeRotation(rotation),
  };
}

/** Puts one of them in the place of what is there; undefined takes it out. */
export const attributesChange = (attributes: AttributesRecord): Change => ({
  table: 'account',
  key: 'attributes',
  value: encodeAttributes(attributes),
});
export const profileChange = (profile: ProfileRecord | undefined): Change => ({
  table: 'account',
  key: 'profile',
  value: profile === undefined ? null : encodeProfile(profile),
});
export const rotationChange = (rotation: RotationRecord | undefined): Change => ({
  table: 'account',
  key: 'rotation',
  value: rotation === undefined ? null : encodeRotation(rotation),
});
