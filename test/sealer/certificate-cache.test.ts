import { IdentityKeyPair, type SenderCertificate } from '@signalapp/libsignal-client';
import { describe, expect, test } from 'vitest';
import { CertificateMemory, type ParsedCertificate } from '#dist/src/sealer/certificate-cache.js';
import { concatBytes, type Bytes } from '../reference/bytes.js';
import { encodeBytesField } from '../reference/protobuf.js';
import { createAuthority } from '../harness/signal-fixtures.js';

const authority = createAuthority();

interface Known {
  readonly bytes: Bytes;
  readonly parsed: ParsedCertificate;
}

function certificateOf(identity = IdentityKeyPair.generate()): Known {
  const certificate: SenderCertificate = authority.issueSenderCertificate(identity.publicKey, 1000);
  const identityKey = identity.publicKey.serialize();
  return { bytes: certificate.serialize(), parsed: { certificate, identityKey, expiration: 1000 } };
}

/**
 * The same certificate with junk behind it, which its signature does not cover: as many variants as
 * anybody likes.
 */
function variant({ bytes, parsed }: Known, junk: number, junkBytes: number): Known {
  const field = encodeBytesField(15, new Uint8Array(junkBytes).fill(junk));
  return {
    bytes: concatBytes(bytes, field, encodeBytesField(16, Uint8Array.of(junk >> 8, junk))),
    parsed,
  };
}

function recalls(memory: CertificateMemory, { bytes, parsed }: Known): boolean {
  return memory.recall(parsed.identityKey, bytes) === parsed;
}

describe('CertificateMemory', () => {
  test('recalls a certificate by its sender and its very bytes', () => {
    const memory = new CertificateMemory();
    const [known, other] = [certificateOf(), certificateOf()];
    memory.remember(known.bytes, known.parsed, true);
    expect(recalls(memory, known)).toBe(true);
    expect(memory.recall(known.parsed.identityKey, other.bytes)).toBeUndefined();
    expect(memory.recall(other.parsed.identityKey, known.bytes)).toBeUndefined();
    expect(recalls(memory, variant(known, 1, 0))).toBe(false);
  });

  test('knows which certificate it has just recalled, and from which shelf', () => {
    const memory = new CertificateMemory();
    const [validated, other] = [certificateOf(), certificateOf()];
    memory.remember(validated.bytes, validated.parsed, true);
    memory.remember(other.bytes, other.parsed, false);
    expect(memory.hasJustRecalled(validated.parsed, true)).toBe(false);
    expect(recalls(memory, validated)).toBe(true);
    expect(memory.hasJustRecalled(validated.parsed, true)).toBe(true);
    // Without trust roots this time, and a certificate of other senders that is validated now.
    expect(memory.hasJustRecalled(validated.parsed, false)).toBe(false);
    expect(recalls(memory, other)).toBe(true);
    expect(memory.hasJustRecalled(other.parsed, true)).toBe(false);
    expect(memory.hasJustRecalled(other.parsed, false)).toBe(true);
    expect(memory.hasJustRecalled(validated.parsed, true)).toBe(false);
    expect(memory.recall(other.parsed.identityKey, validated.bytes)).toBeUndefined();
    expect(memory.hasJustRecalled(other.parsed, false)).toBe(false);
  });

  test('keeps its own copy of the bytes', () => {
    const memory = new CertificateMemory();
    const known = certificateOf();
    const given = Uint8Array.from(known.bytes);
    memory.remember(given, known.parsed, true);
    given.fill(0);
    expect(recalls(memory, known)).toBe(true);
  });

  test('has four places for one sender, however many variants of a certificate that sender makes', () => {
    const memory = new CertificateMemory();
    const subscribers = Array.from({ length: 200 }, () => certificateOf());
    for (const { bytes, parsed } of subscribers) memory.remember(bytes, parsed, true);
    const known = certificateOf();
    const variants = Array.from({ length: 20_000 }, (_, junk) => variant(known, junk, 10));
    for (const { bytes, parsed } of variants) memory.remember(bytes, parsed, true);
    expect(variants.filter((one) => recalls(memory, one))).toHaveLength(4);
    expect(subscribers.every((one) => recalls(memory, one))).toBe(true);
  });

  test('keeps nothing that is larger than any real certificate', () => {
    const memory = new CertificateMemory();
    const large = variant(certificateOf(), 7, 2048);
    memory.remember(large.bytes, large.parsed, true);
    expect(recalls(memory, large)).toBe(false);
  });

  test('lets no number of senders that were not validated crowd out one that was', () => {
    const memory = new CertificateMemory();
    const [validated, first] = [certificateOf(), certificateOf()];
    memory.remember(validated.bytes, validated.parsed, true);
    memory.remember(first.bytes, first.parsed, false);
    for (let i = 0; i < 1100; i++) {
      const stranger = certificateOf();
      memory.remember(stranger.bytes, stranger.parsed, false);
    }
    expect(recalls(memory, validated)).toBe(true);
    expect(recalls(memory, first)).toBe(false);
  });
});
