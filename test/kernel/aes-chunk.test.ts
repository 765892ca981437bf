import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { STATUS_INVALID_ENVELOPE, STATUS_NO_RANDOMNESS, STATUS_OK } from '#dist/assembly/abi.js';
import { Arena, layScalars } from '#dist/src/kernel/arena.js';
import { ControlBlock, planMemory } from '#dist/src/kernel/control.js';
import { parseV1Envelope } from '#dist/src/kernel/envelope.js';
import { byteAt, toHex, type Bytes } from '../reference/bytes.js';
import { keyPairFromScalar, unsealV1, type KeyPairBytes } from '../reference/envelope-v1.js';
import { DebugKernel } from '../harness/debug-kernel.js';
import { kernelBuilds, type KernelBuild } from '../harness/kernel-builds.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';

// Chunks of more entries than go through the cipher at once, with entries that fail in between, so
// that what one batch holds does not follow from the entries' numbers.

const plan = planMemory(64 * 1024, 1);
const arenaPtr = plan.arenaPtrs[0] ?? 0;

function hostOf(build: KernelBuild, identity: KeyPairBytes): { kernel: DebugKernel; arena: Arena } {
  const kernel = new DebugKernel(build, plan.totalBytes);
  new ControlBlock(kernel.memory, plan, randomBytes(64)).setIdentity(
    identity.privateKey,
    identity.publicKey.subarray(1),
  );
  return { kernel, arena: new Arena(kernel.memory, arenaPtr) };
}

const random = seededBytes('aes chunk');
const sender = keyPairFromScalar(random(32));
const recipient = keyPairFromScalar(random(32));

/** Seals contents of these lengths; those in `failing` come without randomness. */
function seal(
  build: KernelBuild,
  lengths: readonly number[],
  failing: ReadonlySet<number>,
): { contents: Bytes[]; envelopes: Bytes[] } {
  const { kernel, arena } = hostOf(build, sender);
  const contents = lengths.map((bytes) => random(bytes));
  const scalars = random(32 * lengths.length);
  contents.forEach((content, i) => {
    expect(arena.addContent(recipient.publicKey.subarray(1), content)).toBe(true);
    if (failing.has(i)) scalars.fill(0, 32 * i, 32 * i + 32);
  });
  layScalars(kernel.memory, arenaPtr, scalars);
  kernel.exports.sealV1(arenaPtr);
  contents.forEach((_, i) => {
    expect(arena.status(i), `entry ${i}`).toBe(failing.has(i) ? STATUS_NO_RANDOMNESS : STATUS_OK);
  });
  return { contents, envelopes: contents.map((_, i) => arena.envelope(i)) };
}

const equal = (count: number, bytes: number): number[] =>
  Array.from({ length: count }, () => bytes);

describe.each(kernelBuilds)('a chunk of several batches ($file)', (build) => {
  it.each([
    { what: 'equal lengths', lengths: equal(33, 600), failing: new Set<number>() },
    {
      what: 'equal lengths, some failing',
      lengths: equal(70, 160),
      failing: new Set([0, 1, 31, 32, 40, 69]),
    },
    {
      what: 'mixed lengths, some failing',
      lengths: Array.from({ length: 100 }, () => 1 + seededInteger(random, 900)),
      failing: new Set([5, 6, 7, 64, 98]),
    },
    {
      what: 'all but one failing',
      lengths: equal(40, 50),
      failing: new Set(Array.from({ length: 39 }, (_, i) => i)),
    },
  ])('is sealed for the twin and unsealed again: $what', ({ lengths, failing }) => {
    const { contents, envelopes } = seal(build, lengths, failing);
    // The twin is slow: a sample around the seams of the batches.
    for (const i of [0, 1, 30, 31, 32, 33, 39, lengths.length - 1]) {
      if (i >= lengths.length || failing.has(i)) continue;
      const { content, senderIdentityKey } = unsealV1(recipient, envelopes[i] ?? new Uint8Array());
      expect(toHex(content), `entry ${i}`).toBe(toHex(contents[i] ?? new Uint8Array()));
      expect(toHex(senderIdentityKey)).toBe(toHex(sender.publicKey));
    }

    const { kernel, arena } = hostOf(build, recipient);
    const sealed = contents.flatMap((content, i) =>
      failing.has(i) ? [] : [{ content, envelope: envelopes[i] }],
    );
    const wrong = new Map<number, number>();
    sealed.forEach(({ envelope }, i) => {
      if (envelope === undefined) throw new Error('a test without envelopes');
      // Every fifth is wrong, by turns in its static part and at its end.
      if (i % 5 === 3) wrong.set(i, i % 2 === 0 ? 45 : envelope.length - 1);
      const at = wrong.get(i);
      if (at !== undefined) envelope[at] = byteAt(envelope, at) ^ 1;
      const parsed = parseV1Envelope(envelope);
      expect(parsed !== null && arena.addEnvelope(parsed)).toBe(true);
    });
    kernel.exports.unsealV1(arenaPtr);
    sealed.forEach(({ content }, i) => {
      expect(arena.status(i), `entry ${i}`).toBe(
        wrong.has(i) ? STATUS_INVALID_ENVELOPE : STATUS_OK,
      );
      if (wrong.has(i)) return;
      const opened = arena.unsealed(i);
      expect(toHex(opened.content), `entry ${i}`).toBe(toHex(content));
      expect(toHex(opened.senderKey)).toBe(toHex(sender.publicKey.subarray(1)));
    });
  });
});
