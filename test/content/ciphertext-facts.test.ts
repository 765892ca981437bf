import {
  CiphertextMessageType,
  PreKeySignalMessage,
  PrivateKey,
  SenderKeyDistributionMessage,
  SenderKeyMessage,
  SignalMessage,
} from '@signalapp/libsignal-client';
import { describe, expect, test } from 'vitest';
import { distributionIdOf, preKeyIdsOf } from '#dist/src/content/index.js';
import type { Bytes } from '../reference/bytes.js';
import { makeCiphertexts } from '../harness/ciphertexts.js';
import { seededBytes, seededInteger, type SeededRandom } from '../harness/seeded-random.js';

const PREKEY: number = CiphertextMessageType.PreKey;
const WHISPER: number = CiphertextMessageType.Whisper;
const DISTRIBUTION_ID = 'd1d1d1d1-7000-11eb-b32a-33b8a8a487a6';

/** The bytes with one of them changed, cut short, or lengthened. */
function spoil(bytes: Bytes, random: SeededRandom): Bytes {
  const kind = seededInteger(random, 4);
  if (kind === 0) return bytes.slice(0, seededInteger(random, bytes.length));
  if (kind === 1) return new Uint8Array([...bytes, ...random(1 + seededInteger(random, 80))]);
  const copy = bytes.slice();
  // The front is where the fields are; behind it there is mostly key material.
  copy[seededInteger(random, kind === 2 ? bytes.length : 40)] = seededInteger(random, 256);
  return copy;
}

function attempt<Read>(read: () => Read): Read | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

describe('preKeyIdsOf', async () => {
  const ciphertexts = await makeCiphertexts();
  const [kyberMessage] = ciphertexts
    .filter((ciphertext) => ciphertext.type() === PREKEY)
    .map((ciphertext) => ciphertext.serialize());
  if (kyberMessage === undefined) throw new Error('no prekey message');

  test('reads what libsignal wrote, with a Kyber prekey', () => {
    const theirs = PreKeySignalMessage.deserialize(kyberMessage);
    const ours = preKeyIdsOf(kyberMessage);
    expect(ours).toMatchObject({
      signedPreKeyId: theirs.signedPreKeyId(),
      registrationId: theirs.registrationId(),
      kyberPreKeyId: 1,
    });
    expect(ours).not.toHaveProperty('preKeyId');
    expect(ours?.identityKey).toHaveLength(33);
  });

  test('reads what libsignal wrote before there were Kyber prekeys', () => {
    const whisper = ciphertexts.find((ciphertext) => ciphertext.type() === WHISPER);
    const signalMessage = SignalMessage.deserialize(whisper?.serialize() ?? new Uint8Array());
    const [base, identity] = [
      PrivateKey.generate().getPublicKey(),
      PrivateKey.generate().getPublicKey(),
    ];
    for (const preKeyId of [null, 0, 31_337, 2 ** 32 - 1]) {
      const theirs = PreKeySignalMessage._new(
        3,
        16_000,
        preKeyId,
        97,
        base,
        identity,
        signalMessage,
      );
      expect(preKeyIdsOf(theirs.serialize())).toEqual({
        ...(preKeyId !== null && { preKeyId }),
        signedPreKeyId: 97,
        identityKey: identity.serialize(),
        baseKey: base.serialize(),
        registrationId: 16_000,
      });
    }
  });

  test('reads no other kind of message that libsignal encrypts', () => {
    for (const ciphertext of ciphertexts) {
      if (ciphertext.type() !== PREKEY) expect(preKeyIdsOf(ciphertext.serialize())).toBeUndefined();
    }
  });

  test('reads, of spoiled messages, whatever libsignal reads, and the same', () => {
    const random = seededBytes('prekey-ids');
    let read = 0;
    for (let round = 0; round < 4000; round++) {
      const bytes = spoil(kyberMessage, random);
      const ours = preKeyIdsOf(bytes);
      const theirs = attempt(() => PreKeySignalMessage.deserialize(bytes));
      if (theirs === undefined) continue;
      read += 1;
      expect(ours, Buffer.from(bytes.subarray(0, 60)).toString('hex')).toMatchObject({
        signedPreKeyId: theirs.signedPreKeyId(),
        registrationId: theirs.registrationId(),
      });
      expect(ours?.preKeyId ?? null).toBe(theirs.preKeyId());
    }
    expect(read).toBeGreaterThan(500);
  });

  test('has an answer to any bytes', () => {
    const random = seededBytes('prekey-ids/random');
    for (let round = 0; round < 3000; round++) {
      const bytes = random(seededInteger(random, 90));
      bytes.set([0x44].slice(0, bytes.length));
      expect(preKeyIdsOf(bytes)).toBeUndefined();
    }
    expect(preKeyIdsOf(new Uint8Array())).toBeUndefined();
  });
});

describe('distributionIdOf', () => {
  const key = PrivateKey.generate();
  const random = seededBytes('distribution-id');
  const distribution = (chainKey = random(32)): Bytes =>
    SenderKeyDistributionMessage._new(
      3,
      DISTRIBUTION_ID,
      7,
      2 ** 31,
      chainKey,
      key.getPublicKey(),
    ).serialize();
  const message = (bytes: number): Bytes =>
    SenderKeyMessage._new(3, DISTRIBUTION_ID, 7, 1, random(bytes), key).serialize();

  test('reads what libsignal wrote, of either kind', () => {
    for (let round = 0; round < 300; round++) {
      expect(distributionIdOf(distribution())).toBe(DISTRIBUTION_ID);
      expect(distributionIdOf(message(round))).toBe(DISTRIBUTION_ID);
    }
  });

  test('reads, of spoiled ones, whatever libsignal reads, and the same', () => {
    let read = 0;
    for (let round = 0; round < 4000; round++) {
      const isMessage = round % 2 === 0;
      const bytes = spoil(isMessage ? message(40) : distribution(), random);
      const ours = distributionIdOf(bytes);
      const theirs = attempt(() =>
        (isMessage ? SenderKeyMessage : SenderKeyDistributionMessage)
          .deserialize(bytes)
          .distributionId(),
      );
      if (theirs === undefined) continue;
      read += 1;
      expect(ours).toBe(theirs);
    }
    expect(read).toBeGreaterThan(500);
  });

  test('has an answer to any bytes', () => {
    for (let round = 0; round < 3000; round++) {
      const bytes = random(seededInteger(random, 120));
      bytes.set([0x33].slice(0, bytes.length));
      expect(distributionIdOf(bytes)).toBeUndefined();
    }
    expect(distributionIdOf(new Uint8Array())).toBeUndefined();
  });
});
