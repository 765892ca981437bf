import { afterAll, expect, test } from 'vitest';
import { Sealer } from 'sealcast';
import {
  CONTROL_PRIVATE_KEY_OFFSET,
  CONTROL_PTR,
  KEY_BYTES,
  SLOT_BYTES,
} from '#dist/assembly/abi.js';
import { planMemory, TABLES_COST_BYTES } from '#dist/src/kernel/control.js';
import { x25519 } from '../reference/x25519.js';
import { Broadcasts, keysOf } from '../harness/broadcasts.js';
import { kernelNames } from '../harness/kernel-builds.js';
import { MemoryWatch } from '../harness/memory-watch.js';
import { SecretScan } from '../harness/secret-scan.js';
import { keyPairBytes } from '../harness/signal-fixtures.js';

// What test/kernel/wiping.test.ts shows of a chunk, of a whole Sealer: its memory, that of its
// kernel's primitives, and all others that it makes. It watches from before the first kernel is
// loaded.

const THREADS = 2;
const RECIPIENTS = 24;
const broadcasts = new Broadcasts(RECIPIENTS, 'wiping');
const { privateKey, publicKey } = keyPairBytes(broadcasts.world.sender);
const recipients = broadcasts.recipients(0, RECIPIENTS);
const secrets = keysOf(recipients).map((key) => x25519(privateKey, key.serialize().subarray(1)));
const recipientCacheBytes = RECIPIENTS * TABLES_COST_BYTES;
const plan = planMemory(recipientCacheBytes, 2 * THREADS);

const memoryWatch = new MemoryWatch();
afterAll(() => memoryWatch.stop());

function copiesOf(bytes: Uint8Array): number {
  let count = 0;
  for (const { buffer } of memoryWatch.memories) {
    const memory = Buffer.from(buffer);
    for (let at = memory.indexOf(bytes); at >= 0; at = memory.indexOf(bytes, at + 1)) count += 1;
  }
  return count;
}

test.each(kernelNames)(
  'a Sealer on %s keeps only one copy of its key and of each shared secret',
  async (kernel) => {
    memoryWatch.memories.length = 0;
    const scan = new SecretScan();
    scan.addScalar('private key', privateKey);
    scan.addMacKey('private key', privateKey);
    secrets.forEach((secret, i) => scan.add(`DH(S, R) of recipient ${i}`, secret));
    const requests = broadcasts.requests(recipients);
    requests.forEach(({ content }, i) => scan.add(`content ${i}`, content.subarray(100)));

    const sealer = await Sealer.create({
      identityKeyPair: { privateKey, publicKey },
      threads: THREADS,
      recipientCacheBytes,
      kernel,
    });
    expect((await sealer.prepare(keysOf(recipients.slice(0, 8)))).every(({ ok }) => ok)).toBe(true);
    for (let time = 0; time < 3; time++) await broadcasts.send(sealer, recipients);
    const toSelf = requests.map(({ content }) => ({ recipientIdentityKey: publicKey, content }));
    const sealed = await sealer.seal(toSelf);
    const opened = await sealer.unseal(
      sealed.map((result) => (result.ok ? result.envelope : new Uint8Array())),
    );
    opened.forEach((result, i) =>
      expect(result).toMatchObject({ ok: true, content: requests[i]?.content }),
    );
    expect(sealer.stats().tables).toBe(RECIPIENTS);

    const isAtHome = (name: string, at: number): boolean => {
      const ownKey = CONTROL_PTR + CONTROL_PRIVATE_KEY_OFFSET;
      if (name.startsWith('private key')) return at >= ownKey && at < ownKey + KEY_BYTES;
      return (
        name.startsWith('DH') &&
        at >= plan.slotsPtr &&
        at < plan.slotsPtr + plan.slotCount * SLOT_BYTES
      );
    };
    expect(memoryWatch.memories.length).toBeGreaterThan(0);
    for (const memory of memoryWatch.memories) {
      expect(memory.buffer.byteLength).toBeLessThan(32 * 1024 * 1024);
      expect(scan.find(memory, isAtHome)).toEqual([]);
    }
    // And there they are: the scan would have found others.
    expect(copiesOf(privateKey)).toBe(1);
    for (const secret of secrets) expect(copiesOf(secret)).toBe(1);
    await sealer.close();
    for (const memory of memoryWatch.memories) expect(scan.find(memory)).toEqual([]);
  },
);
