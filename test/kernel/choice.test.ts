import { loadKernel } from 'sealcast/kernel';
import { Sealer } from 'sealcast';
import { describe, expect, it, test } from 'vitest';
import { allBuilds } from '../harness/kernel-builds.js';
import { relaxedSimd } from '../harness/relaxed-simd.js';
import { createWorld } from '../harness/signal-fixtures.js';

const [major = 0] = process.versions.node.split('.').map(Number);
const hasFlag = process.execArgv.includes('--experimental-wasm-relaxed-simd');
const { sender } = createWorld(0);

test('relaxed SIMD is there on Node 22 and newer, and on Node 20 behind its flag', () => {
  expect(relaxedSimd !== 'absent').toBe(major > 20 || hasFlag);
});

describe('auto', () => {
  const hasFma = allBuilds.some(({ name }) => name === 'fma');
  const expected = hasFma && relaxedSimd === 'fused' ? 'fma' : 'int';

  it('is fma where relaxed SIMD is there and fuses, else int, for primitives and for a Sealer and its workers', async () => {
    expect((await loadKernel()).name).toBe(expected);
    await using sealer = await Sealer.create({ identityKeyPair: sender, threads: 2 });
    expect(sealer.stats().kernel).toBe(expected);
    const entry = {
      recipientIdentityKey: createWorld(0).sender.publicKey,
      content: Uint8Array.of(1),
    };
    const results = await sealer.seal(Array.from({ length: 100 }, () => entry));
    expect(results.every(({ ok }) => ok)).toBe(true);
  });
});
