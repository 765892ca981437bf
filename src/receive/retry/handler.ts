import { sessionKey } from '../../store/tables/sessions.js';
import type { Requeued } from '../../runtime/resend-queue.js';
import { decodeRetryRequest } from '../../session/worker/retry.js';
import type { ContactBatch } from '../contact-batch.js';
import type { OpenedEnvelope } from '../envelope-opener.js';
import type { ReceiveContext } from '../context.js';

const NOTHING: Requeued = { changes: [], begin: () => undefined };

/**
 * Answers retry requests of contacts that could not decrypt our messages. It archives the session
 * if the message was encrypted with that one, so that a new one is begun; and it puts the message
 * back into the outbox, to go out once more with the same timestamp, by which devices that have it
 * already know it.
 */
export class RetryRequestHandler {
  readonly #context: ReceiveContext;
  readonly #contacts: ContactBatch;

  constructor(context: ReceiveContext, contacts: ContactBatch) {
    this.#context = context;
    this.#contacts = contacts;
  }

  async answer(
    { sender, senderDevice }: OpenedEnvelope,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<Requeued> {
    const { runtime, resendLimits, telemetry } = this.#context;
    const request = decodeRetryRequest(bytes);
    // A retry request goes to all our devices, and means one of them.
    if (request?.deviceId !== runtime.account.deviceId) return NOTHING;
    const address = sessionKey(sender, senderDevice);
    if (!resendLimits.take(address, request.timestamp, runtime.clock.now())) return NOTHING;
    if (request.ratchetKey !== undefined) await this.#archive(address, request.ratchetKey);
    const requeued = await runtime.resends.requeue(sender, request.timestamp);
    telemetry.publish('resend', { known: requeued !== undefined });
    return requeued ?? NOTHING;
  }

  async #archive(address: string, ratchetKey: Uint8Array<ArrayBuffer>): Promise<void> {
    const record = await this.#contacts.session(address);
    if (record === undefined) return;
    const [archived] = await this.#context.runtime.sessionClient.archive([record], [ratchetKey]);
    if (archived !== undefined) this.#contacts.setSession(address, archived);
  }
}
