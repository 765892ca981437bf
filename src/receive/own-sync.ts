import { pniRows } from '../account/prekeys/pni-change.js';
import {
  decodeSyncMessage,
  type Content,
  type PniChangeNumber,
  type SyncMessage,
} from '../content/index.js';
import { OwnPni } from '../runtime/own-pni.js';
import { blockedSyncChange, loadOwnSync, ownSyncChange } from '../store/tables/own-sync.js';
import {
  credentialsChange,
  loadCredentials,
  type CredentialsRecord,
} from '../store/tables/credentials.js';
import type { ContactRecord } from '../store/tables/contacts.js';
import type { Change } from '../store/store.js';
import { isPrimary } from '../util/addresses.js';
import { isSameBytes } from '../util/bytes.js';
import type { OpenedEnvelope } from './envelope-opener.js';
import type { ReceiveContext } from './context.js';

/**
 * Handling of a message: `given` to the application, `internal`, or `foreign`: it is for devices of
 * an account that did not send it.
 */
export type SyncHandling = 'given' | 'internal' | 'foreign';

/** Credentials of an account whose caller keeps the password. */
const NO_CREDENTIALS = (nowMs: number): CredentialsRecord => ({
  password: '',
  capabilities: {},
  createdAtMs: nowMs,
});

/**
 * Sync messages of a batch, from other devices of our account. Their effects are committed with the
 * batch, whose locks include that of our own records.
 */
export class SyncBatch {
  readonly #context: ReceiveContext;
  #blocked: readonly string[] | undefined;
  #readReceipts: boolean | undefined;
  #keys: NonNullable<SyncMessage['keys']> = {};
  #pniChange: { readonly change: PniChangeNumber; readonly pni: string } | undefined;
  readonly #fetches = new Set<'local-profile' | 'storage-manifest'>();
  /** The PNI that the changes give the account; undefined where they leave it as it is. */
  newPni: OwnPni | undefined;

  constructor(context: ReceiveContext) {
    this.#context = context;
  }

  /** Takes a message with a sync message in it. @param contact its sender */
  take(
    opened: OpenedEnvelope,
    { syncMessage }: Content,
    { identityKey }: ContactRecord,
  ): SyncHandling {
    if (syncMessage === undefined) return 'given';
    const { aci, deviceId, identityPublicKey } = this.#context.runtime.account;
    const isOwn =
      opened.sender === aci &&
      opened.senderDevice !== deviceId &&
      opened.destination === 'aci' &&
      (identityKey === undefined || isSameBytes(identityKey, identityPublicKey));
    if (!isOwn) return 'foreign';
    let message: SyncMessage;
    try {
      message = decodeSyncMessage(syncMessage);
    } catch {
      return 'given';
    }
    // A later message of the batch replaces what an earlier one said.
    const { blocked, readReceipts, keys, fetchLatest, pniChangeNumber } = message;
    this.#blocked = blocked ?? this.#blocked;
    this.#readReceipts = readReceipts ?? this.#readReceipts;
    this.#keys = { ...this.#keys, ...keys };
    if (fetchLatest === 'local-profile' || fetchLatest === 'storage-manifest')
      this.#fetches.add(fetchLatest);
    if (pniChangeNumber !== undefined && opened.updatedPni !== undefined)
      this.#pniChange = { change: pniChangeNumber, pni: opened.updatedPni };
    const isInternal =
      message.isUnused === true ||
      [blocked, readReceipts, keys, fetchLatest, pniChangeNumber].some(
        (part) => part !== undefined,
      );
    return isInternal ? 'internal' : 'given';
  }

  /** Changes to commit with the batch. Some values have secrets in them. */
  async changes(): Promise<Change[]> {
    const changes = this.#blocked === undefined ? [] : [blockedSyncChange(this.#blocked)];
    if (this.#makesKeyDoubtful) {
      const progress = await loadOwnSync(this.#context.runtime.options.store);
      // A crash may come before the look: the next opening does not send the key before its own.
      changes.push(ownSyncChange({ ...progress, isKeyDoubted: true }));
    }
    return [...changes, ...(await this.#credentialsChanges())];
  }

  /** Whether the primary may have replaced the profile key: it says no more than to fetch again. */
  get #makesKeyDoubtful(): boolean {
    return this.#fetches.size > 0 && !isPrimary(this.#context.runtime.account);
  }

  async #credentialsChanges(): Promise<readonly Change[]> {
    const { runtime, telemetry } = this.#context;
    const hasKeys = Object.keys(this.#keys).length > 0;
    if (!hasKeys && this.#readReceipts === undefined && this.#pniChange === undefined) return [];
    const { store } = runtime.options;
    const nowMs = runtime.clock.now();
    const { accountEntropyPool, masterKey, mediaRootBackupKey } = this.#keys;
    const known = (await loadCredentials(store)) ?? NO_CREDENTIALS(nowMs);
    // The master key is derived from the pool, where there is one.
    const hasPool = (accountEntropyPool ?? known.accountEntropyPool) !== undefined;
    const { masterKey: knownMasterKey, ...others } = known;
    const keptMasterKey = hasPool ? undefined : (masterKey ?? knownMasterKey);
    const credentials: CredentialsRecord = {
      ...others,
      ...(accountEntropyPool !== undefined && { accountEntropyPool }),
      ...(keptMasterKey !== undefined && { masterKey: keptMasterKey }),
      ...(mediaRootBackupKey !== undefined && { mediaRootBackupKey }),
      ...(this.#readReceipts !== undefined && { readReceipts: this.#readReceipts }),
    };
    if (this.#pniChange === undefined) return [credentialsChange(credentials)];
    const rows = await pniRows(store, credentials, { ...this.#pniChange, nowMs });
    if (rows === undefined) {
      telemetry.log.warn({}, 'apply the change of number: its keys are malformed, ignored');
      return [credentialsChange(credentials)];
    }
    this.newPni = await OwnPni.of(rows.identity, runtime.account.identityPublicKey);
    telemetry.log.info({}, 'the account has another number and another PNI');
    return rows.changes;
  }

  /** Calls to make once the changes are on the disk. */
  news(): (() => void)[] {
    const { runtime, blockedList } = this.#context;
    const doubts = this.#makesKeyDoubtful ? [() => runtime.profileKey.doubt()] : [];
    // The keys may be those that the account's record was unreadable without.
    if (Object.keys(this.#keys).length > 0) this.#fetches.add('storage-manifest');
    return [
      ...doubts,
      ...(this.#blocked === undefined ? [] : [() => blockedList.apply()]),
      ...[...this.#fetches].map((what) => () => runtime.fetchRequests.emit(what)),
    ];
  }
}
