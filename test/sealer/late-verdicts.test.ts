import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { Sealer } from 'sealcast';
import { CONTROL_PTR } from '#dist/assembly/abi.js';
import { Engine } from '#dist/src/engine/engine.js';
import { drawTwistU, keyOfU } from '../harness/edwards.js';
import { MemoryWatch } from '../harness/memory-watch.js';
import { createWorld, keyPairBytes, usmcOfSize } from '../harness/signal-fixtures.js';
import { seededBytes } from '../harness/seeded-random.js';

// What libsignal says of an envelope can come after the Sealer has closed; then there is nothing
// left to note it in.

const world = createWorld(3);
const watch = new MemoryWatch();
afterEach(() => watch.stop());

test('a verdict that comes after close() lays nothing into the wiped memory', async () => {
  const { privateKey, publicKey } = keyPairBytes(world.sender);
  const engine = await Engine.create({
    privateKey: Uint8Array.from(privateKey),
    publicKey: publicKey.subarray(1),
    threads: 1,
    recipientCacheBytes: 2 ** 20,
    kernel: 'auto',
    maxQueue: 10,
  });
  const memory = watch.memories[watch.memories.length - 1]!;
  const early = randomBytes(32);
  engine.admit(early);
  expect(watch.holds(early)).toBe(true);
  const constants = Buffer.from(memory.buffer.slice(0, CONTROL_PTR));
  await engine.close();
  engine.admit(randomBytes(32));
  expect(Buffer.from(memory.buffer.slice(0, CONTROL_PTR)).equals(constants)).toBe(true);
  expect(new Uint8Array(memory.buffer, CONTROL_PTR).every((byte) => byte === 0)).toBe(true);
});

test('stats() counts as served by a table only envelopes that were', async () => {
  await using sealer = await Sealer.create({ identityKeyPair: world.sender, threads: 1 });
  const content = usmcOfSize(world.senderCertificate, 400, seededBytes('late')).serialize();
  const recipientIdentityKey = Uint8Array.of(5, ...keyOfU(drawTwistU(seededBytes('twist'))));
  for (let time = 0; time < 3; time++) {
    const [result] = await sealer.seal([{ recipientIdentityKey, content }]);
    expect(result?.ok).toBe(true);
  }
  // A key on the twist can have no tables, however often they are wanted.
  expect(sealer.stats()).toMatchObject({ tables: 0, servedByTable: 0, servedByLadder: 3 });
});
