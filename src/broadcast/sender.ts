import { accessKeyFor, maySend, takesSealed } from '../access/access-mode.js';
import type { Clock } from '../util/clock.js';
import type { Semaphore } from '../util/semaphore.js';
import type { SenderCertificate } from '../access/sender-certificate.js';
import { USMC_TYPE, encodeUsmc } from '../content/index.js';
import { outliveWorkers } from '../engine/worker-loss.js';
import { SealcastError } from '../errors.js';
import type { BroadcastRecord } from '../store/tables/broadcasts.js';
import type { EncryptedDevice } from '../store/tables/outbox.js';
import { retryFactsOf } from '../transport/refusal-errors.js';
import type { Refusal, SendOutcome, UnsealedMessage } from '../transport/transport.js';
import type { PauseGate } from './flow/pause-gate.js';
import {
  accepted,
  deniedError,
  failure,
  type DeliveryStep,
  type EncryptedDelivery,
  type EndedStep,
} from './delivery.js';
import { RecipientFailureTracker, type Failures } from './flow/failure-tracker.js';
import { RefusalWaits, type Challenges, type RateLimits } from './flow/refusal-waits.js';
import type { SendLimiter } from './flow/send-limiter.js';
import type { SealQueue } from '../runtime/seal-queue.js';
import type { BroadcastContext } from './context.js';
import type { SessionManager } from './session-manager.js';

/** Repairs after which a delivery ends: devices change faster than the run can encrypt. */
const MAX_REPAIRS = 4;
/** Times that a new profile key, or evidence of access, sends a message out once more. */
const MAX_DENIALS = 4;

/** End of a delivery, and the sends that it took. */
export interface Dispatched extends EndedStep {
  readonly attempts: number;
}

export interface DispatchLimits {
  readonly gate: PauseGate;
  readonly window: SendLimiter;
  /** Longest Retry-After that is waited out, ms. */
  readonly maxRetryAfterMs: number;
  /** Slots of recipients: one that waits out its Retry-After releases its slot. */
  readonly slots: Pick<Semaphore, 'releaseWhile'>;
}

/** Parts of the shared context that sending uses. */
export type SenderContext = Pick<
  BroadcastContext,
  'account' | 'policies' | 'transport' | 'certificates' | 'guard' | 'telemetry' | 'events'
> & {
  readonly seals: Pick<SealQueue, 'seal'>;
  readonly clock: Pick<Clock, 'sleep'>;
};

/** Envelopes of a recipient, one a device; none where the message is sent unsealed. */
interface Sealed {
  readonly certificate: SenderCertificate | undefined;
  readonly envelopes: readonly Uint8Array<ArrayBuffer>[];
}

type Answer = { readonly status: 'seal-failed'; readonly error: SealcastError } | SendOutcome;

/** Delivery that was sent, and its answer; or the next step, where its turn came too late. */
type Sent =
  | { readonly kind: 'answered'; readonly delivery: EncryptedDelivery; readonly answer: Answer }
  | { readonly kind: 'overtaken'; readonly step: DeliveryStep };

/** Counts of one delivery, each with a bound. */
interface Tries extends Failures, RateLimits, Challenges {
  sends: number;
  repairs: number;
  denials: number;
}

/** Seals deliveries and sends them, and does what the service's answers ask for. */
export class DeliverySender {
  readonly #id: string;
  readonly #broadcast: BroadcastRecord;
  readonly #context: SenderContext;
  readonly #steps: SessionManager;
  readonly #limits: DispatchLimits;
  readonly #signal: AbortSignal;
  /** Sends that the service accepted. */
  #taken = 0;
  readonly #waits: RefusalWaits;
  readonly #ownFailures: RecipientFailureTracker;

