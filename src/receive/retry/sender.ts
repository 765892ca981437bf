import { accessKeyFor, maySend } from '../../access/access-mode.js';
import { Semaphore } from '../../util/semaphore.js';
import { SendGuard } from '../../runtime/send-guard.js';
import { unlessAborted } from '../../util/abort.js';
import { backoffMs, type BackoffGrowth } from '../../util/backoff.js';
import { AbortWatch } from '../../util/abort-watch.js';
import { USMC_TYPE, encodeUsmc } from '../../content/index.js';
import { SealcastError } from '../../errors.js';
import { serviceWaitMs } from '../../util/service-wait.js';
import type { ContactRecord, Device } from '../../store/tables/contacts.js';
import { isDamaged } from '../../store/damage.js';
import type { RetryRecord } from '../../store/tables/inbox.js';
import type {
  OutboundMessage,
  PreKeysOutcome,
  Refusal,
  SendOutcome,
} from '../../transport/transport.js';
import type { ReceiveContext } from '../context.js';
import type { InboxCleanup } from '../inbox-cleanup.js';

type RetryContext = Pick<ReceiveContext, 'runtime' | 'records' | 'policies' | 'telemetry'>;

/** Attempts of one retry request; one that ends with mismatched devices counts too. */
const MAX_ATTEMPTS = 5;
const CONCURRENCY = 4;
/**
 * Requests that may be stored and wait to be sent. The service names the senders of unsealed
 * messages, and can make up any number of them.
 */
const MAX_WAITING = 16_384;
const BACKOFF: BackoffGrowth = { baseMs: 1_000, capMs: 60_000 };
/** Longest Retry-After that is waited out, ms. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * End of a request. `denied`: the sender takes nothing sealed, and nothing is sent unsealed; or the
 * sender is blocked.
 */
interface Ended {
  readonly status: 'sent' | 'denied' | 'not-found' | 'gave-up';
  /** Requests that were sent. */
  readonly attempts: number;
}

/** Another attempt follows, after at least `waitMs`. */
interface Again {
  readonly waitMs: number;
}
const AT_ONCE: Again = { waitMs: 0 };
/** The contact was changed before a request could begin: it is read again. */
const CHANGED = 'changed';

/** Way to the sender, as far as it is known by now. */
interface Way {
  target: Target | undefined;
  isUnsealed: boolean;
}

/** Devices that a request goes to, and the key that it is sealed with. */
interface Target {
  readonly identityKey: Uint8Array;
  readonly devices: readonly Device[];
}

/**
 * Sends retry requests to senders whose messages could not be decrypted. A request is a
 * PlaintextContent, sealed where the sender takes sealed messages; the sender begins a new session
 * and sends the message again. Each request is stored until it was sent or given up.
 */
export class RetrySender {
  readonly #context: RetryContext;
  readonly #guard: SendGuard;
  readonly #permits: Semaphore;
  readonly #controller = new AbortController();
  readonly #underway = new Set<Promise<void>>();
  readonly #cleanup: Pick<InboxCleanup, 'add'>;
  /**
   * Rows that failed for a reason of our own. They stay in the store for the Receiver that is
   * opened next.
   */
  #leftCount = 0;

  constructor(context: RetryContext, cleanup: Pick<InboxCleanup, 'add'>) {
    this.#context = context;
    this.#guard = SendGuard.of(context.runtime.options.store);
    this.#permits = new Semaphore(CONCURRENCY, new AbortWatch());
    this.#cleanup = cleanup;
  }

  /** Whether there is room for another one. */
  get hasRoom(): boolean {
    return this.#underway.size + this.#leftCount < MAX_WAITING;
  }

