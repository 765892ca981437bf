import { takesSealed } from '../access/access-mode.js';
import { outliveWorkers } from '../engine/worker-loss.js';
import { SealcastError } from '../errors.js';
import type { SealQueue } from '../runtime/seal-queue.js';
import type { BroadcastContext } from './context.js';
import { contentToSeal } from './content-to-seal.js';
import type { EncryptedDelivery, Sealed } from './delivery.js';
import type { PauseGate } from './flow/pause-gate.js';

/** Parts of the shared context that sealing uses. */
export type SealerContext = Pick<BroadcastContext, 'certificates'> & {
  readonly seals: Pick<SealQueue, 'seal'>;
};

/** Seals ciphertexts for their devices, with a sender certificate that is valid now. */
export class DeliverySealer {
  readonly #context: SealerContext;
  readonly #gate: Pick<PauseGate, 'during'>;
  readonly #signal: AbortSignal;

  constructor(context: SealerContext, gate: Pick<PauseGate, 'during'>, signal: AbortSignal) {
    this.#context = context;
    this.#gate = gate;
    this.#signal = signal;
  }

  /**
   * Resolves with the error where sealing fails for this recipient alone.
   *
   * @throws the signal's reason; an error that stops the broadcast.
   */
  async seal({
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
        const certificate = await this.#gate.during('certificate', certificates.get(this.#signal));
        const results = await seals.seal(
          devices.map((device) => ({
            recipientIdentityKey: identityKey,
            content: contentToSeal(device, certificate.bytes),
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
