import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  CONTROL_COUNTER_OFFSET,
  CONTROL_PTR,
  ENTRIES_OFFSET,
  ENTRY_BYTES,
  ENTRY_SCALAR_OFFSET,
  PAIR_BYTES,
  PAYLOAD_OFFSET,
  STATUS_INVALID_ENVELOPE,
  STATUS_LOW_ORDER_KEY,
  STATUS_NO_RANDOMNESS,
  STATUS_OK,
} from '#dist/assembly/abi.js';
import { Arena, layScalars } from '#dist/src/kernel/arena.js';
import { ControlBlock, planMemory } from '#dist/src/kernel/control.js';
import { parseV1Envelope } from '#dist/src/kernel/envelope.js';
import { SlotTable } from '#dist/src/kernel/slot-table.js';
import { byteAt, concatBytes, toHex, utf8 } from '../reference/bytes.js';
import { keyPairFromScalar, sealV1, type KeyPairBytes } from '../reference/envelope-v1.js';
import { x25519 } from '../reference/x25519.js';
import { DebugKernel } from '../harness/debug-kernel.js';
import { kernelBuilds, type KernelBuild } from '../harness/kernel-builds.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';

// The debug build seals and unseals whole chunks here, on one thread, with random bytes that the
// test knows: so every envelope can be held against the twin's, byte for byte, hedged scalar and
// all.

const plan = planMemory(64 * 1024, 1);
/** Behind the arena: a key and a secret that tests read and write by themselves. */
const [KEY_PTR, SECRET_PTR] = [plan.totalBytes, plan.totalBytes + 64];
const arenaPtr = plan.arenaPtrs[0] ?? 0;
const CLOCK = 0x1122334455667788n;

class Host {
  readonly kernel: DebugKernel;
  readonly arena: Arena;
  readonly table: SlotTable;

  constructor(build: KernelBuild, identity: KeyPairBytes) {
    this.kernel = new DebugKernel(build, plan.totalBytes + 128);
    this.arena = new Arena(this.kernel.memory, arenaPtr);
    this.table = new SlotTable(this.kernel.memory, this.kernel.exports, plan);
    const control = new ControlBlock(this.kernel.memory, plan, randomBytes(64));
    control.setIdentity(identity.privateKey, identity.publicKey.subarray(1));
  }

  get counter(): bigint {
    return new DataView(this.kernel.memory.buffer).getBigUint64(
      CONTROL_PTR + CONTROL_COUNTER_OFFSET,
      true,
    );
  }

  statuses(): number[] {
    return Array.from({ length: this.arena.count }, (_, i) => this.arena.status(i));
  }
}

const random = seededBytes('chunk');
const sender = keyPairFromScalar(random(32));
const recipients = Array.from({ length: 9 }, () => keyPairFromScalar(random(32)));

function hedge(randomness: Uint8Array, recipient: Uint8Array, counter: bigint): Uint8Array {
  const label = new Uint8Array(32);
  label.set(utf8('sealcast v1 ephemeral scalar'));
  const tail = new Uint8Array(16);
  new DataView(tail.buffer).setBigUint64(0, counter, true);
  new DataView(tail.buffer).setBigUint64(8, CLOCK, true);
  const message = concatBytes(label, randomness, recipient, tail);
  return createHmac('sha256', sender.privateKey).update(message).digest();
}

const recipientOf = (i: number): KeyPairBytes => recipients[i % recipients.length] ?? sender;
const keyOf = (i: number): Uint8Array => recipientOf(i).publicKey.subarray(1);

