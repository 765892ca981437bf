import { accessKeyFor } from '../access/access-mode.js';
import { Semaphore } from '../account/semaphore.js';
import { backoffMs, wait } from '../account/waiting.js';
import { AbortWatch } from '../abort-watch.js';
import { USMC_TYPE, encodeUsmc } from '../content/index.js';
import { SealcastError } from '../errors.js';
import type { Device } from '../store/records.js';
import type { RetryRecord } from '../store/records-inbox.js';
import type { OutboundMessage, PreKeysOutcome, Refusal, SendOutcome } from '../transport/transport.js';
import type { Services } from './services.js';

/** A request is tried so many times; devices that are others than we thought are one of them. */
const MAX_ATTEMPTS = 5;
const CONCURRENCY = 4;
/** Of those that wait: strangers with many accounts decide how many messages cannot be decrypted. */
const MAX_WAITING = 4096;
const BASE_MS = 1_000;
const CEILING_MS = 60_000;

/** What ended it. `denied`: the sender takes nothing sealed, and nothing is sent unsealed. */
type Ending = 'sent' | 'denied' | 'not-found' | 'gave-up';

/** Whom a request goes to, and what is needed for it. */
interface Target {
  readonly identityKey: Uint8Array;
  readonly devices: readonly Device[];
}

/**
 * Tells senders which of their messages could not be decrypted (PlaintextContent, sealed where the sender takes sealed messages), so
 * that they begin a new session and send them again. Each request lies in the store until it was sent or given up.
 */
export class RetrySender {
  readonly #services: Services;
  readonly #permits: Semaphore;
  readonly #controller = new AbortController();
  readonly #underway = new Set<Promise<void>>();
  readonly #onEnded: (key: string) => void;

  /** @param onEnded hears of the rows that can go. */
  constructor(services: Services, onEnded: (key: string) => void) {
    this.#services = services;
    this.#permits = new Semaphore(CONCURRENCY, new AbortWatch());
    this.#onEnded = onEnded;
  }

  /** Whether one more may wait. */
  get hasRoom(): boolean {
    return this.#underway.size < MAX_WAITING;
  }

