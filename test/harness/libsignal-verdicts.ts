import { sealedSenderDecryptToUsmc, sealedSenderEncrypt } from '@signalapp/libsignal-client';
import { SealcastError, type UnsealResult } from 'sealcast';
import { expect } from 'vitest';
import { copyBytes, toHex, type Bytes } from '../reference/bytes.js';
import type { SeededRandom } from './seeded-random.js';
import { createWorld, smallestUsmcBytes, usmcOfSize } from './signal-fixtures.js';

/** A sender and a recipient in libsignal, and its word on what arrives. */
export class LibsignalPeers {
  readonly world = createWorld(1);
  readonly recipient = this.world.recipients[0]!;
  readonly smallestBytes = smallestUsmcBytes(this.world.senderCertificate);
  readonly #verdicts = new Map<string, Promise<string | null>>();

  constructor(readonly random: SeededRandom) {}

  async seals(sizeBytes: number): Promise<{ content: Bytes; envelope: Bytes }> {
    const usmc = usmcOfSize(this.world.senderCertificate, sizeBytes, this.random);
    const envelope = await sealedSenderEncrypt(
      usmc,
      this.recipient.address,
      this.world.senderStore,
    );
    return { content: usmc.serialize(), envelope };
  }

  /**
   * libsignal's verdict: the content's bytes as hex, or null. It takes its time: it is asked once
   * an envelope.
   */
  opens(envelope: Uint8Array): Promise<string | null> {
    const key = toHex(envelope);
    const verdict = this.#verdicts.get(key) ?? this.#decrypt(envelope);
    this.#verdicts.set(key, verdict);
    return verdict;
  }

  async #decrypt(envelope: Uint8Array): Promise<string | null> {
    try {
      return toHex(
        (await sealedSenderDecryptToUsmc(copyBytes(envelope), this.recipient.store)).serialize(),
      );
    } catch {
      return null;
    }
  }
}

/** sealcast's verdict, likewise: whatever is refused is refused with the one code. */
export function contentOf(result: UnsealResult | undefined): string | null {
  if (result === undefined) throw new Error('no result');
  if (result.ok) return toHex(result.content);
  expect(result.error).toBeInstanceOf(SealcastError);
  expect(result.error.code).toBe('ERR_INVALID_ENVELOPE');
  return null;
}