  /** Sends a request when its time has come. */
  add(key: string, row: RetryRecord): void {
    const sending: Promise<void> = this.#run(key, row)
      .catch(() => {
        this.#leftCount += 1;
      })
      .finally(() => this.#underway.delete(sending));
    this.#underway.add(sending);
  }

  /** Stops; requests that were not sent stay in the store. */
  async close(): Promise<void> {
    this.#controller.abort(new SealcastError('ERR_CLOSED', 'this Receiver is closed'));
    await Promise.all(this.#underway);
  }

  async #run(key: string, row: RetryRecord): Promise<void> {
    const { status, attempts } = await this.#send(row).catch(endingOf);
    this.#context.telemetry.publish('retry-request', { status, attempts });
    this.#cleanup.add(key);
  }

  async #send(row: RetryRecord): Promise<Ended> {
    const { signal } = this.#controller;
    const { clock } = this.#context.runtime;
    const way: Way = { target: undefined, isUnsealed: false };
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      // Thousands of requests for sessions that broke together are spread out; one that waits holds
      // no permit.
      await clock.sleep(backoffMs(attempt, BACKOFF), signal);
      await this.#permits.acquire(signal);
      let result;
      try {
        do result = await this.#attempt(row, way, attempt, signal);
        while (result === CHANGED);
      } finally {
        this.#permits.release();
      }
      if ('status' in result) return result;
      // The service may want a wait of hours for one sender. Requests to the others do not wait
      // with it.
      await clock.sleep(result.waitMs, signal);
    }
    return { status: 'gave-up', attempts: MAX_ATTEMPTS };
  }

  async #attempt(
    row: RetryRecord,
    way: Way,
    attempt: number,
    signal: AbortSignal,
  ): Promise<Ended | Again | typeof CHANGED> {
    const { revision } = this.#guard;
    const contact = await this.#context.records.contact(row.sender);
    const accessKey = way.isUnsealed ? null : accessKeyFor(row.sender, contact);
    const isDenied = !maySend(accessKey !== null, this.#context.policies);
    // Also a sender that was blocked since: they must not learn that we read their messages.
    if (isDenied || contact.blocked) return { status: 'denied', attempts: attempt };
    way.target ??= knownTarget(row, contact);
    if (way.target === undefined) {
      const answer = await this.#fetchTarget(row.sender, accessKey, revision, signal);
      if (answer === CHANGED) return CHANGED;
      if (answer.status === 'not-found') return { status: 'not-found', attempts: attempt };
      if (answer.status !== 'ok') {
        way.isUnsealed ||= answer.status === 'unauthorized';
        return againAfter(answer, attempt);
      }
      way.target = { identityKey: answer.identityKey, devices: answer.bundles };
    }
    const answer = await this.#post(row, way.target, { accessKey, revision }, signal);
    if (answer === CHANGED) return CHANGED;
    const attempts = attempt + 1;
    if (answer.status === 'sent' || answer.status === 'not-found')
      return { status: answer.status, attempts };
    if (answer.status === 'too-large' || answer.status === 'rejected')
      return { status: 'gave-up', attempts };
    if (answer.status === 'unauthorized') {
      if (accessKey === null) return { status: 'gave-up', attempts };
      way.isUnsealed = true;
      return AT_ONCE;
    }
    if (answer.status !== 'mismatched-devices') return againAfter(answer, attempt);
    // Mismatched devices are looked up, whatever the store knows.
    const fetched = await this.#fetchTarget(row.sender, accessKey, revision, signal);
    if (fetched === CHANGED) return AT_ONCE;
    if (fetched.status === 'ok')
      way.target = { identityKey: fetched.identityKey, devices: fetched.bundles };
    return AT_ONCE;
  }

  async #fetchTarget(
    destination: string,
    accessKey: Uint8Array<ArrayBuffer> | null,
    revision: number,
    signal: AbortSignal,
  ): Promise<PreKeysOutcome | typeof CHANGED> {
    const { transport } = this.#context.runtime.options;
    const request = { destination, device: 'all', accessKey } as const;
    if (!this.#guard.mayBegin(destination, revision)) return CHANGED;
    // A transport that ignores its signal does not hold up a close.
    return unlessAborted(() => transport.fetchPreKeys(request, { signal }), signal);
  }

  async #post(
    row: RetryRecord,
    target: Target,
    {
      accessKey,
      revision,
    }: { readonly accessKey: Uint8Array<ArrayBuffer> | null; readonly revision: number },
    signal: AbortSignal,
  ): Promise<SendOutcome | typeof CHANGED> {
    const { runtime } = this.#context;
    const { transport } = runtime.options;
    await unlessAborted(() => runtime.certificates.settleClock(), signal);
    const request = {
      destination: row.sender,
      timestamp: runtime.clock.now(),
      online: false,
      urgent: false,
    };
    const devices = target.devices.map(({ deviceId, registrationId }) => ({
      deviceId,
      registrationId,
    }));
    if (accessKey === null) {
      const content = Uint8Array.from(row.message);
      const messages = devices.map((device) => ({
        ...device,
        type: 'plaintext' as const,
        content,
      }));
      if (!this.#guard.mayBegin(row.sender, revision)) return CHANGED;
      return unlessAborted(
        () => transport.sendUnsealed({ ...request, messages }, { signal }),
        signal,
      );
    }
    const certificate = await runtime.certificates.get(signal);
    const content = encodeUsmc({
      type: USMC_TYPE.plaintext,
      senderCertificate: certificate.bytes,
      content: row.message,
      contentHint: 'implicit',
      groupId: row.groupId,
    });
    const results = await runtime.seals.seal(
      devices.map(() => ({ recipientIdentityKey: Uint8Array.from(target.identityKey), content })),
    );
    const messages: OutboundMessage[] = [];
    devices.forEach((device, i) => {
      const result = results[i];
      if (result?.ok === true) messages.push({ ...device, content: result.envelope });
    });
    // Sealing failed for one of them, and the service takes all or none.
    if (messages.length < devices.length) return { status: 'rejected', httpStatus: 0 };
    // Certificate and seals were waited for; there is no wait from here to the request.
    if (!this.#guard.mayBegin(row.sender, revision)) return CHANGED;
    return unlessAborted(
      () => transport.sendSealed({ ...request, accessKey, messages }, { signal }),
      signal,
    );
  }
}

/**
 * Target from the store, if it is known. A request goes to all devices of the account, for the
 * service takes all or none; each device knows whether it is meant.
 */
function knownTarget(
  { senderDevice, identityKey: sealingKey }: RetryRecord,
  { identityKey, devices }: ContactRecord,
): Target | undefined {
  const key = sealingKey ?? identityKey;
  const isKnown = devices.some(({ deviceId }) => deviceId === senderDevice);
  return key === undefined || !isKnown ? undefined : { identityKey: key, devices };
}

/**
 * Wait after a refusal: at least a second, and longer each time. It is so also where the service
 * names no time; other refusals do not pass with time.
 */
function againAfter(refusal: Refusal, refusals: number): Again {
  const { status } = refusal;
  if (status !== 'unavailable' && status !== 'rate-limited' && status !== 'challenge')
    return AT_ONCE;
  const { retryAfterMs } = refusal;
  return { waitMs: serviceWaitMs({ retryAfterMs, refusals, ceilingMs: MAX_RETRY_AFTER_MS }) };
}

/**
 * Gives up a request that never will be sent.
 *
 * The transport cannot process it, or the recipient's record is damaged. Any other error is no
 * fault of the request's, and is thrown again.
 */
function endingOf(error: unknown): Ended {
  if (isDamaged(error)) return { status: 'gave-up', attempts: 0 };
  if (error instanceof SealcastError && error.code === 'ERR_INVALID_ARGUMENT')
    return { status: 'gave-up', attempts: 1 };
  throw error;
}
