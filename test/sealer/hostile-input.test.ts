import { sealedSenderEncrypt } from '@signalapp/libsignal-client';
import { Sealer } from 'sealcast';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { concatBytes, toHex, type Bytes } from '../reference/bytes.js';
import { sealV1 } from '../reference/envelope-v1.js';
import { encodeBytesField } from '../reference/protobuf.js';
import { seededBytes } from '../harness/seeded-random.js';
import {
  createWorld,
  keyPairBytes,
  smallestUsmcBytes,
  usmcOfSize,
} from '../harness/signal-fixtures.js';

// Found by attacking the engine: what strangers, or callers with odd objects, could once do to it.

const world = createWorld(1);
const recipient = world.recipients[0]!;
const random = seededBytes('hostile');
const certificate = world.senderCertificate;
const recipientKey = recipient.identity.publicKey.serialize();
const content = usmcOfSize(certificate, smallestUsmcBytes(certificate), random).serialize();

let sealer: Sealer;
let opener: Sealer;
beforeAll(async () => {
  sealer = await Sealer.create({ identityKeyPair: world.sender, threads: 1 });
  opener = await Sealer.create({ identityKeyPair: recipient.identity, threads: 1 });
});
afterAll(() => Promise.all([sealer.close(), opener.close()]));

const sealedByTwin = (usmc: Uint8Array): Bytes =>
  sealV1(keyPairBytes(world.sender), recipientKey, random(32), usmc);

/**
 * Fields of an envelope in the order message, ephemeral key, static part: valid, and what no
 * encoder writes.
 */
function messageFirst(envelope: Uint8Array): Bytes {
  const ephemeral = envelope.subarray(3, 36);
  const staticPart = envelope.subarray(38, 81);
  const message = envelope.subarray(envelope.length - (content.length + 10));
  return concatBytes(
    Uint8Array.of(0x11),
    encodeBytesField(3, message),
    encodeBytesField(1, ephemeral),
    encodeBytesField(2, staticPart),
  );
}

describe('an envelope on a resizable buffer', () => {
  test('that shrinks while it waits fails alone; the call, later calls and close() go on', async () => {
    const own = await Sealer.create({ identityKeyPair: recipient.identity, threads: 1 });
    const bytes = messageFirst(sealedByTwin(content));
    const buffer = new ArrayBuffer(bytes.length, { maxByteLength: 4096 });
    const shrinking = new Uint8Array(buffer, 0, bytes.length);
    shrinking.set(bytes);
    const good = sealedByTwin(content);
    // More than one thread's arenas hold, so that the last entry is still waiting when its buffer
    // shrinks. No time passes meanwhile: all of them are checked before the call gives way, however
    // slow the machine is.
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    const call = own.unseal([...Array.from({ length: 1100 }, () => good), shrinking]);
    now.mockRestore();
    buffer.resize(bytes.length - 40);
    const results = await call;
    expect(results.slice(0, -1).every(({ ok }) => ok)).toBe(true);
    expect(results.at(-1)).toMatchObject({
      ok: false,
      error: { code: 'ERR_INVALID_ARGUMENT', index: 1100 },
    });
    expect(own.stats().queueLength).toBe(0);
    expect((await own.unseal([messageFirst(good)]))[0]?.ok).toBe(true);
    await own.close();
  });
});

describe('an object that only claims to be a Uint8Array', () => {
  test.each([
    ['a proxy', new Proxy(new Uint8Array(5), {})],
    ['an heir of its prototype', Object.create(Uint8Array.prototype) as Uint8Array],
  ])('is refused, naming the entry: %s', async (_name, impostor) => {
    const good = { recipientIdentityKey: recipientKey, content };
    const expected = { code: 'ERR_INVALID_ARGUMENT', index: 1 };
    await expect(sealer.seal([good, { ...good, content: impostor }])).rejects.toMatchObject(
      expected,
    );
    await expect(
      sealer.seal([good, { ...good, recipientIdentityKey: impostor }]),
    ).rejects.toMatchObject(expected);
    await expect(opener.unseal([content, impostor])).rejects.toMatchObject(expected);
  });

  test('is sealed with its true length when it lies about it', async () => {
    const liar = Uint8Array.from(content);
    Object.defineProperty(liar, 'length', { value: 5 });
    const [result] = await sealer.seal([{ recipientIdentityKey: recipientKey, content: liar }]);
    if (result?.ok !== true) throw new Error('not sealed');
    const [opened] = await opener.unseal([result.envelope]);
    expect(opened?.ok === true && toHex(opened.content)).toBe(toHex(content));
  });
});

