import { PUBLIC_KEY_BYTES, PUBLIC_KEY_TYPE } from '../../assembly/abi.js';
import { SealcastError } from '../errors.js';
import type { CertificateMemory } from './certificate-memory.js';
import type { CertificateValidator } from './certificates.js';
import { openContent } from './open-content.js';
import { findCertificate } from './usmc-shape.js';

/** What became of one envelope. */
export type UnsealResult =
  | {
      readonly ok: true;
      /** The serialized USMC. */
      readonly content: Uint8Array<ArrayBuffer>;
      /** 33 bytes; the envelope proves that whoever has its private key sealed it. */
      readonly senderIdentityKey: Uint8Array<ArrayBuffer>;
      readonly version: 1 | 2;
      /** Whether the certificate, and so the name in it, was validated against trust roots. */
      readonly certificateValidated: boolean;
    }
  | { readonly ok: false; readonly error: SealcastError };

/** Against what certificates are validated. */
export interface Validation {
  readonly validator: CertificateValidator;
  /** ms since the epoch */
  readonly timestamp: number;
}

/** Turns what unsealing gave into results, in the order of the caller's envelopes. */
export class UnsealVerdicts {
  readonly results: UnsealResult[];
  readonly #memory: CertificateMemory;
  readonly #validation: Validation | undefined;
  readonly #onValidSender: (key: Uint8Array) => void;

  /** @param onValidSender hears the u-coordinate of every sender whose certificate was validated. */
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

  /** One code, and one message, for all that an attacker could vary. */
  invalid(index: number): void {
    const message = `entry ${index}: not a sealed-sender envelope for this identity`;
    this.failed(index, new SealcastError('ERR_INVALID_ENVELOPE', message, { index }));
  }

  /** What the kernel gave for a v1 envelope: the content and the u-coordinate that sealed it, or null. */
  unsealed(index: number, unsealed: { content: Uint8Array<ArrayBuffer>; senderKey: Uint8Array } | null): void {
    if (unsealed === null) {
      this.invalid(index);
      return;
    }
    const sealingKey = new Uint8Array(PUBLIC_KEY_BYTES);
    sealingKey[0] = PUBLIC_KEY_TYPE;
    sealingKey.set(unsealed.senderKey, 1);
    this.#open(index, unsealed.content, sealingKey, 1);
  }

  /** What libsignal gave, which has compared the keys itself. */
  unsealedByLibsignal(index: number, content: Uint8Array<ArrayBuffer> | null, version: 1 | 2): void {
    if (content === null) this.invalid(index);
    else this.#open(index, content, null, version);
  }

  #open(index: number, content: Uint8Array<ArrayBuffer>, sealingKey: Uint8Array | null, version: 1 | 2): void {
    const parsed = openContent(content, sealingKey, this.#memory);
    if (parsed === null) {
      this.invalid(index);
      return;
    }
    const validation = this.#validation;
    if (validation !== undefined) {
      if (!validation.validator.validate(parsed, validation.timestamp)) {
        const message = `entry ${index}: the sender certificate is expired, revoked, or of no known trust root`;
        this.failed(index, new SealcastError('ERR_INVALID_CERTIFICATE', message, { index }));
        return;
      }
      this.#onValidSender(parsed.identityKey.subarray(1));
    }
    // After the validation, where there is one: what strangers issue to themselves is not worth a place.
    const certificateBytes = findCertificate(content);
    if (certificateBytes !== null) this.#memory.remember(certificateBytes, parsed, validation !== undefined);
    this.results[index] = {
      ok: true,
      content,
      senderIdentityKey: Uint8Array.from(parsed.identityKey),
      version,
      certificateValidated: validation !== undefined,
    };
  }
}
