import { randomUUID } from 'node:crypto';
import { PrivateKey, SenderCertificate, ServerCertificate } from '@signalapp/libsignal-client';
import { describe, expect, it } from 'vitest';
import { CertificateValidator } from '#dist/src/sealer/certificate-validator.js';
import { loadLibsignal } from '#dist/src/access/libsignal.js';

await loadLibsignal();

const EXPIRES_MS = 1_000;
const [root, serverKey] = [PrivateKey.generate(), PrivateKey.generate()];
const server = ServerCertificate.new(1, serverKey.getPublicKey(), root);

/** Of a sender of his own, signed by whoever has the key. */
function issue(by: ServerCertificate, key: PrivateKey): SenderCertificate {
  const identity = PrivateKey.generate().getPublicKey();
  return SenderCertificate.new(randomUUID(), null, 1, identity, EXPIRES_MS, by, key);
}

/** A validator that knows the server already, or does not. */
function validatorOf(knowsServer: boolean): CertificateValidator {
  const validator = new CertificateValidator([root.getPublicKey().serialize()]);
  if (knowsServer) expect(verdictOf(validator, issue(server, serverKey))).toBe('ok');
  return validator;
}

function verdictOf(
  validator: CertificateValidator,
  certificate: SenderCertificate,
  timestamp = 0,
): string {
  const parsed = {
    certificate,
    identityKey: certificate.key().serialize(),
    expiration: certificate.expiration(),
  };
  const verdict = validator.validate(parsed, timestamp);
  const isValid = certificate.validateWithTrustRoots([root.getPublicKey()], timestamp);
  expect(verdict.ok).toBe(isValid);
  return verdict.ok ? 'ok' : verdict.refusal;
}

describe.each([false, true])(
  'a sender certificate, its server known already: %s',
  (knowsServer) => {
    it('holds for each of many senders, until it expires', () => {
      const validator = validatorOf(knowsServer);
      for (let sender = 0; sender < 3; sender++) {
        const certificate = issue(server, serverKey);
        expect(verdictOf(validator, certificate)).toBe('ok');
        expect(verdictOf(validator, certificate, EXPIRES_MS + 1)).toBe('expired-certificate');
        expect(validator.validate(parsedOf(certificate), 0)).toMatchObject({
          ok: true,
          sender: { serviceId: certificate.senderUuid(), deviceId: 1 },
        });
      }
    });

    it('does not hold with the server’s certificate and another key’s signature', () => {
      const forged = issue(server, PrivateKey.generate());
      expect(verdictOf(validatorOf(knowsServer), forged)).toBe('untrusted-certificate');
    });

    it('does not hold with a byte of it changed', () => {
      const bytes = issue(server, serverKey).serialize();
      // The last byte is of the signature over the rest.
      bytes[bytes.length - 1]! ^= 1;
      const changed = SenderCertificate.deserialize(bytes);
      expect(verdictOf(validatorOf(knowsServer), changed)).toBe('untrusted-certificate');
    });

    it('does not hold where a stranger signed the server’s certificate with the same id and key', () => {
      const strangers = ServerCertificate.new(1, serverKey.getPublicKey(), PrivateKey.generate());
      expect(verdictOf(validatorOf(knowsServer), issue(strangers, serverKey))).toBe(
        'untrusted-certificate',
      );
    });

    it('does not hold for a validator of other roots that has seen it before', () => {
      const certificate = issue(server, serverKey);
      expect(verdictOf(validatorOf(knowsServer), certificate)).toBe('ok');
      const other = new CertificateValidator([PrivateKey.generate().getPublicKey().serialize()]);
      expect(other.validate(parsedOf(certificate), 0)).toEqual({
        ok: false,
        refusal: 'untrusted-certificate',
      });
    });

    it('of a revoked server does not hold, however often it comes', () => {
      const validator = validatorOf(knowsServer);
      const revoked = ServerCertificate.new(0xdeadc357, serverKey.getPublicKey(), root);
      for (let round = 0; round < 2; round++) {
        expect(verdictOf(validator, issue(revoked, serverKey))).toBe('revoked-certificate');
      }
    });
  },
);

it('is told from one of another server by more servers than are remembered', () => {
  const validator = validatorOf(true);
  for (let id = 2; id < 70; id++) {
    const key = PrivateKey.generate();
    const another = ServerCertificate.new(id, key.getPublicKey(), root);
    expect(verdictOf(validator, issue(another, key))).toBe('ok');
    expect(verdictOf(validator, issue(another, serverKey))).toBe('untrusted-certificate');
  }
});

function parsedOf(certificate: SenderCertificate): Parameters<CertificateValidator['validate']>[0] {
  return {
    certificate,
    identityKey: certificate.key().serialize(),
    expiration: certificate.expiration(),
  };
}
