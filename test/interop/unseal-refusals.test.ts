import {
  IdentityKeyPair,
  PrivateKey,
  SenderCertificate,
  sealedSenderEncrypt,
  ServerCertificate,
} from '@signalapp/libsignal-client';
import { Sealer, type UnsealResult } from 'sealcast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusalOf } from '#dist/src/sealer/unseal-rejections.js';
import { concatBytes, type Bytes } from '../reference/bytes.js';
import { sealV1 } from '../reference/envelope-v1.js';
import { encodeBytesField, encodeVarintField } from '../reference/protobuf.js';
import { kernelNames } from '../harness/kernel-builds.js';
import { seededBytes } from '../harness/seeded-random.js';
import { keyPairBytes, MemoryIdentityStore, usmcWithPayload } from '../harness/signal-fixtures.js';

const ACI = '9d0652a3-dcc3-4d11-975f-74d61598733f';
const EXPIRATION_MS = 1000;
/** libsignal's test of its list of revoked servers. */
const REVOKED_ID = 0xdeadc357;

const random = seededBytes('interop/unseal-refusals');
const [rootKey, strangeRootKey, serverKey] = [
  PrivateKey.generate(),
  PrivateKey.generate(),
  PrivateKey.generate(),
];
const trustRoots = [PrivateKey.generate().getPublicKey(), rootKey.getPublicKey()];
const sender = IdentityKeyPair.generate();
const recipient = IdentityKeyPair.generate();

interface Issued {
  readonly name?: string;
  readonly e164?: string | null;
  readonly deviceId?: number;
  readonly identityKey?: IdentityKeyPair;
  readonly serverId?: number;
  readonly root?: PrivateKey;
  /** Who signs the sender's certificate, in the name of the server. */
  readonly signer?: PrivateKey;
}

function issue(as: Issued = {}): SenderCertificate {
  const { name = ACI, e164 = null, deviceId = 1, identityKey = sender } = as;
  const server = ServerCertificate.new(
    as.serverId ?? 1,
    serverKey.getPublicKey(),
    as.root ?? rootKey,
  );
  const signer = as.signer ?? serverKey;
  return SenderCertificate.new(
    name,
    e164,
    deviceId,
    identityKey.publicKey,
    EXPIRATION_MS,
    server,
    signer,
  );
}

function sealed(content: Uint8Array): Bytes {
  return sealV1(keyPairBytes(sender), recipient.publicKey.serialize(), random(32), content);
}

const contentWith = (certificate: SenderCertificate): Bytes =>
  usmcWithPayload(certificate, 20, random).serialize();
const envelopeWith = (as?: Issued): Bytes => sealed(contentWith(issue(as)));

/** A certificate that names its server by an id that libsignal does not know. */
function certificateByServerId(serverId: number): Bytes {
  const inner = concatBytes(
    encodeVarintField(2, 1n),
    Uint8Array.of((3 << 3) | 1, 0, 0, 0, 0, 0, 1, 0, 0),
    encodeBytesField(4, sender.publicKey.serialize()),
    encodeBytesField(6, new TextEncoder().encode(ACI)),
    encodeVarintField(8, BigInt(serverId)),
  );
  return concatBytes(encodeBytesField(1, inner), encodeBytesField(2, serverKey.sign(inner)));
}

/** A v1 envelope of a size that libsignal opens, its certificate somebody else's. */
async function largeMismatched(): Promise<Bytes> {
  const certificate = issue({ identityKey: IdentityKeyPair.generate() });
  const store = new MemoryIdentityStore(sender);
  const usmc = usmcWithPayload(certificate, 270_000, random);
  return sealedSenderEncrypt(usmc, store.meet(recipient.publicKey, 'recipient'), store);
}

function refusalIn(result: UnsealResult | undefined): object {
  if (result?.ok !== false) throw new Error('it was opened');
  const { code, message, index } = result.error;
  // Nothing in the error itself tells one refusal from another.
  expect(Object.fromEntries(Object.entries(result.error))).toEqual({
    name: 'SealcastError',
    code,
    index: 0,
    retryable: false,
  });
  return { code, message, index, refusal: refusalOf(result.error) };
}

