import { maySend, takesSealed } from '../access/access-mode.js';
import { SealcastError } from '../errors.js';
import { retryFactsOf } from '../transport/refusal-errors.js';
import type { Refusal } from '../transport/transport.js';
import type { BroadcastContext } from './context.js';
import {
  accepted,
  damagedStep,
  deniedError,
  failure,
  type DeliveryStep,
  type EncryptedDelivery,
  type EndedStep,
} from './delivery.js';
import { DeliveryRequests, type DeliveryRequestsOptions } from './delivery-requests.js';
import { RecipientFailures, RecipientFailureTracker } from './flow/failure-tracker.js';
import { RefusalWaits, WaitedRefusals, type RefusalWaitsOptions } from './flow/refusal-waits.js';
import type { SessionManager } from './session-manager.js';

/** Repairs after which a delivery ends: devices change faster than the run can encrypt. */
const MAX_REPAIRS = 4;
/** Times that a new profile key, or evidence of access, sends a message out once more. */
const MAX_DENIALS = 4;

/** End of a delivery, and the sends that it took. */
export interface Dispatched extends EndedStep {
  readonly attempts: number;
}

export interface DeliverySenderOptions extends DeliveryRequestsOptions, RefusalWaitsOptions {
  readonly context: DeliveryRequestsOptions['context'] &
    RefusalWaitsOptions['context'] &
    Pick<BroadcastContext, 'account' | 'policies'>;
  readonly sessions: SessionManager;
}

/** Counts of one delivery, each with a bound. */
interface Tries {
  readonly waited: WaitedRefusals;
  readonly failures: RecipientFailures;
  sends: number;
  repairs: number;
  denials: number;
}

/** Sends deliveries, and does what the service's answers ask for. */
export class DeliverySender {
  readonly #options: DeliverySenderOptions;
  readonly #requests: DeliveryRequests;
  /** Sends that the service accepted. */
  #taken = 0;
  readonly #waits: RefusalWaits;
  readonly #ownFailures: RecipientFailureTracker;

  constructor(options: DeliverySenderOptions) {
    const { context, signal } = options;
    this.#options = options;
    this.#requests = new DeliveryRequests(options);
    this.#ownFailures = new RecipientFailureTracker(
      context.transport,
      context.account().aci,
      signal,
    );
    this.#waits = new RefusalWaits(options);
  }

  /** Takes a delivery from its first step to its end; rejects when the broadcast cannot go on. */
  async dispatch(serviceId: string, first: DeliveryStep): Promise<Dispatched> {
    const tries: Tries = {
      sends: 0,
      repairs: 0,
      denials: 0,
      waited: new WaitedRefusals(),
      failures: new RecipientFailures(this.#taken),
    };
    try {
      return await this.#run(serviceId, first, tries);
    } catch (error) {
      return { ...damagedStep(error), attempts: tries.sends };
    }
  }

  async #run(serviceId: string, first: DeliveryStep, tries: Tries): Promise<Dispatched> {
    const { id, context, sessions } = this.#options;
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
        const sent = await this.#requests.send(step.delivery, step.sealed);
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
      if (refusal.status === 'rate-limited' && this.#waits.mayWaitOut(refusal, tries.waited)) {
        context.telemetry.publish('refusal', { id, status: refusal.status });
        const isEncrypted = delivery !== undefined;
        // The ciphertext is in the outbox; drop it here so that waiting recipients use no memory.
        delivery = undefined;
        await this.#waits.waitOut(refusal, tries.waited);
        step = await (isEncrypted ? sessions.reload(serviceId) : sessions.establish(serviceId));
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
    return !maySend(takesSealed(serviceId, access), this.#options.context.policies);
  }

  /** Decides the next step after a refusal: a wait, another way, or the end. */
  async #answer(
    serviceId: string,
    delivery: EncryptedDelivery | undefined,
    refusal: Refusal,
    tries: Tries,
  ): Promise<DeliveryStep> {
    const { sessions, id, context } = this.#options;
    context.telemetry.publish('refusal', { id, status: refusal.status });
    if (refusal.status !== 'unavailable') this.#ownFailures.answered(serviceId);
    const again = (): DeliveryStep | Promise<DeliveryStep> =>
      delivery === undefined ? sessions.establish(serviceId) : { kind: 'encrypted', delivery };
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
        return sessions.onUnauthorized(delivery);
      case 'not-found':
        return sessions.markUnregistered(serviceId);
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
        const { rateLimits } = tries.waited;
        const times = rateLimits === 0 ? '' : `, after ${rateLimits} waits of that kind`;
        const seconds = Math.ceil(refusal.retryAfterMs / 1000);
        const message = `the service wants ${seconds} s to pass before the next message${times}`;
        return failure(
          new SealcastError('ERR_RATE_LIMITED', message, { serviceId, ...retryFactsOf(refusal) }),
        );
      }
      case 'challenge':
        if (!this.#waits.mayAnswer(tries.waited)) {
          const message = `the service wants a challenge answered once more, after ${tries.waited.challenges} of them`;
          return failure(new SealcastError('ERR_SERVICE_REJECTED', message, { serviceId }));
        }
        await this.#waits.challenge(refusal, tries.waited);
        return again();
      case 'unavailable': {
        const isSealed = delivery === undefined || takesSealed(serviceId, delivery.access);
        const { round, lastOutageMs } = this.#waits;
        const scene = { taken: this.#taken, round, lastOutageMs, isSealed };
        const verdict = await this.#ownFailures.judge(serviceId, tries.failures, scene);
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
      const step = await this.#options.sessions.repairDevices(delivery, mismatch);
      if (step.kind !== 'refused') return step;
      const { refusal } = step;
      if (refusal.status === 'rate-limited' && this.#waits.mayWaitOut(refusal, tries.waited)) {
        await this.#waits.waitOut(refusal, tries.waited);
        continue;
      }
      const next = await this.#answer(delivery.serviceId, delivery, refusal, tries);
      if (next.kind !== 'encrypted' || next.delivery !== delivery) return next;
    }
  }
}

function rejectedError(serviceId: string, httpStatus: number, cause?: unknown): SealcastError {
  return new SealcastError('ERR_SERVICE_REJECTED', `the service answered ${httpStatus}`, {
    serviceId,
    cause,
  });
}
