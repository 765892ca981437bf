import { SealcastError } from '../../errors.js';
import { checkInteger } from '../../sealer/options.js';
import { pack, unpack, type Packed } from '../../session/protocol.js';
import type { Change, Store } from '../../store/store.js';
import {
  loadPreKeyState,
  preKeyStateChange,
  type IdentityKind,
  type PreKeyRange,
  type PreKeysRecord,
} from '../../store/tables/account.js';
import {
  kyberUseRemovals,
  loadPreKeys,
  preKeyChange,
  type PreKeyTable,
} from '../../store/tables/prekeys.js';
import type { Refusal } from '../../transport/transport.js';
import type {
  AccountTransport,
  PreKeyCountOutcome,
  PreKeyUpload,
} from '../../transport/account-transport.js';
import type { AccountRuntime } from '../../runtime/account-runtime.js';
import { OWN_LOCKS } from '../../runtime/own-locks.js';
import {
  idsOf,
  isLastResort,
  KIND_NAMES,
  KINDS,
  newState,
  planOf,
  pruned,
  withNew,
  withUploaded,
  type KindFacts,
  type KindPlan,
  type PreKeyKind,
} from './plan.js';
import { SendGuard } from '../../runtime/send-guard.js';
import { DailySchedule } from '../../runtime/daily-schedule.js';
import { Emitter } from '../../util/event-relay.js';
import { isDefinite, refusalError } from '../../transport/refusal-errors.js';
import { unlessAborted } from '../../util/abort.js';

/** Records of a kind, in the order of their ids; undefined where a record is gone. */
type PreKeyRecords = readonly (Uint8Array<ArrayBuffer> | undefined)[];

/**
 * Our own prekeys, with which others begin sessions with us.
 *
 * These are one-time EC and Kyber prekeys, the signed prekey and the last-resort Kyber prekey, all
 * of one identity of ours. Their private halves are in the store before the service hears of the
 * public ones.
 *
 * The service replaces its whole list of one-time prekeys by the one that it gets (`PUT /v2/keys`).
 * Prekeys of the old list that it handed out before may still be used, so the store keeps replaced
 * prekeys.
 */
export class PreKeys {
  readonly #runtime: AccountRuntime;
  readonly #transport: AccountTransport;
  readonly #store: Store;
  readonly #guard: SendGuard;
  readonly #identity: IdentityKind;
  readonly #schedule: DailySchedule;
  /**
   * Failures of the runs that {@link PreKeys.start} schedules.
   *
   * A later run tries again, unless time does not fix the failure.
   */
  readonly problems = new Emitter<SealcastError>();
  #running: Promise<Refusal | undefined> | undefined;
  /** Revision of the PNI at the start of the run. */
  #pniRevision = 0;
  readonly #closing = new AbortController();

