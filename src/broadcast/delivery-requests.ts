import { accessKeyFor, takesSealed } from '../access/access-mode.js';
import { carriesNoOtherKey } from '../access/profile-key-mark.js';
import { SealcastError } from '../errors.js';
import type { BroadcastRecord } from '../store/tables/broadcasts.js';
import type { SendOutcome, UnsealedMessage } from '../transport/transport.js';
import { untilAborted } from '../util/abort.js';
import type { Clock } from '../util/clock.js';
import type { BroadcastContext } from './context.js';
import type { DeliveryStep, EncryptedDelivery, Sealed } from './delivery.js';
import { DeliverySealer, type SealerContext } from './delivery-sealer.js';
import type { PauseGate } from './flow/pause-gate.js';
import type { SendLimiter } from './flow/send-limiter.js';
import type { SessionManager } from './session-manager.js';

export interface DeliveryRequestsOptions {
  readonly id: string;
  readonly broadcast: BroadcastRecord;
  readonly context: SealerContext &
    Pick<
      BroadcastContext,
      'account' | 'profileKey' | 'transport' | 'certificates' | 'guard' | 'telemetry'
    > & {
      readonly clock: Pick<Clock, 'monotonicMs'>;
    };
  readonly sessions: Pick<SessionManager, 'refresh'>;
  readonly gate: PauseGate;
  readonly window: SendLimiter;
  readonly signal: AbortSignal;
}

type Answer = { readonly status: 'seal-failed'; readonly error: SealcastError } | SendOutcome;

/** Delivery that was sent, and its answer; or the next step, where its turn came too late. */
export type Sent =
  | { readonly kind: 'answered'; readonly delivery: EncryptedDelivery; readonly answer: Answer }
  | { readonly kind: 'overtaken'; readonly step: DeliveryStep };

/** Requests that carry deliveries to the service: each is sealed, and waits for its turn. */
export class DeliveryRequests {
  readonly #options: DeliveryRequestsOptions;
  readonly #sealer: DeliverySealer;

  constructor(options: DeliveryRequestsOptions) {
    const { context, gate, signal } = options;
    this.#options = options;
    this.#sealer = new DeliverySealer(context, gate, signal);
  }

  /**
   * Seals a delivery before its turn comes, together with those of its chunk, and sends it.
   *
   * It is sealed again if its certificate does not last until then. When the turn has come nothing
   * is waited for any more: a contact that was changed meanwhile is looked at again, and takes
   * another turn if it may still be sent to. So does a delivery whose profile key was replaced: it
   * is encrypted once more.
   *
   * @param given envelopes of the delivery, where it is sealed already.
   */
  async send(first: EncryptedDelivery, given?: Sealed): Promise<Sent> {
    const { window, context, sessions, signal } = this.#options;
    let delivery = first;
    let sealed = given;
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
        if (certificate !== undefined && !context.certificates.isUsable(certificate)) {
          sealed = undefined;
          continue;
        }
        const isCurrent = context.guard.mayBegin(delivery.serviceId, delivery.revision);
        if (isCurrent && this.#carriesPresentKey(delivery)) {
          const startMs = context.clock.monotonicMs();
          answer = await this.#post(delivery, envelopes, signal);
          this.#publish('send', startMs);
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
      const step = await sessions.refresh(delivery);
      if (step.kind !== 'encrypted' || !isSealedAlike(delivery, step.delivery))
        return { kind: 'overtaken', step };
      delivery = step.delivery;
    }
  }

  async #seal(delivery: EncryptedDelivery): Promise<Sealed | SealcastError> {
    const startMs = this.#options.context.clock.monotonicMs();
    const result = await this.#sealer.seal(delivery);
    if (!(result instanceof SealcastError) && result.certificate !== undefined)
      this.#publish('seal', startMs);
    return result;
  }

  #publish(stage: 'seal' | 'send', startMs: number): void {
    const { id, context } = this.#options;
    const durationMs = context.clock.monotonicMs() - startMs;
    context.telemetry.publish('stage', { id, stage, recipients: 1, durationMs });
  }

  #carriesPresentKey({ profileKeyMark }: EncryptedDelivery): boolean {
    const { account, profileKey } = this.#options.context;
    return !profileKey.isDoubted && carriesNoOtherKey(profileKeyMark, account().profileKey);
  }

  async #takeTurn(): Promise<void> {
    const { gate, window, context, signal } = this.#options;
    const { profileKey } = context;
    for (;;) {
      await gate.pass(signal);
      if (profileKey.isDoubted) await untilAborted(() => profileKey.settled(), signal);
      await window.acquire(signal);
      // A delivery that waited for its turn may have waited through the beginning of an outage.
      if (gate.closures.length === 0 && !profileKey.isDoubted) return;
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
    const { transport } = this.#options.context;
    const { timestamp, urgent } = this.#options.broadcast;
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
}

/** Whether both deliveries have the same envelopes: an access key is no part of them. */
function isSealedAlike(a: EncryptedDelivery, b: EncryptedDelivery): boolean {
  return (
    a.devices === b.devices &&
    takesSealed(a.serviceId, a.access) === takesSealed(b.serviceId, b.access)
  );
}
