import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Sealer, type SealRequest, type SealResult } from 'sealcast';
import { unsealV1 } from '../reference/envelope-v1.js';
import { seededBytes } from '../harness/seeded-random.js';
import { createWorld, keyPairBytes } from '../harness/signal-fixtures.js';

const world = createWorld(1);
const recipient = keyPairBytes(world.recipients[0]!.identity);
const random = seededBytes('packed-envelopes');
/** Lengths on both sides of what a vector, a byte of the length and an arena hold. */
const SIZES = [1, 2, 16, 117, 118, 119, 600, 601, 607, 2200, 16_374, 100_000, 262_144, 262_143, 5];
const lowOrderKey = Uint8Array.of(5, ...new Uint8Array(32));

let sealer: Sealer;
beforeAll(async () => {
  sealer = await Sealer.create({ identityKeyPair: world.sender, threads: 2 });
});
afterAll(() => sealer.close());

function requestsOf(contents: readonly Uint8Array[]): SealRequest[] {
  return contents.map((content) => ({ recipientIdentityKey: recipient.publicKey, content }));
}

const envelopesOf = (results: readonly SealResult[]): Uint8Array<ArrayBuffer>[] =>
  results.flatMap((result) => (result.ok ? [result.envelope] : []));

/** Envelopes by the buffer that they are in, in the order of their places. */
function byBuffer(results: readonly SealResult[]): Map<ArrayBuffer, Uint8Array[]> {
  const buffers = new Map<ArrayBuffer, Uint8Array[]>();
  for (const envelope of envelopesOf(results)) {
    buffers.set(envelope.buffer, [...(buffers.get(envelope.buffer) ?? []), envelope]);
  }
  for (const envelopes of buffers.values()) envelopes.sort((a, b) => a.byteOffset - b.byteOffset);
  return buffers;
}

/** Fails unless the buffer's envelopes are apart, and all bytes outside of them are zero. */
function expectNothingElse(buffer: ArrayBuffer, envelopes: readonly Uint8Array[]): void {
  const bytes = new Uint8Array(buffer);
  let at = 0;
  for (const { byteOffset, length } of envelopes) {
    expect(byteOffset).toBeGreaterThanOrEqual(at);
    expect(bytes.subarray(at, byteOffset).every((byte) => byte === 0)).toBe(true);
    at = byteOffset + length;
  }
  expect(bytes.subarray(at).every((byte) => byte === 0)).toBe(true);
}

describe('envelopes of seal() with `packed`', () => {
  test('hold the contents, as views of a few buffers with zeros between them', async () => {
    const contents = Array.from({ length: 90 }, (_, i) => random(SIZES[i % SIZES.length] ?? 1));
    const results = await sealer.seal(requestsOf(contents), { packed: true });
    const buffers = byBuffer(results);
    expect(envelopesOf(results)).toHaveLength(contents.length);
    expect(buffers.size).toBeLessThan(contents.length / 2);
    for (const [buffer, envelopes] of buffers) expectNothingElse(buffer, envelopes);
    // The twin is slow: the short ones, and one that goes through an arena almost alone.
    for (const [index, envelope] of envelopesOf(results).entries()) {
      const content = contents[index] ?? new Uint8Array();
      if (content.length > 3000 && index !== 12) continue;
      expect(Buffer.compare(unsealV1(recipient, envelope).content, content)).toBe(0);
    }
  });

  test('share no buffer with the content of an entry that failed', async () => {
    const contents = Array.from({ length: 60 }, () => random(700));
    const requests = requestsOf(contents).map((request, i) =>
      i % 3 === 1 ? { ...request, recipientIdentityKey: lowOrderKey } : request,
    );
    const results = await sealer.seal(requests, { packed: true });
    for (const [i, result] of results.entries()) {
      if (i % 3 === 1) {
        const error = { code: 'ERR_LOW_ORDER_KEY', index: i };
        expect(result).toMatchObject({ ok: false, error });
      } else expect(result.ok).toBe(true);
    }
    for (const [buffer, envelopes] of byBuffer(results)) expectNothingElse(buffer, envelopes);
  });

  test('of two calls at once are in different buffers', async () => {
    const contents = Array.from({ length: 300 }, () => random(60));
    const [one, other] = await Promise.all([
      sealer.seal(requestsOf(contents), { packed: true }),
      sealer.seal(requestsOf(contents), { packed: true }),
    ]);
    const ofOther = byBuffer(other);
    for (const buffer of byBuffer(one).keys()) expect(ofOther.has(buffer)).toBe(false);
  });

  test('fail entry by entry when there is no entry that succeeds', async () => {
    const request = { recipientIdentityKey: lowOrderKey, content: random(10) };
    const results = await sealer.seal([request, request], { packed: true });
    expect(results.map(({ ok }) => ok)).toEqual([false, false]);
  });

  test.each([undefined, false])('are in a buffer each where it is %s', async (packed) => {
    const contents = Array.from({ length: 40 }, () => random(100));
    const options = packed === undefined ? {} : { packed };
    const envelopes = envelopesOf(await sealer.seal(requestsOf(contents), options));
    expect(envelopes).toHaveLength(40);
    for (const { buffer, length } of envelopes) expect(buffer.byteLength).toBe(length);
  });
});

test.each([null, 1, 'yes', {}])('seal() refuses a `packed` that is %j', async (packed) => {
  const call = sealer.seal(requestsOf([random(10)]), { packed: packed as unknown as boolean });
  await expect(call).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', field: 'packed' });
});

test.each([
  ['prepare()', () => sealer.prepare([recipient.publicKey], { packed: true } as object)],
  ['unseal()', () => sealer.unseal([new Uint8Array(1)], { packed: true } as object)],
])('%s, which makes no envelopes, refuses `packed`', async (_name, call) => {
  await expect(call()).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', field: 'packed' });
});