  constructor(
    runtime: AccountRuntime,
    transport: AccountTransport,
    identity: IdentityKind = 'aci',
  ) {
    this.#runtime = runtime;
    this.#identity = identity;
    this.#transport = transport;
    this.#store = runtime.options.store;
    this.#guard = SendGuard.of(this.#store);
    const { log } = runtime.options.telemetry;
    this.#schedule = new DailySchedule(
      {
        operation: 'prekey maintenance',
        run: (signal) => this.#shared(signal),
        failed: (error) => {
          log.warn({ code: error.code, identity }, 'prekey maintenance failed');
          this.problems.emit(error);
        },
      },
      runtime.clock,
    );
  }

  /**
   * Ensures that the service has prekeys of ours, of each kind.
   *
   * It has at least ten one-time ones of either kind (with fewer, it gets a hundred new ones), and
   * a signed and a last-resort one that have been in use for less than two days. Removes from the
   * store prekeys that were replaced so long ago that no message begun with them comes any longer.
   * Calls at the same time share one run.
   *
   * The first call gives the service prekeys of each kind, however many it has: this device cannot
   * use those of an earlier life of the account. The next call finds prekeys that a crash or a lost
   * answer leaves in the store: see {@link planOf}.
   *
   * @throws SealcastError ERR_RATE_LIMITED, ERR_SERVICE_UNAVAILABLE, ERR_SERVICE_REJECTED,
   *   ERR_TRANSPORT_REFUSED, ERR_ABORTED (by {@link stop}), ERR_CLOSED; as the store.
   */
  async maintain(): Promise<void> {
    const { signal } = this.#closing;
    const refusal = await unlessAborted(() => this.#shared(signal), signal);
    if (refusal !== undefined) throw errorOf(refusal);
  }

  /** Maintains prekeys now, and once a day. Further calls do nothing. */
  start(): void {
    this.#schedule.start();
  }

  /** Ends the daily maintenance; resolves when the run under way has ended. */
  stop(): Promise<void> {
    return this.#schedule.stop();
  }

  /** Ends every run with ERR_ABORTED; resolves when the run under way has ended. */
  close(): Promise<void> {
    this.#closing.abort(new SealcastError('ERR_CLOSED', 'this Account is closed'));
    return this.stop();
  }

  /**
   * Notes that sessions began with `count` of our one-time prekeys: the service has fewer.
   *
   * One run a few seconds later covers all that is noted until then. Does nothing unless started.
   */
  noteUsed(count: number): void {
    if (checkInteger(count, 'count', 0, Number.MAX_SAFE_INTEGER) > 0) this.#schedule.soon();
  }

  /**
   * Returns the ids of Kyber prekeys that stay when sessions begin with them.
   *
   * An unknown id is none that stays.
   */
  async lastResortsAmong(kyberIds: readonly number[]): Promise<ReadonlySet<number>> {
    const state = await this.#load();
    return new Set(kyberIds.filter((id) => isLastResort(state, id)));
  }

  #shared(signal: AbortSignal | undefined): Promise<Refusal | undefined> {
    this.#running ??= this.#runtime.locks
      .with([OWN_LOCKS.preKeys], () => this.#maintain(signal))
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #maintain(signal: AbortSignal | undefined): Promise<Refusal | undefined> {
    if (this.#identity === 'pni' && this.#runtime.pni === undefined) return undefined;
    this.#pniRevision = this.#runtime.pniRevision;
    this.#guard.assertOwned();
    const counts = await this.#transport.countPreKeys({ signal, identity: this.#identity });
    if (counts.status !== 'ok') return counts;
    const { clock } = this.#runtime;
    // After an answer of the service, so that the clock has been measured.
    const nowMs = clock.now();
    const { state: known, steps } = await this.#plan(await this.#load(), counts, nowMs);
    const made = steps.filter(({ step }) => step === 'new').map(({ kind }) => kind);
    const wanted = new Set(steps.filter(({ step }) => step !== 'none').map(({ kind }) => kind));
    let state = await this.#generate(known, made, nowMs);
    if (wanted.size > 0) {
      const upload = await this.#uploadOf(state, wanted);
      this.#assertSamePni();
      this.#guard.assertOwned();
      const answer = await this.#transport.uploadPreKeys(upload, {
        signal,
        identity: this.#identity,
      });
      if (answer.status !== 'ok') {
        if (isDefinite(answer)) await this.#discard(state, made);
        return answer;
      }
      this.#runtime.options.telemetry.log.info(
        { kinds: [...wanted], identity: this.#identity },
        'prekeys were uploaded',
      );
    }
    for (const kind of wanted) state = withUploaded(state, kind, clock.now());
    await this.#prune(state, clock.now());
    return undefined;
  }

  async #plan(
    before: PreKeysRecord,
    { preKeys, kyberPreKeys }: Extract<PreKeyCountOutcome, { status: 'ok' }>,
    nowMs: number,
  ): Promise<{
    readonly state: PreKeysRecord;
    readonly steps: readonly { readonly kind: PreKeyKind; readonly step: KindPlan['step'] }[];
  }> {
    const left: Partial<Record<PreKeyKind, number>> = { preKeys, kyberPreKeys };
    let state = before;
    const steps: { kind: PreKeyKind; step: KindPlan['step'] }[] = [];
    for (const kind of KIND_NAMES) {
      const last = state[kind].at(-1);
      const isUsed =
        last?.uploadedMs === 0 && (await this.#records(kind, last)).includes(undefined);
      const { isTaken, step } = planOf(state[kind], { count: left[kind], isUsed, nowMs });
      if (isTaken) state = withUploaded(state, kind, nowMs);
      steps.push({ kind, step });
    }
    return { state, steps };
  }

  /** Generates new prekeys of those kinds, and commits them with the state that names them. */
  async #generate(
    before: PreKeysRecord,
    kinds: readonly PreKeyKind[],
    nowMs: number,
  ): Promise<PreKeysRecord> {
    if (kinds.length === 0) return before;
    let state = before;
    const ids: Record<KindFacts['table'], number[]> = {
      preKey: [],
      signedPreKey: [],
      kyberPreKey: [],
    };
    for (const kind of kinds) {
      const made = withNew(state, kind);
      state = made.state;
      ids[KINDS[kind].table].push(...idsOf(made.range));
    }
    const { preKeys, signedPreKeys, kyberPreKeys } = await this.#runtime.withPrivateKey(
      this.#identity,
      (privateKey) =>
        this.#runtime.sessionClient.generatePreKeys(
          {
            nowMs,
            preKeyIds: Uint32Array.from(ids.preKey),
            signedPreKeyIds: Uint32Array.from(ids.signedPreKey),
            kyberPreKeyIds: Uint32Array.from(ids.kyberPreKey),
          },
          privateKey,
        ),
    );
    await this.#commit([
      ...this.#recordChanges('preKey', ids.preKey, preKeys),
      ...this.#recordChanges('signedPreKey', ids.signedPreKey, signedPreKeys),
      ...this.#recordChanges('kyberPreKey', ids.kyberPreKey, kyberPreKeys),
      preKeyStateChange(state, this.#identity),
    ]);
    for (const { bytes } of [preKeys, signedPreKeys, kyberPreKeys]) bytes.fill(0);
    return state;
  }

  /**
   * Removes prekeys that the service has certainly not taken.
   *
   * With a refusal every hour, they would fill the disk.
   */
  async #discard(before: PreKeysRecord, kinds: readonly PreKeyKind[]): Promise<void> {
    let state = before;
    const changes: Change[] = [];
    for (const kind of kinds) {
      const last = state[kind].at(-1);
      if (last === undefined) continue;
      changes.push(...this.#removals(KINDS[kind].table, idsOf(last)));
      state = { ...state, [kind]: state[kind].slice(0, -1) };
    }
    await this.#commit([...changes, preKeyStateChange(state, this.#identity)]);
  }

  /** Returns the public halves of the newest prekeys of those kinds, from the store. */
  async #uploadOf(state: PreKeysRecord, wanted: ReadonlySet<PreKeyKind>): Promise<PreKeyUpload> {
    const rangeOf = (kind: PreKeyKind): PreKeyRange | undefined =>
      wanted.has(kind) ? state[kind].at(-1) : undefined;
    const recordsOf = async (kind: PreKeyKind): Promise<PreKeyRecords> => {
      const range = rangeOf(kind);
      return range === undefined ? [] : this.#records(kind, range);
    };
    const [preKeys, signed, kyber, lastResort] = await Promise.all(KIND_NAMES.map(recordsOf));
    if (
      preKeys === undefined ||
      signed === undefined ||
      kyber === undefined ||
      lastResort === undefined
    ) {
      throw new RangeError('records of each kind');
    }
    const publics = await this.#runtime.sessionClient.describePreKeys({
      preKeys: pack(preKeys),
      signedPreKeys: pack(signed),
      // Both Kyber kinds share a table, and a column.
      kyberPreKeys: pack([...kyber, ...lastResort]),
    });
    const idsIn = (kind: PreKeyKind): number[] => {
      const range = rangeOf(kind);
      return range === undefined ? [] : idsOf(range);
    };
    const kyberIds = [...idsIn('kyberPreKeys'), ...idsIn('lastResortKyberPreKeys')];
    const kyberPublics = publicPreKeys(kyberIds, publics.kyberPreKeys);
    const [signedPreKey] = publicPreKeys(idsIn('signedPreKeys'), publics.signedPreKeys);
    const lastResortKyberPreKey = kyberPublics[kyber.length];
    return {
      ...(wanted.has('preKeys') && { preKeys: publicPreKeys(idsIn('preKeys'), publics.preKeys) }),
      ...(signedPreKey !== undefined && { signedPreKey }),
      ...(wanted.has('kyberPreKeys') && { kyberPreKeys: kyberPublics.slice(0, kyber.length) }),
      ...(lastResortKyberPreKey !== undefined && { lastResortKyberPreKey }),
    };
  }

  async #prune(state: PreKeysRecord, nowMs: number): Promise<void> {
    const { state: kept, removed } = pruned(state, nowMs);
    const changes = removed.flatMap(({ table, id }) => this.#removals(table, [id]));
    for (const { table, id } of removed)
      if (table === 'kyberPreKey')
        changes.push(...(await kyberUseRemovals(this.#store, id, this.#identity)));
    await this.#commit([...changes, preKeyStateChange(kept, this.#identity)]);
  }

  /** In one step: a change of the PNI is committed before this, and refuses it, or after it. */
  #commit(changes: readonly Change[]): Promise<void> {
    this.#assertSamePni();
    return this.#store.commit(changes);
  }

  /** @throws SealcastError ERR_SERVICE_UNAVAILABLE: the rows are of a former PNI; try again. */
  #assertSamePni(): void {
    if (this.#identity !== 'pni') return;
    const { pniRevision } = this.#runtime;
    if (pniRevision === this.#pniRevision && pniRevision % 2 === 0) return;
    throw new SealcastError(
      'ERR_SERVICE_UNAVAILABLE',
      'prekey maintenance failed: the number was changed meanwhile, it runs again',
    );
  }

  #records(kind: PreKeyKind, range: PreKeyRange): Promise<PreKeyRecords> {
    return loadPreKeys(this.#store, KINDS[kind].table, idsOf(range), this.#identity);
  }

  async #load(): Promise<PreKeysRecord> {
    return (await loadPreKeyState(this.#store, this.#identity)) ?? newState();
  }

  #removals(table: PreKeyTable, ids: readonly number[]): Change[] {
    return ids.map((id) => preKeyChange(table, id, null, this.#identity));
  }

  #recordChanges(table: PreKeyTable, ids: readonly number[], records: Packed): Change[] {
    const values = unpack(records);
    return ids.map((id, i) => preKeyChange(table, id, values[i] ?? null, this.#identity));
  }
}

interface PublicHalf {
  readonly id: number;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly signature: Uint8Array<ArrayBuffer>;
}

function publicPreKeys(
  ids: readonly number[],
  { publicKeys, signatures }: { readonly publicKeys: Packed; readonly signatures: Packed },
): PublicHalf[] {
  const keys = unpack(publicKeys);
  const signed = unpack(signatures);
  return ids.map((id, i) => {
    const publicKey = keys[i];
    if (publicKey === undefined)
      throw new SealcastError('ERR_STORE_FAILED', `the store's prekey ${id} cannot be read`);
    return { id, publicKey, signature: signed[i] ?? new Uint8Array(0) };
  });
}

const errorOf = (refusal: Refusal): SealcastError =>
  refusalError(refusal, 'prekey maintenance failed');
