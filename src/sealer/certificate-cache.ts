import { LruMap } from '../util/lru-map.js';
import type { SenderCertificate } from '@signalapp/libsignal-client';

/** A sender certificate that libsignal has parsed. */
export interface ParsedCertificate {
  readonly certificate: SenderCertificate;
  /** The key in it, 33 bytes. */
  readonly identityKey: Uint8Array<ArrayBuffer>;
  /** ms since the epoch */
  readonly expiration: number;
}

interface Remembered {
  readonly bytes: Uint8Array;
  readonly parsed: ParsedCertificate;
}

/**
 * A real certificate has some 250 to 700 bytes; its signature does not cover what anybody appends
 * to it.
 */
const MAX_CERTIFICATE_BYTES = 2048;
/** A sender has one certificate a device, and puts it into every message for days. */
const MAX_CERTIFICATES_PER_SENDER = 4;
const MAX_VALIDATED_SENDERS = 16_384;
const MAX_OTHER_SENDERS = 1024;

/** A sender's key as the key of a map. */
const nameOf = (senderKey: Uint8Array): string => Buffer.from(senderKey).toString('latin1');

/** Certificates by sender, those of the senders seen longest ago first. */
class Shelf {
  readonly #bySender: LruMap<string, readonly Remembered[]>;

  constructor(maxSenders: number) {
    this.#bySender = new LruMap(maxSenders);
  }

  find(sender: string, bytes: Uint8Array): ParsedCertificate | undefined {
    const certificates = this.#bySender.peek(sender);
    const found = certificates?.find((remembered) => Buffer.compare(remembered.bytes, bytes) === 0);
    // Only a certificate that was found is a use of the entry.
    if (found !== undefined) this.#bySender.get(sender);
    return found?.parsed;
  }

  put(sender: string, remembered: Remembered): void {
    const certificates = this.#bySender.peek(sender) ?? [];
    this.#bySender.set(sender, [remembered, ...certificates].slice(0, MAX_CERTIFICATES_PER_SENDER));
  }
}

/**
 * Caches certificates by their bytes; libsignal parses and validates each once. That takes 17 and
 * 150 us on the main thread (2026-11). No sender can make it grow: a sender has four places, of 2
 * KiB at most, and those whose certificate was validated have shelves of their own, which strangers
 * do not reach.
 */
export class CertificateMemory {
  readonly #validated = new Shelf(MAX_VALIDATED_SENDERS);
  readonly #others = new Shelf(MAX_OTHER_SENDERS);
  /** The certificate that was recalled last, and the shelf that has it. */
  #recalled: ParsedCertificate | undefined;
  #recalledFrom: Shelf | undefined;

  /** @param senderKey 33 bytes, which the envelope proved. */
  recall(senderKey: Uint8Array, bytes: Uint8Array): ParsedCertificate | undefined {
    const sender = nameOf(senderKey);
    this.#recalledFrom = this.#validated;
    this.#recalled = this.#validated.find(sender, bytes);
    if (this.#recalled === undefined) {
      this.#recalledFrom = this.#others;
      this.#recalled = this.#others.find(sender, bytes);
    }
    return this.#recalled;
  }

  /** Whether the certificate was just recalled, from the shelf on which it would be put. */
  hasJustRecalled(parsed: ParsedCertificate, validated: boolean): boolean {
    return this.#recalled === parsed && this.#recalledFrom === this.#shelf(validated);
  }

  #shelf(validated: boolean): Shelf {
    return validated ? this.#validated : this.#others;
  }

  remember(bytes: Uint8Array, parsed: ParsedCertificate, validated: boolean): void {
    if (bytes.length > MAX_CERTIFICATE_BYTES) return;
    const sender = nameOf(parsed.identityKey);
    const shelf = this.#shelf(validated);
    if (shelf.find(sender, bytes) !== undefined) return;
    shelf.put(sender, { bytes: Uint8Array.from(bytes), parsed });
  }
}
