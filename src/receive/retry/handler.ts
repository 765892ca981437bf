import { sessionKey } from '../../store/tables/sessions.js';
import { OWN_LOCKS } from '../../runtime/own-locks.js';
import type { Requeued } from '../../runtime/resend-queue.js';
import { decodeRetryRequest } from '../../session/worker/retry.js';
import type { ContactBatch } from '../contact-batch.js';
import type { OpenedEnvelope } from '../envelope-opener.js';
import type { ReceiveContext } from '../context.js';

/**
 * Answers retry requests of contacts that could not decrypt our messages. It archives the session
 * if the message was encrypted with that one, so that a new one is begun; and it puts the message
 * back into the outbox, to go out once more with the same timestamp, by which devices that have it
 * already know it.
 */
export class RetryRequestHandler {
  readonly #context: ReceiveContext;
  readonly #contacts: ContactBatch;
  readonly #requests: { readonly serviceId: string; readonly timestamp: number }[] = [];

  constructor(context: ReceiveContext, contacts: ContactBatch) {
    this.#context = context;
    this.#contacts = contacts;
  }

  /** Takes a request: `requeue` answers it. The caller holds the sender's lock. */
  async take(
    { sender, senderDevice }: OpenedEnvelope,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const { runtime, resendLimits } = this.#context;
    const request = decodeRetryRequest(bytes);
    // A retry request goes to all our devices, and means one of them.
    if (request?.deviceId !== runtime.account.deviceId) return;
    const { timestamp, ratchetKey } = request;
    const address = sessionKey(sender, senderDevice);
    if (!resendLimits.take(address, timestamp, runtime.clock.now())) return;
    if (ratchetKey !== undefined) await this.#archive(address, ratchetKey);
    this.#requests.push({ serviceId: sender, timestamp });
  }

  /** Locks that the caller holds from before `requeue` until the changes are on disk. */
  get locks(): readonly string[] {
    return this.#requests.length === 0 ? [] : [OWN_LOCKS.broadcasts];
  }

  /** Puts the messages that were asked for back into the outbox. */
  async requeue(): Promise<readonly Requeued[]> {
    const { runtime, telemetry } = this.#context;
    const answers: Requeued[] = [];
    for (const { serviceId, timestamp } of this.#requests) {
      const requeued = await runtime.resends.requeue(serviceId, timestamp);
      telemetry.publish('resend', { known: requeued !== undefined });
      if (requeued !== undefined) answers.push(requeued);
    }
    return answers;
  }

  async #archive(address: string, ratchetKey: Uint8Array<ArrayBuffer>): Promise<void> {
    const record = await this.#contacts.session(address);
    if (record === undefined) return;
    const [archived] = await this.#context.runtime.sessionClient.archive([record], [ratchetKey]);
    if (archived !== undefined) this.#contacts.setSession(address, archived);
  }
}
