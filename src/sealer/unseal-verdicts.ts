import { PUBLIC_KEY_BYTES, PUBLIC_KEY_TYPE } from '../../assembly/abi.js';
import { SealcastError } from '../errors.js';
import type { CertificateMemory } from './certificate-cache.js';
import type { CertificateValidator, CertifiedSender } from './certificate-validator.js';
import { openContent } from './open-content.js';
import { noteRefusal, type Refusal } from './unseal-rejections.js';
import { findCertificate } from './usmc.js';

/** Outcome of one envelope. */
export type UnsealResult =
  | {
      readonly ok: true;
      /** The serialized USMC. */
      readonly content: Uint8Array<ArrayBuffer>;
      /** 33 bytes; the envelope proves that the owner of its private key sealed it. */
      readonly senderIdentityKey: Uint8Array<ArrayBuffer>;
      readonly version: 1 | 2;
      /** Whether the certificate, and so the name in it, was validated against trust roots. */
      readonly certificateValidated: boolean;
      /**
       * Sender that the certificate names: present if, and only if, the certificate was validated.
       */
      readonly sender?: CertifiedSender;
    }
  | { readonly ok: false; readonly error: SealcastError };

/** Against what certificates are validated. */
export interface Validation {
  readonly validator: CertificateValidator;
  /** ms since the epoch: one for all envelopes, or one for each. */
  readonly timestamp: number | readonly number[];
}

/** Turns what unsealing gave into results, in the order of the caller's envelopes. */
export class UnsealVerdicts {
  readonly results: UnsealResult[];
  readonly #memory: CertificateMemory;
  readonly #validation: Validation | undefined;
  readonly #onValidSender: (key: Uint8Array) => void;

  /**
   * @param onValidSender hears the u-coordinate of every sender whose certificate was validated.
   */
  constructor(
    count: number,
    memory: CertificateMemory,
    validation: Validation | undefined,
    onValidSender: (key: Uint8Array) => void,
  ) {
    this.results = new Array<UnsealResult>(count);
    this.#memory = memory;
    this.#validation = validation;
    this.#onValidSender = onValidSender;
  }

  failed(index: number, error: SealcastError): void {
    this.results[index] = { ok: false, error };
  }

  /**
   * One code, and one message, for all that an attacker could vary; which of it, is for refusalOf()
   * alone.
   */
  invalid(index: number, refusal: Refusal = 'invalid-envelope'): void {
    const message = `entry ${index}: not a sealed-sender envelope for this identity`;
    const error = new SealcastError('ERR_INVALID_ENVELOPE', message, { index });
    noteRefusal(error, refusal);
    this.failed(index, error);
  }

  #invalidCertificate(index: number, refusal: Refusal): void {
    const message = `entry ${index}: the sender certificate is expired, revoked, or of no known trust root`;
    const error = new SealcastError('ERR_INVALID_CERTIFICATE', message, { index });
    noteRefusal(error, refusal);
    this.failed(index, error);
  }

  /**
   * Takes the kernel's result for a v1 envelope: the content and the u-coordinate that sealed it,
   * or null.
   */
  unsealed(
    index: number,
    unsealed: { content: Uint8Array<ArrayBuffer>; senderKey: Uint8Array } | null,
  ): void {
    if (unsealed === null) {
      this.invalid(index);
      return;
    }
    const sealingKey = new Uint8Array(PUBLIC_KEY_BYTES);
    sealingKey[0] = PUBLIC_KEY_TYPE;
    sealingKey.set(unsealed.senderKey, 1);
    this.#open(index, unsealed.content, sealingKey, 1);
  }

  /** Takes libsignal's result; libsignal has compared the keys itself. */
  unsealedByLibsignal(
    index: number,
    content: Uint8Array<ArrayBuffer> | null,
    version: 1 | 2,
  ): void {
    if (content === null) this.invalid(index);
    else this.#open(index, content, null, version);
  }

  #open(
    index: number,
    content: Uint8Array<ArrayBuffer>,
    sealingKey: Uint8Array | null,
    version: 1 | 2,
  ): void {
    const parsed = openContent(content, sealingKey, this.#memory);
    if (typeof parsed === 'string') {
      this.invalid(index, parsed);
      return;
    }
    const validation = this.#validation;
    let sender: CertifiedSender | undefined;
    if (validation !== undefined) {
      const verdict = validation.validator.validate(parsed, timestampAt(validation, index));
      if (!verdict.ok) {
        this.#invalidCertificate(index, verdict.refusal);
        return;
      }
      ({ sender } = verdict);
      this.#onValidSender(parsed.identityKey.subarray(1));
    }
    // After the validation, where there is one: what strangers issue to themselves is not worth a
    // place.
    if (!this.#memory.hasJustRecalled(parsed, sender !== undefined)) {
      const certificateBytes = findCertificate(content);
      if (certificateBytes !== null)
        this.#memory.remember(certificateBytes, parsed, sender !== undefined);
    }
    this.results[index] = {
      ok: true,
      content,
      senderIdentityKey: new Uint8Array(parsed.identityKey),
      version,
      certificateValidated: sender !== undefined,
      ...(sender !== undefined && { sender }),
    };
  }
}

function timestampAt({ timestamp }: Validation, index: number): number {
  if (typeof timestamp === 'number') return timestamp;
  // There is one for each envelope; without one, no certificate would hold.
  return timestamp[index] ?? Number.POSITIVE_INFINITY;
}