  constructor(
    id: string,
    broadcast: BroadcastRecord,
    context: SenderContext,
    steps: SessionManager,
    limits: DispatchLimits,
    signal: AbortSignal,
  ) {
    this.#id = id;
    this.#broadcast = broadcast;
    this.#context = context;
    this.#steps = steps;
    this.#limits = limits;
    this.#signal = signal;
    this.#ownFailures = new RecipientFailureTracker(
      context.transport,
      context.account().aci,
      signal,
    );
    const { gate, slots, maxRetryAfterMs } = limits;
    this.#waits = new RefusalWaits({ id, gate, context, maxRetryAfterMs, slots, signal });
  }

  /** Takes a delivery from its first step to its end; rejects when the broadcast cannot go on. */
  async dispatch(serviceId: string, first: DeliveryStep): Promise<Dispatched> {
    const tries: Tries = {
      sends: 0,
      repairs: 0,
      denials: 0,
      rateLimits: 0,
      challenges: 0,
      failures: 0,
      takenBefore: this.#taken,
      silentRounds: 0,
      silentMs: 0,
    };
    let step = first;
    let delivery: EncryptedDelivery | undefined;
    for (;;) {
      if (step.kind === 'ended') {
        return { ...step, attempts: tries.sends };
      }
      let refusal: Refusal;
      if (step.kind === 'refused') refusal = step.refusal;
      else {
        if (this.#mayNotGo(step.delivery)) {
          step = failure(deniedError(serviceId));
          continue;
        }
        const sent = await this.#send(step.delivery);
        if (sent.kind === 'overtaken') {
          step = sent.step;
          continue;
        }
        tries.sends += 1;
        const { answer } = sent;
        delivery = sent.delivery;
        if (answer.status === 'seal-failed') {
          step = failure(answer.error);
          continue;
        }
        if (answer.status === 'sent') {
          this.#taken += 1;
          this.#ownFailures.answered(serviceId);
          this.#waits.sent();
          step = accepted(delivery);
          continue;
        }
        refusal = answer;
      }
      if (refusal.status === 'rate-limited' && this.#waits.mayWaitOut(refusal, tries)) {
        this.#context.telemetry.publish('refusal', { id: this.#id, status: refusal.status });
        const isEncrypted = delivery !== undefined;
        // The ciphertext is in the outbox; drop it here so that waiting recipients use no memory.
        delivery = undefined;
        await this.#waits.waitOut(refusal, tries);
        step = await (isEncrypted
          ? this.#steps.reload(serviceId)
          : this.#steps.establish(serviceId));
      } else {
        step = await this.#answer(serviceId, delivery, refusal, tries);
      }
    }
  }

  /**
   * Whether the delivery could only go out unsealed, and may not: the step that made it may have
   * found the contact as another broadcast left it, or as it was before a crash.
   */
  #mayNotGo({ serviceId, access }: EncryptedDelivery): boolean {
    return !maySend(takesSealed(serviceId, access), this.#context.policies);
  }

  /** Decides the next step after a refusal: a wait, another way, or the end. */
  async #answer(
    serviceId: string,
    delivery: EncryptedDelivery | undefined,
    refusal: Refusal,
    tries: Tries,
  ): Promise<DeliveryStep> {
    const { telemetry } = this.#context;
    telemetry.publish('refusal', { id: this.#id, status: refusal.status });
    if (refusal.status !== 'unavailable') this.#ownFailures.answered(serviceId);
    const again = (): DeliveryStep | Promise<DeliveryStep> =>
      delivery === undefined ? this.#steps.establish(serviceId) : { kind: 'encrypted', delivery };
    switch (refusal.status) {
      case 'unauthorized':
        tries.denials += 1;
        if (
          delivery === undefined ||
          tries.denials > MAX_DENIALS ||
          !takesSealed(serviceId, delivery.access)
        ) {
          return failure(rejectedError(serviceId, 401));
        }
        return this.#steps.onUnauthorized(delivery);
      case 'not-found':
        return this.#steps.markUnregistered(serviceId);
      case 'mismatched-devices': {
        tries.repairs += 1;
        if (delivery === undefined || tries.repairs > MAX_REPAIRS) {
          const message = `its devices were others in each of ${MAX_REPAIRS} rounds`;
          return failure(new SealcastError('ERR_DEVICES_CHANGING', message, { serviceId }));
        }
        return this.#repair(delivery, refusal, tries);
      }
      case 'too-large': {
        const message = 'the service finds the message too large for this recipient';
        return failure(new SealcastError('ERR_MESSAGE_TOO_LARGE', message, { serviceId }));
      }
      case 'rejected':
        return failure(rejectedError(serviceId, refusal.httpStatus, refusal.cause));
      case 'rate-limited': {
        const times =
          tries.rateLimits === 0 ? '' : `, after ${tries.rateLimits} waits of that kind`;
        const seconds = Math.ceil(refusal.retryAfterMs / 1000);
        const message = `the service wants ${seconds} s to pass before the next message${times}`;
        return failure(
          new SealcastError('ERR_RATE_LIMITED', message, { serviceId, ...retryFactsOf(refusal) }),
        );
      }
      case 'challenge':
        if (!this.#waits.mayAnswer(tries)) {
          const message = `the service wants a challenge answered once more, after ${tries.challenges} of them`;
          return failure(new SealcastError('ERR_SERVICE_REJECTED', message, { serviceId }));
        }
        await this.#waits.challenge(refusal, tries);
        return again();
      case 'unavailable': {
        const isSealed = delivery === undefined || takesSealed(serviceId, delivery.access);
        const { round, lastOutageMs } = this.#waits;
        const scene = { taken: this.#taken, round, lastOutageMs, isSealed };
        const verdict = await this.#ownFailures.judge(serviceId, tries, scene);
        const { cause } = refusal;
        if (verdict === 'service') {
          const message =
            'the service is there and has taken no message for long; resume() goes on with the broadcast';
          throw new SealcastError('ERR_SERVICE_UNAVAILABLE', message, {
            cause,
            ...retryFactsOf(refusal),
          });
        }
        if (verdict === 'own') {
          const message =
            'the service failed again and again with this recipient, and answered other requests';
          this.#ownFailures.answered(serviceId);
          const facts = { serviceId, cause, ...retryFactsOf(refusal) };
          return failure(new SealcastError('ERR_SERVICE_UNAVAILABLE', message, facts));
        }
        await this.#waits.outage(refusal.retryAfterMs);
        return again();
      }
    }
  }

  /** Repeats a repair that was refused, with the same mismatch, once the refusal has passed. */
  async #repair(
    delivery: EncryptedDelivery,
    mismatch: Extract<Refusal, { status: 'mismatched-devices' }>,
    tries: Tries,
  ): Promise<DeliveryStep> {
    for (;;) {
      const step = await this.#steps.repairDevices(delivery, mismatch);
      if (step.kind !== 'refused') return step;
      const { refusal } = step;
      if (refusal.status === 'rate-limited' && this.#waits.mayWaitOut(refusal, tries)) {
        await this.#waits.waitOut(refusal, tries);
        continue;
      }
      const next = await this.#answer(delivery.serviceId, delivery, refusal, tries);
      if (next.kind !== 'encrypted' || next.delivery !== delivery) return next;
    }
  }

  /**
   * Seals a delivery before its turn comes, together with those of its chunk, and sends it.
   *
   * It is sealed again if its certificate does not last until then. When the turn has come nothing
   * is waited for any more: a contact that was changed meanwhile is looked at again, and takes
   * another turn if it may still be sent to.
   */
  async #send(first: EncryptedDelivery): Promise<Sent> {
    const { guard } = this.#context;
    const { window } = this.#limits;
    let delivery = first;
    let sealed: Sealed | undefined;
    for (;;) {
      if (sealed === undefined) {
        const result = await this.#seal(delivery);
        if (result instanceof SealcastError) {
          return { kind: 'answered', delivery, answer: { status: 'seal-failed', error: result } };
        }
        sealed = result;
      }
      await this.#takeTurn();
      let answer: Answer = { status: 'unavailable' };
      try {
        const { certificate, envelopes } = sealed;
        if (certificate !== undefined && !this.#context.certificates.isUsable(certificate)) {
          sealed = undefined;
          continue;
        }
        if (guard.mayBegin(delivery.serviceId, delivery.revision)) {
          answer = await this.#post(delivery, envelopes, this.#signal);
          return { kind: 'answered', delivery, answer };
        }
      } catch (error) {
        // An argument that the transport refuses is this recipient's own failure.
        if (error instanceof SealcastError && error.code === 'ERR_INVALID_ARGUMENT') {
          return { kind: 'answered', delivery, answer: { status: 'seal-failed', error } };
        }
        throw error;
      } finally {
        window.release(
          answer.status === 'sent'
            ? 'taken'
            : answer.status === 'rate-limited'
              ? 'limited'
              : 'other',
        );
      }
      const step = await this.#steps.refresh(delivery);
      if (step.kind !== 'encrypted' || !isSealedAlike(delivery, step.delivery))
        return { kind: 'overtaken', step };
      delivery = step.delivery;
    }
  }

  async #takeTurn(): Promise<void> {
    const { gate, window } = this.#limits;
    for (;;) {
      await gate.pass(this.#signal);
      await window.acquire(this.#signal);
      // A delivery that waited for its turn may have waited through the beginning of an outage.
      if (gate.closures.length === 0) return;
      window.release('other');
    }
  }

  async #post(
    { serviceId, access, devices }: EncryptedDelivery,
    envelopes: readonly Uint8Array<ArrayBuffer>[],
    signal: AbortSignal,
  ): Promise<SendOutcome> {
    // Stopped while its turn came: nothing leaves, whatever the transport makes of signals.
    signal.throwIfAborted();
    const { transport } = this.#context;
    const { timestamp, urgent } = this.#broadcast;
    const request = { destination: serviceId, timestamp, urgent, online: false };
    const accessKey = accessKeyFor(serviceId, access);
    if (accessKey === null) {
      const messages = devices.map(
        ({ deviceId, registrationId, type, ciphertext }): UnsealedMessage => ({
          deviceId,
          registrationId,
          type,
          content: Uint8Array.from(ciphertext),
        }),
      );
      return transport.sendUnsealed({ ...request, messages }, { signal });
    }
    const messages = envelopes.map((content, i) => ({
      deviceId: devices[i]?.deviceId ?? 0,
      registrationId: devices[i]?.registrationId ?? 0,
      content,
    }));
    return transport.sendSealed({ ...request, accessKey, messages }, { signal });
  }

  async #seal({
    serviceId,
    access,
    identityKey,
    devices,
  }: EncryptedDelivery): Promise<Sealed | SealcastError> {
    if (!takesSealed(serviceId, access)) return { certificate: undefined, envelopes: [] };
    const { certificates, seals } = this.#context;
    let failed: SealcastError | undefined;
    try {
      return await outliveWorkers(async () => {
        failed = undefined;
        const certificate = await this.#limits.gate.during(
          'certificate',
          certificates.get(this.#signal),
        );
        const results = await seals.seal(
          devices.map((device) => ({
            recipientIdentityKey: identityKey,
            content: usmcOf(device, certificate),
          })),
        );
        failed = results.find((result) => !result.ok)?.error;
        if (failed !== undefined) throw failed;
        return {
          certificate,
          envelopes: results.flatMap((result) => (result.ok ? [result.envelope] : [])),
        };
      });
    } catch (error) {
      // An error that stops the broadcast is no recipient's own failure.
      if (failed === undefined || error !== failed) throw error;
      const { code, message, cause } = failed;
      return new SealcastError(code, message.replace(/^entry \d+: /, ''), { serviceId, cause });
    }
  }
}

/** Whether both deliveries have the same envelopes: an access key is no part of them. */
function isSealedAlike(a: EncryptedDelivery, b: EncryptedDelivery): boolean {
  return (
    a.devices === b.devices &&
    takesSealed(a.serviceId, a.access) === takesSealed(b.serviceId, b.access)
  );
}

function usmcOf(
  { type, ciphertext }: EncryptedDevice,
  certificate: SenderCertificate,
): Uint8Array<ArrayBuffer> {
  return encodeUsmc({
    type: USMC_TYPE[type],
    senderCertificate: certificate.bytes,
    content: ciphertext,
    contentHint: 'resendable',
  });
}

function rejectedError(serviceId: string, httpStatus: number, cause?: unknown): SealcastError {
  return new SealcastError('ERR_SERVICE_REJECTED', `the service answered ${httpStatus}`, {
    serviceId,
    cause,
  });
}