const INVALID_CERTIFICATE = {
  code: 'ERR_INVALID_CERTIFICATE',
  message: 'entry 0: the sender certificate is expired, revoked, or of no known trust root',
  index: 0,
};
const INVALID_ENVELOPE = {
  code: 'ERR_INVALID_ENVELOPE',
  message: 'entry 0: not a sealed-sender envelope for this identity',
  index: 0,
};

describe.each(kernelNames)('with the kernel %s', (kernel) => {
  let sealer: Sealer;
  beforeAll(async () => {
    sealer = await Sealer.create({ identityKeyPair: recipient, threads: 2, kernel });
  });
  afterAll(() => sealer.close());

  const unseal = async (envelope: Bytes, timestamp = 5): Promise<UnsealResult | undefined> =>
    (await sealer.unseal([envelope], { trustRoots, timestamp }))[0];

  describe('a certificate is refused in one way, and counted', () => {
    it.each<[string, string, Issued, number]>([
      ['expired', 'expired-certificate', {}, EXPIRATION_MS + 1],
      ['of another root', 'untrusted-certificate', { root: strangeRootKey }, 5],
      [
        'of another root, and expired',
        'untrusted-certificate',
        { root: strangeRootKey },
        EXPIRATION_MS + 1,
      ],
      ['not signed by its server', 'untrusted-certificate', { signer: strangeRootKey }, 5],
      ['of a revoked server', 'revoked-certificate', { serverId: REVOKED_ID }, 5],
      [
        'of a revoked server, and expired',
        'revoked-certificate',
        { serverId: REVOKED_ID },
        EXPIRATION_MS + 1,
      ],
      [
        'of a stranger who uses a revoked id',
        'untrusted-certificate',
        { serverId: REVOKED_ID, root: strangeRootKey },
        5,
      ],
      [
        'not signed by its revoked server',
        'untrusted-certificate',
        { serverId: REVOKED_ID, signer: strangeRootKey },
        5,
      ],
      ['of a phone number', 'untrusted-certificate', { name: '+14155550100' }, 5],
      ['of a PNI', 'untrusted-certificate', { name: `PNI:${ACI}` }, 5],
    ])('%s: %s', async (_, refusal, as, timestamp) => {
      const envelope = envelopeWith(as);
      for (const round of [1, 2]) {
        expect(refusalIn(await unseal(envelope, timestamp)), `round ${round}`).toEqual({
          ...INVALID_CERTIFICATE,
          refusal,
        });
      }
      expect((await sealer.unseal([envelope]))[0]).toMatchObject({
        ok: true,
        certificateValidated: false,
      });
    });

    it('expired, also when it has been seen in time', async () => {
      const envelope = envelopeWith();
      expect(await unseal(envelope, EXPIRATION_MS)).toMatchObject({ ok: true });
      const expired = { ...INVALID_CERTIFICATE, refusal: 'expired-certificate' };
      expect(refusalIn(await unseal(envelope, EXPIRATION_MS + 1))).toEqual(expired);
      expect(await unseal(envelope, EXPIRATION_MS)).toMatchObject({ ok: true });
    });

    it('of a server that libsignal does not know: untrusted', async () => {
      const ciphertext = encodeBytesField(3, Uint8Array.of(0xc0, 1));
      const content = concatBytes(
        encodeVarintField(1, 8n),
        encodeBytesField(2, certificateByServerId(77)),
        ciphertext,
      );
      const untrusted = { ...INVALID_CERTIFICATE, refusal: 'untrusted-certificate' };
      expect(refusalIn(await unseal(sealed(content)))).toEqual(untrusted);
    });
  });

  describe('an envelope is refused in one way, and counted', () => {
    const stolen = envelopeWith({ identityKey: IdentityKeyPair.generate() });
    const spoiled = envelopeWith();
    spoiled[spoiled.length - 1]! ^= 1;
    const forOthers = sealV1(
      keyPairBytes(sender),
      IdentityKeyPair.generate().publicKey.serialize(),
      random(32),
      contentWith(issue()),
    );

    it.each<[string, string, Bytes]>([
      ['with another’s certificate', 'key-mismatch', stolen],
      ['spoiled', 'invalid-envelope', spoiled],
      ['for somebody else', 'invalid-envelope', forOthers],
      ['with nonsense inside', 'invalid-envelope', sealed(random(60))],
      ['empty', 'invalid-envelope', new Uint8Array()],
      ['of a version that there is not', 'invalid-envelope', Uint8Array.of(0x33, 1, 2)],
      ['v2, and nonsense', 'invalid-envelope', Uint8Array.of(0x22, 1, 2)],
    ])('%s: %s', async (_, refusal, envelope) => {
      expect(refusalIn(await unseal(envelope))).toEqual({ ...INVALID_ENVELOPE, refusal });
      expect(refusalIn((await sealer.unseal([envelope]))[0])).toEqual({
        ...INVALID_ENVELOPE,
        refusal,
      });
    });

    it('with another’s certificate, where libsignal compared the keys: not to be told from a spoiled one', async () => {
      const invalid = { ...INVALID_ENVELOPE, refusal: 'invalid-envelope' };
      expect(refusalIn(await unseal(await largeMismatched()))).toEqual(invalid);
    });
  });

  describe('the sender', () => {
    it.each<[string, Issued, object]>([
      [
        'with a phone number',
        { e164: '+14155550100', deviceId: 127 },
        { deviceId: 127, e164: '+14155550100' },
      ],
      ['without one', { deviceId: 2 }, { deviceId: 2 }],
      ['with an empty one', { e164: '' }, { deviceId: 1 }],
      ['in capitals', { name: ACI.toUpperCase() }, { deviceId: 1 }],
    ])('is named where the certificate was validated: %s', async (_, as, named) => {
      const envelope = envelopeWith(as);
      // Strangers' certificates are remembered too: a name out of one must not be taken for a
      // validated one.
      for (const round of [1, 2]) {
        const [unvalidated] = await sealer.unseal([envelope]);
        expect(unvalidated, `round ${round}`).toMatchObject({
          ok: true,
          certificateValidated: false,
        });
        expect(unvalidated).not.toHaveProperty('sender');
        expect(await unseal(envelope), `round ${round}`).toMatchObject({
          ok: true,
          certificateValidated: true,
          sender: { serviceId: ACI, ...named },
        });
      }
    });

    it('cannot be altered by a caller that gets one result for those who get the next', async () => {
      const envelope = envelopeWith();
      const first = await unseal(envelope);
      if (first?.ok !== true) throw new Error('it was not opened');
      expect(() => Object.assign(first.sender ?? {}, { serviceId: 'me' })).toThrow(TypeError);
      expect(await unseal(envelope)).toMatchObject({ sender: { serviceId: ACI } });
    });
  });

  describe('a timestamp for each envelope', () => {
    it('judges each certificate at its own, of v1 and of what libsignal opens', async () => {
      const small = envelopeWith();
      const store = new MemoryIdentityStore(sender);
      const usmc = usmcWithPayload(issue(), 270_000, random);
      const large = await sealedSenderEncrypt(
        usmc,
        store.meet(recipient.publicKey, 'recipient'),
        store,
      );
      const [inTime, late] = [EXPIRATION_MS, EXPIRATION_MS + 1];
      const envelopes = [small, small, large, large, small];
      const results = await sealer.unseal(envelopes, {
        trustRoots,
        timestamp: [inTime, late, late, inTime, 0],
      });
      expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual([
        'ok',
        'ERR_INVALID_CERTIFICATE',
        'ERR_INVALID_CERTIFICATE',
        'ok',
        'ok',
      ]);
    });

    it('keeps them apart in a batch that is checked in many turns, whatever becomes of the array meanwhile', async () => {
      const envelope = envelopeWith();
      const count = 5000;
      const isLate = (index: number): boolean => index % 7 === 0;
      const timestamp = Array.from({ length: count }, (_, index) =>
        isLate(index) ? EXPIRATION_MS + 1 : EXPIRATION_MS,
      );
      const call = sealer.unseal(Array<Bytes>(count).fill(envelope), { trustRoots, timestamp });
      timestamp.fill(0);
      timestamp.length = 3;
      const results = await call;
      expect(results.filter((result, index) => result.ok === isLate(index))).toEqual([]);
    });
  });
});

describe('a fact that no error carries', () => {
  it('is known of verdicts alone', async () => {
    const sealer = await Sealer.create({ identityKeyPair: recipient, threads: 1 });
    const error = await sealer.unseal(7 as never).catch((reason: unknown) => reason);
    expect(refusalOf(error as never)).toBeUndefined();
    await sealer.close();
  });
});
