import { readPniKeys } from '../../access/pni-keys.js';
import type { PniChangeNumber } from '../../content/index.js';
import {
  loadPreKeyState,
  preKeyStateChange,
  type PreKeyRange,
} from '../../store/tables/account.js';
import {
  credentialsChange,
  type CredentialsRecord,
  type PniIdentity,
} from '../../store/tables/credentials.js';
import { preKeyChange } from '../../store/tables/prekeys.js';
import type { Change, Store } from '../../store/store.js';
import { idAfter, idsOf, KIND_NAMES, KINDS, newState } from './plan.js';

/** A change of number, as it came. */
export interface NewPni {
  readonly change: PniChangeNumber;
  /** `PNI:` and a UUID. */
  readonly pni: string;
  readonly nowMs: number;
}

/** New PNI of the account, and its rows. */
export interface PniRows {
  readonly identity: PniIdentity;
  /** The values have private keys in them. */
  readonly changes: readonly Change[];
}

/**
 * Rows of the PNI that the primary device made for this one when the number was changed.
 *
 * The service has its signed and last-resort prekeys already; one-time ones follow with the next
 * maintenance. Prekeys of the former PNI are removed: nothing is sent to it any longer.
 *
 * @param credentials of the store, with what else changes.
 * @returns undefined where libsignal cannot read the parts, or they do not belong together.
 */
export async function pniRows(
  store: Store,
  credentials: CredentialsRecord,
  { change, pni, nowMs }: NewPni,
): Promise<PniRows | undefined> {
  const read = await readPniKeys(change);
  if (read === undefined) return undefined;
  const { signedPreKeyId, lastResortId, identityPublicKey, identityPrivateKey } = read;
  const { registrationId, number, signedPreKey, lastResortKyberPreKey } = change;
  const identity = { pni, registrationId, identityPublicKey, identityPrivateKey };
  const before = (await loadPreKeyState(store, 'pni')) ?? newState();
  const removals = KIND_NAMES.flatMap((kind) =>
    before[kind].flatMap((range) =>
      idsOf(range).map((id) => preKeyChange(KINDS[kind].table, id, null, 'pni')),
    ),
  );
  const rangeOf = (firstId: number): PreKeyRange => ({
    firstId,
    count: 1,
    uploadedMs: nowMs,
    replacedMs: 0,
  });
  const hasLastResort = lastResortKyberPreKey !== undefined && lastResortId !== undefined;
  const state = {
    ...before,
    nextSignedPreKeyId: idAfter(signedPreKeyId),
    ...(hasLastResort && { nextKyberPreKeyId: idAfter(lastResortId) }),
    preKeys: [],
    kyberPreKeys: [],
    signedPreKeys: [rangeOf(signedPreKeyId)],
    lastResortKyberPreKeys: hasLastResort ? [rangeOf(lastResortId)] : [],
  };
  return {
    identity,
    changes: [
      ...removals,
      preKeyChange('signedPreKey', signedPreKeyId, signedPreKey, 'pni'),
      ...(hasLastResort
        ? [preKeyChange('kyberPreKey', lastResortId, lastResortKyberPreKey, 'pni')]
        : []),
      preKeyStateChange(state, 'pni'),
      credentialsChange({ ...credentials, number, pniIdentity: identity }),
    ],
  };
}