  /** Sends it when its time has come. */
  add(key: string, row: RetryRecord): void {
    const sending: Promise<void> = this.#run(key, row)
      .catch(() => undefined)
      .finally(() => this.#underway.delete(sending));
    this.#underway.add(sending);
  }

  /** Stops; what was not sent lies in the store. */
  async close(): Promise<void> {
    this.#controller.abort(new SealcastError('ERR_CLOSED', 'this Receiver is closed'));
    await Promise.all(this.#underway);
  }

  async #run(key: string, row: RetryRecord): Promise<void> {
    const { signal } = this.#controller;
    await this.#permits.acquire(signal);
    try {
      const { status, attempts } = await this.#send(row, signal).catch(endingOf);
      this.#services.telemetry.publish('retry-request', { status, attempts });
      this.#onEnded(key);
    } finally {
      this.#permits.release();
    }
  }

  async #send(row: RetryRecord, signal: AbortSignal): Promise<{ readonly status: Ending; readonly attempts: number }> {
    let target: Target | undefined;
    let unsealed = false;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      // Thousands whose sessions broke together do not ask together.
      await this.#pause(backoffMs(attempt, BASE_MS, CEILING_MS) * Math.random(), signal);
      const accessKey = unsealed ? null : await this.#accessKeyFor(row.sender);
      if (accessKey === null && this.#services.policies.unsealedFallback === 'never') {
        return { status: 'denied', attempts: attempt };
      }
      target ??= await this.#knownTarget(row);
      if (target === undefined) {
        const answer = await this.#fetchTarget(row.sender, accessKey, signal);
        if (answer.status === 'not-found') return { status: 'not-found', attempts: attempt };
        if (answer.status === 'ok') target = { identityKey: answer.identityKey, devices: answer.bundles };
        else {
          unsealed ||= answer.status === 'unauthorized';
          await this.#waitAfter(answer, signal);
          continue;
        }
      }
      const answer = await this.#post(row, target, accessKey, signal);
      if (answer.status === 'sent') return { status: 'sent', attempts: attempt + 1 };
      if (answer.status === 'not-found') return { status: 'not-found', attempts: attempt + 1 };
      if (answer.status === 'unauthorized') {
        if (accessKey === null) return { status: 'gave-up', attempts: attempt + 1 };
        unsealed = true;
      } else if (answer.status === 'mismatched-devices') {
        // Devices that are others than we thought are looked up, whatever we know.
        const fetched = await this.#fetchTarget(row.sender, accessKey, signal);
        if (fetched.status === 'ok') target = { identityKey: fetched.identityKey, devices: fetched.bundles };
      } else if (answer.status === 'too-large' || answer.status === 'rejected') {
        return { status: 'gave-up', attempts: attempt + 1 };
      } else await this.#waitAfter(answer, signal);
    }
    return { status: 'gave-up', attempts: MAX_ATTEMPTS };
  }

  async #accessKeyFor(serviceId: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return accessKeyFor(serviceId, await this.#services.records.contact(serviceId));
  }

  /** It goes to all devices of the account, for the service takes all or none; each knows whether it is meant. */
  async #knownTarget({ sender, senderDevice, identityKey: sealingKey }: RetryRecord): Promise<Target | undefined> {
    const { identityKey, devices } = await this.#services.records.contact(sender);
    const key = sealingKey ?? identityKey;
    const isKnown = devices.some(({ deviceId }) => deviceId === senderDevice);
    return key === undefined || !isKnown ? undefined : { identityKey: key, devices };
  }

  #fetchTarget(
    destination: string,
    accessKey: Uint8Array<ArrayBuffer> | null,
    signal: AbortSignal,
  ): Promise<PreKeysOutcome> {
    const { transport } = this.#services.hub.options;
    return transport.fetchPreKeys({ destination, device: 'all', accessKey }, { signal });
  }

  async #post(
    row: RetryRecord,
    target: Target,
    accessKey: Uint8Array<ArrayBuffer> | null,
    signal: AbortSignal,
  ): Promise<SendOutcome> {
    const { hub } = this.#services;
    const { transport } = hub.options;
    const request = { destination: row.sender, timestamp: Date.now(), online: false, urgent: false };
    const devices = target.devices.map(({ deviceId, registrationId }) => ({ deviceId, registrationId }));
    if (accessKey === null) {
      const content = Uint8Array.from(row.message);
      const messages = devices.map((device) => ({ ...device, type: 'plaintext' as const, content }));
      return transport.sendUnsealed({ ...request, messages }, { signal });
    }
    const certificate = await hub.certificates.get(signal);
    const content = encodeUsmc({
      type: USMC_TYPE.plaintext,
      senderCertificate: certificate.bytes,
      content: row.message,
      contentHint: 'implicit',
      groupId: row.groupId,
    });
    const results = await hub.seals.seal(
      devices.map(() => ({ recipientIdentityKey: Uint8Array.from(target.identityKey), content })),
    );
    const messages: OutboundMessage[] = [];
    devices.forEach((device, i) => {
      const result = results[i];
      if (result?.ok === true) messages.push({ ...device, content: result.envelope });
    });
    // It could not be sealed for one of them, and the service takes all or none.
    if (messages.length < devices.length) return { status: 'rejected', httpStatus: 0 };
    return transport.sendSealed({ ...request, accessKey, messages }, { signal });
  }

  #waitAfter(refusal: Refusal, signal: AbortSignal): Promise<void> {
    return this.#pause('retryAfterMs' in refusal ? refusal.retryAfterMs : 0, signal);
  }

  /** Who waits keeps nobody's place. (When the signal fires there are no places to keep any more.) */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    this.#permits.release();
    await wait(ms, signal);
    await this.#permits.acquire(signal);
  }
}

/** What the transport can make nothing of, it never will. Anything else that stops it is no fault of the request's. */
function endingOf(error: unknown): { readonly status: Ending; readonly attempts: number } {
  if (error instanceof SealcastError && error.code === 'ERR_INVALID_ARGUMENT')
    return { status: 'gave-up', attempts: 1 };
  throw error;
}