describe.each(kernelBuilds)('a chunk in the debug build of $file', (build) => {
  it.each([1, 2, 3, 4, 5, 7, 9])(
    'is sealed to the very bytes of the twin (%i entries)',
    (count) => {
      const host = new Host(build, sender);
      const contents = Array.from({ length: count }, () => random(1 + seededInteger(random, 900)));
      for (const round of [0, 1]) {
        const randomness = random(32 * count);
        contents.forEach((content, i) => {
          if (round === 0) expect(host.table.assign(i, keyOf(i))).toBe(true);
          expect(host.arena.addContent(keyOf(i), content)).toBe(true);
        });
        host.arena.setClock(CLOCK);
        layScalars(host.kernel.memory, arenaPtr, randomness);
        const counter = host.counter;
        host.kernel.exports.sealV1(arenaPtr);
        expect(host.counter).toBe(counter + BigInt(count));
        contents.forEach((content, i) => {
          const scalar = hedge(
            randomness.subarray(32 * i, 32 * i + 32),
            keyOf(i),
            counter + BigInt(i),
          );
          expect(host.arena.status(i)).toBe(STATUS_OK);
          const expected = sealV1(sender, recipientOf(i).publicKey, scalar, content);
          expect(toHex(host.arena.envelope(i)), `round ${round}, entry ${i}`).toBe(toHex(expected));
        });
        host.arena.wipe();
      }
    },
  );

  it('unseals what the twin sealed, and fails nothing but the entries that are wrong', () => {
    const recipient = recipientOf(0);
    const host = new Host(build, recipient);
    const contents = Array.from({ length: 11 }, () => random(1 + seededInteger(random, 900)));
    const senders = contents.map((_, i) => keyPairFromScalar(seededBytes(`sender ${i % 3}`)(32)));
    const envelopes = contents.map((content, i) =>
      sealV1(senders[i] ?? sender, recipient.publicKey, random(32), content),
    );
    const wrong = new Set([2, 3, 7]);
    const badStatic = envelopes[2] ?? new Uint8Array();
    badStatic[45] = byteAt(badStatic, 45) ^ 1;
    const badMessage = envelopes[3] ?? new Uint8Array();
    badMessage[badMessage.length - 1] = byteAt(badMessage, badMessage.length - 1) ^ 0x80;
    const toOthers = sealV1(sender, recipientOf(1).publicKey, random(32), random(50));
    envelopes[7] = toOthers;
    for (const envelope of envelopes) {
      const parsed = parseV1Envelope(envelope);
      expect(parsed !== null && host.arena.addEnvelope(parsed)).toBe(true);
    }
    host.kernel.exports.unsealV1(arenaPtr);
    contents.forEach((content, i) => {
      if (wrong.has(i)) {
        expect(host.arena.status(i), `entry ${i}`).toBe(STATUS_INVALID_ENVELOPE);
        return;
      }
      expect(host.arena.status(i), `entry ${i}`).toBe(STATUS_OK);
      const { content: opened, senderKey } = host.arena.unsealed(i);
      expect(toHex(opened)).toBe(toHex(content));
      expect(toHex(senderKey)).toBe(toHex((senders[i] ?? sender).publicKey.subarray(1)));
    });
  });

  it('decrypts nothing of an envelope whose MAC does not hold', () => {
    const recipient = recipientOf(0);
    const host = new Host(build, recipient);
    const envelope = sealV1(sender, recipient.publicKey, random(32), random(200));
    envelope[envelope.length - 1] = byteAt(envelope, envelope.length - 1) ^ 1;
    const parsed = parseV1Envelope(envelope);
    if (parsed === null) throw new Error('the twin sealed something malformed');
    host.arena.addEnvelope(parsed);
    host.kernel.exports.unsealV1(arenaPtr);
    const { content } = host.arena.unsealed(0);
    expect(toHex(content)).toBe(
      toHex(envelope.subarray(envelope.length - 210, envelope.length - 10)),
    );
  });

  it('refuses entries without randomness, and so a chunk that is run twice', () => {
    const host = new Host(build, sender);
    for (let i = 0; i < 3; i++) host.arena.addContent(keyOf(i), random(40));
    layScalars(
      host.kernel.memory,
      arenaPtr,
      concatBytes(random(32), new Uint8Array(32), random(32)),
    );
    host.kernel.exports.sealV1(arenaPtr);
    expect(host.statuses()).toEqual([STATUS_OK, STATUS_NO_RANDOMNESS, STATUS_OK]);

    const again = new Host(build, sender);
    again.arena.addContent(keyOf(0), random(40));
    again.kernel.exports.sealV1(arenaPtr);
    expect(again.statuses()).toEqual([STATUS_NO_RANDOMNESS]);
  });

  it('never gives a slot to a key of low order, whose entry alone fails', () => {
    const host = new Host(build, sender);
    const lowOrder = new Uint8Array(32);
    host.table.assign(0, lowOrder);
    for (const key of [keyOf(0), lowOrder, keyOf(1)]) host.arena.addContent(key, random(40));
    layScalars(host.kernel.memory, arenaPtr, random(96));
    host.kernel.exports.sealV1(arenaPtr);
    expect(host.statuses()).toEqual([STATUS_OK, STATUS_LOW_ORDER_KEY, STATUS_OK]);
    host.kernel.write(KEY_PTR, lowOrder);
    expect(host.kernel.exports.readSecret(SECRET_PTR, KEY_PTR)).toBe(0);
  });

  it('fills slots with DH(S, R), takes it from there, and loses it on eviction', () => {
    const host = new Host(build, sender);
    const key = keyOf(4);
    host.kernel.write(KEY_PTR, key);
    expect(host.table.find(KEY_PTR)).toBe(-1);
    host.table.assign(5, key);
    expect(host.table.find(KEY_PTR)).toBe(5);
    expect(host.kernel.exports.readSecret(SECRET_PTR, KEY_PTR)).toBe(0);
    host.arena.addKey(key);
    host.kernel.exports.prepareSlots(arenaPtr);
    expect(host.statuses()).toEqual([STATUS_OK]);
    expect(host.kernel.exports.readSecret(SECRET_PTR, KEY_PTR)).toBe(1);
    expect(toHex(host.kernel.read(SECRET_PTR, 32))).toBe(toHex(x25519(sender.privateKey, key)));
    expect(host.table.evict(5)).toBe(true);
    expect(host.table.find(KEY_PTR)).toBe(-1);
    expect(host.kernel.exports.readSecret(SECRET_PTR, KEY_PTR)).toBe(0);
  });

  it('leaves zeros over scalars, secrets, keys and scratch, whatever became of the entries', () => {
    for (const run of ['sealV1', 'unsealV1', 'prepareSlots'] as const) {
      const host = new Host(build, sender);
      const envelope = parseV1Envelope(
        sealV1(recipientOf(1), sender.publicKey, random(32), random(300)),
      );
      for (let i = 0; i < 5; i++) {
        if (run === 'sealV1')
          host.arena.addContent(i === 3 ? new Uint8Array(32) : keyOf(i), random(300));
        else if (run === 'prepareSlots') host.arena.addKey(keyOf(i));
        else if (envelope !== null) host.arena.addEnvelope(envelope);
      }
      if (run === 'sealV1') layScalars(host.kernel.memory, arenaPtr, random(160));
      host.kernel.exports[run](arenaPtr);
      const secrets = host.kernel.read(arenaPtr + ENTRIES_OFFSET, PAYLOAD_OFFSET - ENTRIES_OFFSET);
      expect(
        secrets.every((byte) => byte === 0),
        run,
      ).toBe(true);
      host.arena.wipe();
      const arena = host.kernel.read(arenaPtr, PAYLOAD_OFFSET + 5 * 1024);
      expect(
        arena.every((byte) => byte === 0),
        `${run}, arena wiped`,
      ).toBe(true);
    }
  });

  it('has room in its scratch for whichever primitive wants most', () => {
    const globals = new DebugKernel(build).exports as unknown as Readonly<
      Record<string, { value: number }>
    >;
    const room = globals['PRIMITIVES_SCRATCH_BYTES']!.value;
    for (const name of ['X25519', 'CTR', 'HMAC_X4', 'HKDF_X4', 'SHA256', 'HMAC', 'HKDF']) {
      const wanted = globals[`${name}_SCRATCH_BYTES`]!.value;
      expect(wanted, name).toBeGreaterThan(0);
      expect(wanted, name).toBeLessThanOrEqual(room);
    }
    // X, Z, their product, and the mask of the lanes.
    expect(3 * globals['ELEMENT_X2_BYTES']!.value + 16).toBeLessThanOrEqual(PAIR_BYTES);
  });

  it('lays scalars where the kernel looks for them', () => {
    const host = new Host(build, sender);
    const scalars = random(64);
    layScalars(host.kernel.memory, arenaPtr, scalars);
    for (const i of [0, 1]) {
      const at = arenaPtr + ENTRIES_OFFSET + i * ENTRY_BYTES + ENTRY_SCALAR_OFFSET;
      expect(toHex(host.kernel.read(at, 32))).toBe(toHex(scalars.subarray(32 * i, 32 * i + 32)));
    }
  });
});