describe('a key', () => {
  const sealTo = (key: Uint8Array): ReturnType<Sealer['seal']> =>
    sealer.seal([
      { recipientIdentityKey: recipientKey, content },
      { recipientIdentityKey: key, content },
    ]);

  test('whose buffer was transferred is refused, naming the entry', async () => {
    const key = Uint8Array.from(recipientKey);
    structuredClone(key.buffer, { transfer: [key.buffer] });
    await expect(sealTo(key)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'recipientIdentityKey',
      index: 1,
    });
  });

  test.each(['length', 'byteLength', 'byteOffset', 'buffer'])(
    'that lies about its %s is taken for the bytes that it has',
    async (name) => {
      const liar = Uint8Array.from(recipientKey);
      Object.defineProperty(liar, name, { value: name === 'buffer' ? new ArrayBuffer(64) : 32 });
      const results = await sealTo(liar);
      const envelopes = results.map((result) => (result.ok ? result.envelope : new Uint8Array()));
      for (const opened of await opener.unseal(envelopes)) {
        expect(opened.ok && toHex(opened.content)).toBe(toHex(content));
      }
    },
  );

  test.each([0, 5, 34, 64])('of %i bytes is refused, whatever length it claims', async (bytes) => {
    const liar = new Uint8Array(bytes).fill(5);
    Object.defineProperty(liar, 'length', { value: 33 });
    await expect(sealTo(liar)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', index: 1 });
  });
});

describe('envelopes for libsignal', () => {
  async function largeEnvelope(): Promise<Bytes> {
    const usmc = usmcOfSize(certificate, 300_000, random);
    return sealedSenderEncrypt(usmc, recipient.address, world.senderStore);
  }

  test('count towards maxQueue, and a call that is refused opens none of its own', async () => {
    const own = await Sealer.create({
      identityKeyPair: recipient.identity,
      threads: 1,
      maxQueue: 10,
    });
    const envelope = await largeEnvelope();
    const first = own.unseal(Array.from({ length: 12 }, () => envelope));
    expect(own.stats().queueLength).toBe(12);
    await expect(own.unseal([envelope])).rejects.toMatchObject({ code: 'ERR_QUEUE_FULL' });
    await expect(own.unseal([sealedByTwin(content)])).rejects.toMatchObject({
      code: 'ERR_QUEUE_FULL',
    });
    expect(own.stats().queueLength).toBe(12);
    expect((await first).every(({ ok }) => ok)).toBe(true);
    expect(own.stats().queueLength).toBe(0);
    await own.close();
  });

  test('of one call do not keep an abort of another, or a close, from being heard', async () => {
    const own = await Sealer.create({ identityKeyPair: recipient.identity, threads: 1 });
    const junk = Array.from({ length: 3000 }, () => new Uint8Array(200).fill(0x22));
    let settled = 0;
    const many = own.unseal(junk).finally(() => (settled += 1));
    const controller = new AbortController();
    const one = own.unseal([sealedByTwin(content)], { signal: controller.signal });
    controller.abort('enough');
    await expect(one).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
    expect(settled).toBe(0);
    const late = own.unseal([sealedByTwin(content)]);
    const closing = own.close();
    // Both at once: whoever is refused first must not wait for somebody to hear of it.
    await Promise.all([
      expect(many).rejects.toMatchObject({ code: 'ERR_CLOSED' }),
      expect(late).rejects.toMatchObject({ code: 'ERR_CLOSED' }),
    ]);
    await closing;
  });

  test('are left alone once their call was aborted, or the Sealer closed', async () => {
    const own = await Sealer.create({ identityKeyPair: recipient.identity, threads: 1 });
    const envelopes = Array.from({ length: 50 }, () => new Uint8Array(300_000).fill(0x11));
    const controller = new AbortController();
    const aborted = own.unseal(envelopes, { signal: controller.signal });
    controller.abort('enough');
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
    const closed = own.unseal(envelopes);
    const closing = own.close();
    await expect(closed).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await closing;
  });

  test('fail with ERR_INVALID_ARGUMENT when they were transferred while they waited', async () => {
    const own = await Sealer.create({ identityKeyPair: recipient.identity, threads: 1 });
    const good = sealedByTwin(content);
    const large = await largeEnvelope();
    // First, so that it has been checked when the call gives way, however slow the machine is.
    const call = own.unseal([large, ...Array.from({ length: 1100 }, () => good)]);
    structuredClone(large.buffer, { transfer: [large.buffer] });
    expect((await call)[0]).toMatchObject({
      ok: false,
      error: { code: 'ERR_INVALID_ARGUMENT', index: 0 },
    });
    await own.close();
  });
});

describe('variants of a valid certificate', () => {
  test('are validated like the original, and none makes the others be validated again', async () => {
    const options = { trustRoots: [world.authority.trustRoot], timestamp: 5 };
    const original = certificate.serialize();
    const at = Buffer.from(content).indexOf(original);
    const variants = Array.from({ length: 300 }, (_, i) => {
      const junk = encodeBytesField(15, Uint8Array.of(i >> 8, i));
      const varied = concatBytes(original, junk);
      return concatBytes(
        content.subarray(0, 2),
        encodeBytesField(2, varied),
        content.subarray(at + original.length),
      );
    });
    const requests = [content, ...variants].map((one) => ({
      recipientIdentityKey: recipientKey,
      content: one,
    }));
    const envelopes = (await sealer.seal(requests)).map((result) =>
      result.ok ? result.envelope : new Uint8Array(),
    );
    const results = await opener.unseal(envelopes, options);
    for (const result of results)
      expect(result).toMatchObject({ ok: true, certificateValidated: true });
    expect(opener.stats().cachedRecipients).toBe(1);
  });
});
