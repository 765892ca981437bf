import { PUBLIC_KEY_BYTES, PUBLIC_KEY_TYPE } from '../../assembly/abi.js';
import { SealcastError } from '../errors.js';
import type { Unsealed } from '../kernel/unsealed.js';
import type { CertificateMemory, ParsedCertificate } from './certificate-cache.js';
import type { CertificateValidator, CertifiedSender } from './certificate-validator.js';
import { isSealedBy, openContent, recallContent } from './open-content.js';
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

  /** Trust roots that certificates are validated against; undefined where none is. */
  get trustRoots(): readonly Uint8Array<ArrayBuffer>[] | undefined {
    return this.#validation?.validator.trustRoots;
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
   *
   * @param isVerified see {@link CertificateValidator.validate}.
   */
  unsealed(index: number, unsealed: Unsealed | null, isVerified = false): void {
    if (unsealed === null) {
      this.invalid(index);
      return;
    }
    this.#open(index, unsealed.content, publicKeyOf(unsealed.senderKey), 1, isVerified);
  }

  /**
   * Takes the kernel's result for a v1 envelope whose certificate was judged before: that takes
   * microseconds, and libsignal is not asked.
   *
   * @returns whether it was one.
   */
  takeKnown(index: number, { content, senderKey }: Unsealed): boolean {
    const sealingKey = publicKeyOf(senderKey);
    const parsed = recallContent(content, sealingKey, this.#memory);
    if (parsed === undefined || this.#validation?.validator.isKnown(parsed) === false) return false;
    if (isSealedBy(parsed, sealingKey)) this.#judge(index, content, parsed, 1);
    else this.invalid(index, 'key-mismatch');
    return true;
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
    isVerified = false,
  ): void {
    const parsed = openContent(content, sealingKey, this.#memory);
    if (typeof parsed === 'string') this.invalid(index, parsed);
    else this.#judge(index, content, parsed, version, isVerified);
  }

  #judge(
    index: number,
    content: Uint8Array<ArrayBuffer>,
    parsed: ParsedCertificate,
    version: 1 | 2,
    isVerified = false,
  ): void {
    const validation = this.#validation;
    let sender: CertifiedSender | undefined;
    if (validation !== undefined) {
      const verdict = validation.validator.validate(
        parsed,
        timestampAt(validation, index),
        isVerified,
      );
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

/** Serialized public key of a u-coordinate, 33 bytes. */
function publicKeyOf(uCoordinate: Uint8Array): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(PUBLIC_KEY_BYTES);
  key[0] = PUBLIC_KEY_TYPE;
  key.set(uCoordinate, 1);
  return key;
}

function timestampAt({ timestamp }: Validation, index: number): number {
  if (typeof timestamp === 'number') return timestamp;
  // There is one for each envelope; without one, no certificate would hold.
  return timestamp[index] ?? Number.POSITIVE_INFINITY;
}
