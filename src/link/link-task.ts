import type { Capabilities } from '../access/capabilities.js';
import { SealcastError } from '../errors.js';
import { Records } from '../runtime/records.js';
import { refuseUnfinishedImport } from '../runtime/account-record.js';
import { reserveStore } from '../runtime/store-claims.js';
import { storeTakenOver } from '../store/checks.js';
import { decodeAccount, loadAccount, type AccountRecord } from '../store/tables/account.js';
import {
  loadPendingLink,
  loadPendingRegistration,
  pendingLinkChange,
  pendingLinkRemoval,
  pendingRegistrationRemoval,
  wipeCredentials,
  type PendingLinkRecord,
} from '../store/tables/credentials.js';
import type { Change, Store } from '../store/store.js';
import { LinkRequests, type LinkOutcome } from '../transport/chat/link-requests.js';
import type { LinkSource } from '../transport/chat/link-source.js';
import { Backoff, type BackoffOptions } from '../util/backoff.js';
import { keepProcessAlive, type Clock } from '../util/clock.js';
import { CodeRotation } from './code-rotation.js';
import {
  linkAccountError,
  linkedUnstoredError,
  linkRefusedError,
  linkUnknownError,
  pendingRegistrationError,
} from './link-errors.js';
import { linkedAccountChanges } from './linked-account.js';
import { createPendingLink, linkRequestJson } from './pending-link.js';
import { openProvisionEnvelope, type Provision } from './provision-envelope.js';

/**
 * Device ids that a linked device may get: the service gives the lowest free one from 2, and an
 * account has at most six devices (Signal-Server, 2026-08).
 */
const LINKED_DEVICE_IDS = [2, 3, 4, 5, 6];
/** Attempts to link, or to find out whether a device was linked, while the service is away. */
const ATTEMPTS = 4;

/** Public facts of an account that this device was linked to. */
export interface LinkedAccount {
  /** Service id: a UUID. */
  readonly aci: string;
  readonly deviceId: number;
  /** Service id: `PNI:` and a UUID; absent: the account has no phone number. */
  readonly pni?: string;
  /** Phone number, E.164; absent: the account has none. */
  readonly number?: string;
}

/** Event of a `DeviceLink`. */
export type LinkEvent =
  /** A code to show, as a QR code: the URL is its content. It takes the place of the one before. */
  | { readonly type: 'url'; readonly url: string; readonly expiresAtMs: number }
  /** A phone has scanned a code; none has to be shown any longer. */
  | { readonly type: 'scanned' }
  /** The account is in the store. */
  | ({ readonly type: 'linked' } & LinkedAccount);

/** Checked options of a link. */
export interface LinkTaskOptions {
  readonly source: LinkSource;
  readonly store: Store;
  readonly deviceName: string;
  readonly capabilities: Capabilities;
  readonly timeoutMs: number;
  readonly backoff: BackoffOptions | undefined;
  readonly clock: Clock;
  readonly emit: (event: LinkEvent) => void;
}

/** A device that the service has linked. */
interface Linked {
  readonly link: PendingLinkRecord;
  readonly deviceId: number;
}

/**
 * One link, from the code to the account in the store.
 *
 *   state       the store has                    left by
 *   showing     what it had                      a phone's message
 *   requesting  the pending link, flushed        the service's answer; a crash: the next link on
 *                                                the store asks whether the device was linked
 *   linked      the account, no pending link     never
 *
 * A definite refusal removes the pending link; an unknown outcome keeps it.
 */
export class LinkTask {
  readonly #options: LinkTaskOptions;
  readonly #requests: LinkRequests;
  readonly #records: Records;
  readonly #signal: AbortSignal;

  private constructor(options: LinkTaskOptions, requests: LinkRequests, signal: AbortSignal) {
    this.#options = options;
    this.#requests = requests;
    this.#records = new Records(options.store, options.clock);
    this.#signal = signal;
  }

  /** @throws SealcastError as `linkDevice`. */
  static async run(options: LinkTaskOptions, signal: AbortSignal): Promise<LinkedAccount> {
    const release = reserveStore(options.store, 'a device is being linked');
    // libsignal's connections keep no process alive: it would end while it waits for a code.
    const endWait = keepProcessAlive();
    try {
      await refuseUnfinishedImport(options.store, 'link the device');
      await refuseRequestedRegistration(options.store);
      const requests = await LinkRequests.over(options.source, options.clock);
      return await new LinkTask(options, requests, signal).#run();
    } finally {
      endWait();
      release();
    }
  }

  async #run(): Promise<LinkedAccount> {
    const linked = (await this.#finishEarlier()) ?? (await this.#linkNew());
    try {
      return await this.#store(linked);
    } finally {
      wipe(linked.link);
    }
  }

