import { OwnPni } from './own-pni.js';
import { OwnProfileKey } from './own-profile-key.js';
import type { IdentityKind } from '../store/tables/account.js';
import { SenderCertificateCache, type CertificateProblem } from '../access/sender-certificate.js';
import { Engine } from '../engine/engine.js';
import { checkSealerOptions, refuse } from '../sealer/options.js';
import { Sealer } from '../sealer/sealer.js';
import type { AccountRecord } from '../store/tables/account.js';
import { loadOwnSync } from '../store/tables/own-sync.js';
import { DamageLog } from '../store/damage.js';
import type { Store } from '../store/store.js';
import { checkedTransport } from '../transport/checked-transport.js';
import type { MeasuredClock } from '../util/service-clock.js';
import { openAccountRecord } from './account-record.js';
import { RecipientLocks } from '../session/recipient-locks.js';
import { certificateSource } from './certificate-source.js';
import type { RuntimeOptions } from './options.js';
import { closeLocks, OWN_LOCKS } from './own-locks.js';
import { PublicIds } from './public-ids.js';
import { SessionClient } from '../session/session-client.js';
import { ResendQueue } from './resend-queue.js';
import { SealQueue } from './seal-queue.js';
import { ServiceTime } from './service-time.js';
import { Emitter } from '../util/event-relay.js';
import type { Telemetry } from './telemetry.js';
import { claimStore, releaseStore } from './store-claims.js';

/** Blocks contacts, and replaces the profile key that a blocked contact may have. */
export interface ContactBlocker {
  /**
   * Blocks a contact, and replaces the profile key that the contact may have.
   *
   * @returns `false`, and changes nothing, where the key would have to be replaced and the account
   *   has no profile or no attributes that the service could be told with the new one.
   *
   * @throws SealcastError the error that kept the replacement from its end; the contact is blocked.
   */
  tryBlock(serviceId: string): Promise<boolean>;
  unblock(serviceId: string): Promise<void>;
}