  /** Finishes a link that a crash, or an outage of the service, cut off. */
  async #finishEarlier(): Promise<Linked | undefined> {
    const link = await loadPendingLink(this.#options.store);
    if (link === undefined) return undefined;
    const backoff = new Backoff({ ...this.#options.backoff, floor: 0.5 });
    let found = await this.#findDevice(link);
    for (let attempt = 1; attempt < ATTEMPTS && found.status === 'unavailable'; attempt++) {
      await this.#options.clock.sleep(backoff.next(), this.#signal);
      found = await this.#findDevice(link);
    }
    if (found.status === 'linked') return { link, deviceId: found.deviceId };
    wipe(link);
    if (found.status === 'unavailable') throw linkUnknownError(link.credentials, found.cause);
    await this.#records.commit([pendingLinkRemoval()]);
    return undefined;
  }

  async #linkNew(): Promise<Linked> {
    const { clock, timeoutMs, backoff, emit, store, deviceName, capabilities } = this.#options;
    const rotation = new CodeRotation({
      requests: this.#requests,
      clock,
      timeoutMs,
      backoff,
      onUrl: (code) => emit({ type: 'url', ...code }),
    });
    const { envelope, privateKey } = await rotation.scan(this.#signal);
    emit({ type: 'scanned' });
    const provision = openProvisionEnvelope(envelope, privateKey);
    const earlier = await checkedAccount(store, provision);
    const nowMs = clock.now();
    const link = createPendingLink({ provision, deviceName, capabilities, earlier, nowMs });
    await this.#commit([pendingLinkChange(link)]);
    return { link, deviceId: await this.#request(link, provision.provisioningCode) };
  }

  /** Has the service link the device. @returns its device id. */
  async #request(link: PendingLinkRecord, provisioningCode: string): Promise<number> {
    const request = {
      aci: link.aci,
      password: link.credentials.password,
      json: linkRequestJson(link, provisioningCode),
    };
    const backoff = new Backoff({ ...this.#options.backoff, floor: 0.5 });
    let cause: unknown;
    let isUnknown = false;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (attempt > 0) await this.#options.clock.sleep(backoff.next(), this.#signal);
      this.#signal.throwIfAborted();
      // The store of a process that was frozen meanwhile may be another's.
      if (this.#options.store.mayAct?.() === false) throw storeTakenOver();
      const outcome = await this.#linkOrRefuse(request);
      if (outcome.status === 'linked') return outcome.deviceId;
      if (outcome.status === 'refused' && !isUnknown) throw await this.#refused(outcome);
      // The answer to this request, or to the one before it, was lost: a code works once.
      isUnknown = true;
      const found = await this.#findDevice(link);
      if (found.status === 'linked') return found.deviceId;
      if (outcome.status === 'refused' && found.status === 'none')
        throw await this.#refused(outcome);
      cause = outcome.status === 'unknown' ? outcome.cause : cause;
      if (found.status === 'none') isUnknown = outcome.status === 'unknown';
    }
    throw linkUnknownError(link.credentials, cause);
  }

  /** A service that takes no client of this version has linked nothing. */
  async #linkOrRefuse(request: Parameters<LinkRequests['link']>[0]): Promise<LinkOutcome> {
    try {
      return await this.#requests.link(request, this.#signal);
    } catch (error) {
      if (error instanceof SealcastError && error.code === 'ERR_TRANSPORT_REFUSED')
        await this.#drop();
      throw error;
    }
  }

  async #refused(outcome: Extract<LinkOutcome, { status: 'refused' }>): Promise<SealcastError> {
    await this.#drop();
    return linkRefusedError(outcome);
  }

  /** Removes the pending link; if the store cannot, the next link finds that nothing was linked. */
  async #drop(): Promise<void> {
    await this.#records.commit([pendingLinkRemoval()]).catch(() => undefined);
  }

  /** Finds the device of a link by its password, under each id that it may have. */
  async #findDevice(
    link: PendingLinkRecord,
  ): Promise<
    | { readonly status: 'linked'; readonly deviceId: number }
    | { readonly status: 'none' }
    | { readonly status: 'unavailable'; readonly cause: unknown }
  > {
    const { aci, credentials } = link;
    for (const deviceId of LINKED_DEVICE_IDS) {
      const { password } = credentials;
      const outcome = await this.#requests.isDevice({ aci, deviceId, password }, this.#signal);
      if (outcome.status === 'ours') return { status: 'linked', deviceId };
      if (outcome.status === 'unavailable') return outcome;
    }
    return { status: 'none' };
  }

  /** Makes the link the store's account. */
  async #store({ link, deviceId }: Linked): Promise<LinkedAccount> {
    const { store, clock } = this.#options;
    const { aci, credentials } = link;
    try {
      const nowMs = clock.now();
      await this.#commit([
        ...(await linkedAccountChanges(store, link, { deviceId, nowMs })),
        // One that goes on later would throw the phone out of its account.
        pendingRegistrationRemoval(),
      ]);
    } catch (cause) {
      throw linkedUnstoredError(credentials, cause);
    }
    const { pniIdentity, number } = credentials;
    return {
      aci,
      deviceId,
      ...(pniIdentity !== undefined && { pni: pniIdentity.pni }),
      ...(number !== undefined && { number }),
    };
  }

  /** Commits changes, and wipes their values, which have secrets in them. */
  async #commit(changes: readonly Change[]): Promise<void> {
    try {
      await this.#records.commit(changes);
    } finally {
      for (const { value } of changes) value?.fill(0);
    }
  }
}

/**
 * Refuses a store with a registration that the service may have granted.
 *
 * @throws SealcastError ERR_ACCOUNT_MISMATCH
 */
async function refuseRequestedRegistration(store: Store): Promise<void> {
  const registration = await loadPendingRegistration(store);
  if (registration === undefined) return;
  wipe(registration);
  if (registration.isRequested) throw pendingRegistrationError();
}

/**
 * Loads the store's account, without its private key.
 *
 * @throws SealcastError ERR_LINK_ACCOUNT: the phone has another one.
 */
async function checkedAccount(
  store: Store,
  { aci }: Provision,
): Promise<Pick<AccountRecord, 'registrationId'> | undefined> {
  const bytes = await loadAccount(store);
  if (bytes === undefined) return undefined;
  const account = decodeAccount(bytes);
  const { registrationId } = account;
  const isSame = account.aci === aci;
  bytes.fill(0);
  if (!isSame) throw linkAccountError();
  return { registrationId };
}

function wipe({
  identityPrivateKey,
  credentials,
  profileKey,
}: Pick<PendingLinkRecord, 'identityPrivateKey' | 'credentials' | 'profileKey'>): void {
  identityPrivateKey.fill(0);
  wipeCredentials(credentials);
  profileKey.fill(0);
}