/** Follows the primary device of a linked one. */
export interface PrimaryFollower {
  /**
   * Resolves when the first look has ended, or takes long. Further calls share it.
   *
   * @param receives whether answers of the primary device are received, so that it may be asked.
   */
  start(receives: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Facts of the account in its store. */
interface StoredAccount {
  readonly account: AccountRecord;
  readonly publicIds: PublicIds;
  readonly pni: OwnPni | undefined;
  readonly isKeyDoubted: boolean;
}

interface OpenRuntime {
  readonly runtime: Promise<AccountRuntime>;
  readonly options: RuntimeOptions;
  users: number;
}
/**
 * Open runtimes: one for each store.
 *
 * Two users that take steps on the sessions of one store without knowledge of each other would use
 * a message key twice.
 */
const openedByStore = new WeakMap<Store, OpenRuntime>();
/**
 * Ends of released runtimes whose last steps on the store are not over yet.
 *
 * The next runtime of the store waits for them.
 */
const endingByStore = new WeakMap<Store, Promise<void>>();

/**
 * State shared by all users of one account: its keys, one Sealer with its workers, one sender
 * certificate, and one lock for each address. There is one runtime for each store, however many
 * users open it.
 */
export class AccountRuntime {
  readonly options: RuntimeOptions;
  readonly sealer: Sealer;
  readonly sessionClient: SessionClient;
  readonly seals: SealQueue;
  readonly certificates: SenderCertificateCache;
  readonly time: ServiceTime;
  readonly locks: RecipientLocks;
  /** Names of broadcasts in log lines and metrics. */
  readonly publicIds: PublicIds;
  readonly certificateProblems = new Emitter<CertificateProblem>();
  /** Retry requests of recipients, with or without a Broadcaster on the store. */
  readonly resends: ResendQueue;
  /** Facts that another device of the account says have changed, to be fetched again. */
  readonly fetchRequests = new Emitter<'local-profile' | 'storage-manifest'>();
  /** Our profile key; a linked device's may be in doubt. */
  readonly profileKey: OwnProfileKey;
  /** Emits when the account has another PNI. */
  readonly pniChanges = new Emitter<OwnPni>();
  #pni: OwnPni | undefined;
  #pniRevision = 0;
  #account: AccountRecord;
  #blocker: ContactBlocker | undefined;
  #follower: PrimaryFollower | undefined;
  /** Ends the telemetry of damaged records. */
  readonly #endDamage: () => void;

  private constructor(
    options: RuntimeOptions,
    engine: Engine,
    { account, publicIds, pni, isKeyDoubted }: StoredAccount,
  ) {
    this.#pni = pni;
    options.telemetry.nameWith(publicIds);
    this.publicIds = publicIds;
    const { store, transport, trustRoots, includePhoneNumber, telemetry } = options;
    this.options = options;
    this.locks = RecipientLocks.of(store);
    this.sealer = Sealer.on(engine);
    this.#account = account;
    this.time = new ServiceTime(transport, telemetry, options.clock);
    this.profileKey = new OwnProfileKey(account.profileKey, isKeyDoubted, this.clock);
    this.sessionClient = new SessionClient(engine, engine.threads, account, this.clock);
    void this.sessionClient.warmUp();
    this.seals = new SealQueue(this.sealer);
    this.resends = new ResendQueue(store);
    this.#endDamage = watchDamage(store, telemetry);
    this.certificates = new SenderCertificateCache({
      source: certificateSource({ store, transport, ownAci: account.aci, includePhoneNumber }),
      trustRoots,
      own: { aci: account.aci, deviceId: account.deviceId, identityKey: account.identityPublicKey },
      clock: this.clock,
      problems: this.certificateProblems,
    });
    this.certificateProblems.subscribe(({ error, attempt }) => {
      telemetry.publish('certificate', { errorCode: error.code, attempt });
      telemetry.log.warn({ code: error.code, attempt }, 'no usable sender certificate; sends wait');
    });
  }

  /**
   * Its private key is wiped: the workers have it. The profile key is the one that messages carry,
   * and may change.
   */
  get account(): AccountRecord {
    const { carried } = this.profileKey;
    if (this.#account.profileKey !== carried) {
      const { aci, deviceId, registrationId, identityPublicKey, identityPrivateKey } =
        this.#account;
      this.#account = {
        ...{ aci, deviceId, registrationId, identityPublicKey, identityPrivateKey },
        ...(carried !== undefined && { profileKey: carried }),
      };
    }
    return this.#account;
  }

  /** The account's phone-number identity on this device; undefined where the store has none. */
  get pni(): OwnPni | undefined {
    return this.#pni;
  }

  /**
   * Revision of the PNI; odd while a change of it is being committed.
   *
   * A task that writes rows of the PNI looks at it right before each commit: with another revision
   * than at its start, or an odd one, its rows are of a PNI that is gone.
   */
  get pniRevision(): number {
    return this.#pniRevision;
  }

  /** Gives the account another PNI, once `commit` has put it on the disk. */
  async changePni(next: OwnPni, commit: () => Promise<void>): Promise<void> {
    this.#pniRevision += 1;
    try {
      await commit();
      this.#pni = next;
    } finally {
      this.#pniRevision += 1;
    }
    this.pniChanges.emit(next);
  }

  /**
   * Makes messages carry another profile key from now on, or none; the caller has stored it.
   *
   * @param profileKey 32 bytes
   */
  setProfileKey(profileKey: Uint8Array | undefined): void {
    this.profileKey.replace(profileKey);
  }

  /** Follows the primary device until the runtime ends, as the first caller says. */
  async follow(begin: () => PrimaryFollower, receives: boolean): Promise<void> {
    this.#follower ??= begin();
    await this.#follower.start(receives);
  }

  /**
   * The open account's way to block contacts; undefined where a Broadcaster or a Receiver is open
   * alone.
   */
  get blocker(): ContactBlocker | undefined {
    return this.#blocker;
  }

  /**
   * Lets an open account block contacts for all users of the runtime.
   *
   * @returns a call that ends it, unless another account has been opened since.
   */
  blockWith(blocker: ContactBlocker): () => void {
    this.#blocker = blocker;
    return () => {
      if (this.#blocker === blocker) this.#blocker = undefined;
    };
  }

  /** Our own device under an identity of ours. @throws RangeError there is no such identity. */
  deviceOf(identity: IdentityKind): SessionClient['own'] {
    if (identity === 'aci') return this.sessionClient.own;
    if (this.#pni === undefined) throw new RangeError('the account has no PNI');
    const { serviceId, registrationId } = this.#pni;
    return { serviceId, deviceId: this.#account.deviceId, registrationId };
  }

  /**
   * Does work with the private key of an identity of ours, which it gets only of the PNI: the
   * workers have the ACI's. The key is wiped when the work is done.
   */
  async withPrivateKey<Result>(
    identity: IdentityKind,
    work: (privateKey: Uint8Array | undefined) => Promise<Result>,
  ): Promise<Result> {
    if (identity === 'aci') return work(undefined);
    const privateKey = await OwnPni.loadPrivateKey(this.options.store);
    try {
      return await work(privateKey);
    } finally {
      privateKey.fill(0);
    }
  }

  /** The service's time, as far as it is known. */
  get clock(): MeasuredClock {
    return this.time.clock;
  }

  /**
   * Opens the runtime of the store; each call needs a `release()`.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: it is in use with another transport or other trust
   *   roots; ERR_ACCOUNT_MISMATCH; as the store and {@link Sealer.create}.
   */
  static async open(options: RuntimeOptions): Promise<AccountRuntime> {
    const { store } = options;
    const opened = openedByStore.get(store);
    if (opened !== undefined) {
      opened.users += 1;
      try {
        const runtime = await opened.runtime;
        // The account must be the same; a profile key that the caller gives now takes effect.
        if (options.account !== undefined) await runtime.#rename(options.account);
        checkSame(opened.options, options);
        options.telemetry.nameWith(runtime.publicIds);
        return runtime;
      } catch (error) {
        await AccountRuntime.#release(store, opened);
        throw error;
      } finally {
        options.account?.identityPrivateKey.fill(0);
      }
    }
    claimStore(store);
    const runtime = AccountRuntime.#create(options);
    openedByStore.set(store, { runtime, options, users: 1 });
    runtime.catch(() => {
      openedByStore.delete(store);
      releaseStore(store);
    });
    return runtime;
  }

  static async #create(options: RuntimeOptions): Promise<AccountRuntime> {
    await endingByStore.get(options.store);
    let account: AccountRecord | undefined;
    try {
      account = await openAccountRecord(options.store, options.account);
      const publicIds = await PublicIds.of(options.store);
      const pni = await OwnPni.load(options.store, account.identityPublicKey);
      const { isKeyDoubted } = await loadOwnSync(options.store);
      const identityKeyPair = {
        publicKey: account.identityPublicKey,
        privateKey: account.identityPrivateKey,
      };
      const engine = await Engine.create(
        checkSealerOptions({ ...options.sealerOptions, identityKeyPair }),
      );
      return new AccountRuntime(options, engine, { account, publicIds, pni, isKeyDoubted });
    } finally {
      // The workers have the key in their own memory, or there are no workers.
      account?.identityPrivateKey.fill(0);
      options.account?.identityPrivateKey.fill(0);
    }
  }

  async #rename(given: AccountRecord): Promise<void> {
    // Not during a change of the profile key: one of the two would be lost.
    await this.locks.with([OWN_LOCKS.records], async () => {
      const account = await openAccountRecord(this.options.store, given);
      account.identityPrivateKey.fill(0);
      this.#account = account;
      this.profileKey.replace(account.profileKey);
    });
  }

  /**
   * Ends one use of the runtime.
   *
   * The last release waits for the work under way in the store, ends the workers, and wipes the
   * keys.
   */
  async release(): Promise<void> {
    const { store } = this.options;
    const opened = openedByStore.get(store);
    if (opened !== undefined) await AccountRuntime.#release(store, opened);
  }

  static async #release(store: Store, opened: OpenRuntime): Promise<void> {
    opened.users -= 1;
    if (opened.users > 0) return;
    openedByStore.delete(store);
    const ending = opened.runtime.then(
      (runtime) => runtime.#end(),
      () => undefined,
    );
    endingByStore.set(
      store,
      // Unless this copy has opened the store again meanwhile, and waits for this end.
      ending
        .catch(() => undefined)
        .then(() => {
          if (!openedByStore.has(store)) releaseStore(store);
        }),
    );
    await endingByStore.get(store);
    await ending;
  }

  async #end(): Promise<void> {
    this.#endDamage();
    await this.#follower?.close();
    this.profileKey.close();
    this.time.close();
    this.certificates.close();
    await closeLocks(this.locks);
    await this.sealer.close();
  }
}

/**
 * Publishes damaged records that are found in the store.
 *
 * @returns a call that ends it.
 */
function watchDamage(store: Store, telemetry: Telemetry): () => void {
  /** Count at which a table gets its next line: a broken disk may have damaged thousands. */
  const nextLine = new Map<string, number>();
  return DamageLog.of(store).subscribe(({ table, records }) => {
    telemetry.publish('store:damaged', { table, records });
    if (records < (nextLine.get(table) ?? 1)) return;
    nextLine.set(table, 10 * records);
    telemetry.log.warn({ table, records }, 'read store: damaged records are left out');
  });
}

function checkSame(opened: RuntimeOptions, { transport, trustRoots }: RuntimeOptions): void {
  if (checkedTransport(transport) !== checkedTransport(opened.transport))
    refuse('transport', 'the one with which the store is in use already');
  const namesOf = (roots: RuntimeOptions['trustRoots']): string =>
    roots.map((root) => Buffer.from(root).toString('hex')).join();
  if (namesOf(trustRoots) !== namesOf(opened.trustRoots))
    refuse('trustRoots', 'those with which the store is in use already');
}
