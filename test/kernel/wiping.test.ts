import { describe, expect, it } from 'vitest';
import {
  CONTROL_PRIVATE_KEY_OFFSET,
  CONTROL_PTR,
  ENTRIES_OFFSET,
  KEY_BYTES,
  PAYLOAD_OFFSET,
  RECORDS_OFFSET,
  RECORD_BYTES,
  RECORD_ENVELOPE_PTR_OFFSET,
  RECORD_MESSAGE_PTR_OFFSET,
  RECORD_TABLES_PTR_OFFSET,
  SLOT_BYTES,
  STATUS_LOW_ORDER_KEY,
  STATUS_NO_RANDOMNESS,
  STATUS_OK,
  TABLES_NONE,
  TABLES_READY,
  TABLES_WANTED,
} from '#dist/assembly/abi.js';
import { ARENA_BYTES } from '#dist/src/kernel/arena.js';
import { parseV1Envelope } from '#dist/src/kernel/envelope.js';
import { concatBytes, toHex, type Bytes } from '../reference/bytes.js';
import {
  SALT_PREFIX,
  deriveKeys,
  keyPairFromScalar,
  sealV1Steps,
  unsealV1,
} from '../reference/envelope-v1.js';
import { hkdfExtract } from '../reference/hkdf.js';
import { x25519 } from '../reference/x25519.js';
import { ChunkHost, hedgedScalar } from '../harness/chunk-host.js';
import { kernelBuilds } from '../harness/kernel-builds.js';
import { cyclic } from '../harness/opening.js';
import { SecretScan } from '../harness/secret-scan.js';
import { seededBytes } from '../harness/seeded-random.js';

// Every secret that a chunk meets is computed by the twin and looked for in the whole memory, in
// the forms that the kernel gives it. That the kernel does have them in these forms is seen where
// it is stopped half-way.

const ENTRY_COUNT = 9;
const random = seededBytes('wiping');
const sender = keyPairFromScalar(random(32));
const recipients = Array.from({ length: ENTRY_COUNT }, () => keyPairFromScalar(random(32)));
const keyOf = (i: number): Uint8Array => cyclic(recipients, i).publicKey.subarray(1);
const contents = recipients.map((_, i) => random(200 + 37 * i));
const randomness = recipients.map(() => random(32));
const TABLES = [TABLES_READY, TABLES_WANTED, TABLES_NONE] as const;
const BEYOND_MEMORY = 0xfffff000;

const OWN_KEY = 'private key';
const STATIC_SECRET = 'DH(S, R)';

/** What a kernel that is stopped half-way is seen with: that much at least the scan can find. */
const SEEN_WHEN_STOPPED = [
  'random bytes',
  'scalar',
  'scalar, clamped',
  'scalar, signs',
  'private key, signs',
  'DH(e, R)',
  'DH(S, R)',
  'first pseudorandom key, inner state',
  'first chain key',
  'first cipher key',
  'first cipher key, sliced',
  'first MAC key',
  'second chain key',
  'second cipher key',
  'second MAC key',
  'second MAC key, inner state',
  'second MAC key, outer state',
  'content',
];

/** Adds what HKDF makes of a shared secret, and what HMAC and AES make of that. */
function addLayer(
  scan: SecretScan,
  layer: string,
  salt: Uint8Array,
  secret: Uint8Array,
  isAlone: boolean,
): Bytes {
  const { chainKey, cipherKey, macKey } = deriveKeys(salt, secret);
  scan.addMacKey(`${layer} pseudorandom key`, hkdfExtract(salt, secret));
  scan.add(`${layer} chain key`, chainKey);
  scan.addCipherKey(`${layer} cipher key`, cipherKey, isAlone);
  scan.addMacKey(`${layer} MAC key`, macKey);
  return chainKey;
}

const scans = new Map<string, SecretScan>();
/** The twin is slow, and its secrets are the same for every build. */
function once(name: string, make: () => SecretScan): SecretScan {
  const scan = scans.get(name) ?? make();
  scans.set(name, scan);
  return scan;
}

/** The secrets of `count` entries, the first ones that a host seals. */
const secretsOfSealing = (count: number): SecretScan =>
  once(`seal ${count}`, () => addSealing(secretsOfIdentity(), count));

function addSealing(scan: SecretScan, count: number): SecretScan {
  for (let i = 0; i < count; i++) {
    const [recipient, content, bytes] = [
      cyclic(recipients, i),
      cyclic(contents, i),
      cyclic(randomness, i),
    ];
    const scalar = hedgedScalar(sender, bytes, keyOf(i), BigInt(i));
    const steps = sealV1Steps(sender, recipient.publicKey, scalar, content);
    scan.add('random bytes', bytes);
    scan.addScalar('scalar', scalar);
    scan.add('DH(e, R)', steps.ephemeralSecret);
    scan.add(STATIC_SECRET, steps.staticSecret);
    const salt = concatBytes(SALT_PREFIX, recipient.publicKey, steps.ephemeralPublicKey);
    const chainKey = addLayer(scan, 'first', salt, steps.ephemeralSecret, count === 1);
    addLayer(
      scan,
      'second',
      concatBytes(chainKey, steps.encryptedStatic),
      steps.staticSecret,
      count === 1,
    );
    scan.add('content', content);
  }
  return scan;
}

/** From a sender each, to the one identity. */
const received = recipients.map((from, i) =>
  sealV1Steps(from, sender.publicKey, random(32), cyclic(contents, i)),
);

const secretsOfUnsealing = (count: number): SecretScan =>
  once(`unseal ${count}`, () => addUnsealing(secretsOfIdentity(), count));

function addUnsealing(scan: SecretScan, count: number): SecretScan {
  for (const steps of received.slice(0, count)) {
    scan.add('DH(e, R)', steps.ephemeralSecret);
    scan.add(STATIC_SECRET, steps.staticSecret);
    const salt = concatBytes(SALT_PREFIX, sender.publicKey, steps.ephemeralPublicKey);
    const chainKey = addLayer(scan, 'first', salt, steps.ephemeralSecret, count === 1);
    addLayer(
      scan,
      'second',
      concatBytes(chainKey, steps.encryptedStatic),
      steps.staticSecret,
      count === 1,
    );
  }
  return scan;
}

function contentScan(count: number): SecretScan {
  const scan = new SecretScan();
  contents.slice(0, count).forEach((content) => scan.add('content', content));
  return scan;
}

function secretsOfIdentity(): SecretScan {
  const scan = new SecretScan();
  scan.addScalar(OWN_KEY, sender.privateKey);
  scan.addMacKey(OWN_KEY, sender.privateKey);
  return scan;
}

/**
 * What the memory may hold while it lives: the key where it belongs, and shared secrets in the
 * slots.
 */
function mayStay({ plan }: ChunkHost): (name: string, at: number) => boolean {
  const ownKey = CONTROL_PTR + CONTROL_PRIVATE_KEY_OFFSET;
  const slotsEnd = plan.slotsPtr + plan.slotCount * SLOT_BYTES;
  return (name, at) =>
    // The middle of a scalar is the same when it is clamped.
    (name.startsWith(OWN_KEY) && at >= ownKey && at < ownKey + KEY_BYTES) ||
    (name === STATIC_SECRET && at >= plan.slotsPtr && at < slotsEnd);
}

const kinds = ['debug', 'inner'] as const;
const builds = kernelBuilds.flatMap((build) =>
  kinds.map((kind) => ({ build, kind, title: `${build.file}, ${kind}` })),
);

describe.each(builds)('a chunk in $title', ({ build, kind }) => {
  const makeHost = (): ChunkHost => new ChunkHost(build, sender, 8, ENTRY_COUNT, kind);

  /**
   * `count` entries with tables, with tables to be built and without; every other one has a slot.
   */
  function laySealing(host: ChunkHost, count: number): void {
    for (let i = 0; i < count; i++) {
      host.arena.addContent(keyOf(i), cyclic(contents, i));
      layTables(host, i);
    }
    host.layRandomness(concatBytes(...randomness.slice(0, count)));
  }
  function layTables(host: ChunkHost, i: number): void {
    if (i % 2 === 0) host.slots.assign(i / 2, keyOf(i));
    const state = cyclic(TABLES, i);
    if (state === TABLES_READY) host.buildTables(keyOf(i), i);
    if (state !== TABLES_NONE) host.arena.setTables(i, host.tablesPtr(i), state);
  }

  function layUnsealing(host: ChunkHost, count: number): void {
    received.slice(0, count).forEach(({ envelope }, i) => {
      host.arena.addEnvelope(parseV1Envelope(envelope)!);
      if (i % 2 === 0) host.slots.assign(i / 2, keyOf(i));
    });
  }
  function layPreparing(host: ChunkHost, count: number): void {
    for (let i = 0; i < count; i++) {
      host.arena.addKey(keyOf(i));
      layTables(host, i);
    }
  }
  /** Stops the kernel at entry `i`, by an address of its record that leads nowhere. */
  function stopAt(
    host: ChunkHost,
    run: 'sealV1' | 'unsealV1' | 'prepareSlots',
    i: number,
    offset: number,
  ): void {
    const view = new DataView(host.kernel.memory.buffer);
    view.setUint32(host.arenaPtr + RECORDS_OFFSET + i * RECORD_BYTES + offset, BEYOND_MEMORY, true);
    expect(() => host.kernel.exports[run](host.arenaPtr)).toThrow(WebAssembly.RuntimeError);
  }

  function expectWiped(host: ChunkHost, scan: SecretScan): void {
    expect(scan.find(host.kernel.memory, mayStay(host))).toEqual([]);
    const work = host.kernel.read(host.arenaPtr + ENTRIES_OFFSET, PAYLOAD_OFFSET - ENTRIES_OFFSET);
    expect(work.every((byte) => byte === 0)).toBe(true);
  }
  /**
   * The host's wipe, when it has read what it wants. What a kernel that came to its end has wiped
   * it leaves alone.
   */
  function expectArenaWiped(host: ChunkHost, scan: SecretScan, unfinished = false): void {
    host.arena.wipe(unfinished);
    expect(host.kernel.read(host.arenaPtr, ARENA_BYTES).every((byte) => byte === 0)).toBe(true);
    expect(scan.find(host.kernel.memory, mayStay(host))).toEqual([]);
  }

  it.each([1, 2, ENTRY_COUNT])(
    'of %i entries leaves no secret of its sealing but those in slots',
    (count) => {
      const host = makeHost();
      laySealing(host, count);
      const scan = secretsOfSealing(count);
      host.kernel.exports.sealV1(host.arenaPtr);
      expect(host.statuses()).toEqual(new Array(count).fill(STATUS_OK));
      for (let i = 0; i < count; i++) {
        const opened = unsealV1(cyclic(recipients, i), host.arena.envelope(i));
        expect(toHex(opened.content)).toBe(toHex(cyclic(contents, i)));
      }
      expectWiped(host, scan);
      expect(toHex(host.secretOf(keyOf(0))!)).toBe(toHex(x25519(sender.privateKey, keyOf(0))));
      host.kernel.write(host.secretPtr, new Uint8Array(32));
      expectArenaWiped(host, scan);
    },
  );

  it('leaves none of a sealing whose entries failed, nor the content once the host has wiped it', () => {
    const host = makeHost();
    const lowOrder = new Uint8Array(32);
    contents.slice(0, 3).forEach((content) => host.arena.addContent(lowOrder, content));
    host.arena.setTables(1, host.tablesPtr(1), TABLES_WANTED);
    host.layRandomness(concatBytes(...randomness.slice(0, 3)));
    const scan = secretsOfIdentity();
    randomness.slice(0, 3).forEach((bytes, i) => {
      scan.add('random bytes', bytes);
      scan.addScalar('scalar', hedgedScalar(sender, bytes, lowOrder, host.counter + BigInt(i)));
    });
    host.kernel.exports.sealV1(host.arenaPtr);
    expect(host.statuses()).toEqual(new Array(3).fill(STATUS_LOW_ORDER_KEY));
    expectWiped(host, scan);
    expect(contentScan(3).find(host.kernel.memory)).toEqual(['content']);
    expectArenaWiped(host, scan);
    expect(contentScan(3).find(host.kernel.memory)).toEqual([]);
  });

  it('leaves none of a sealing that was given no randomness', () => {
    const host = makeHost();
    laySealing(host, 3);
    host.layRandomness(new Uint8Array(96));
    host.kernel.exports.sealV1(host.arenaPtr);
    expect(host.statuses()).toEqual(new Array(3).fill(STATUS_NO_RANDOMNESS));
    expectWiped(host, secretsOfIdentity());
    expectArenaWiped(host, secretsOfIdentity());
  });

  it.each([1, ENTRY_COUNT])(
    'of %i envelopes leaves no secret of its unsealing but those in slots',
    (count) => {
      const host = makeHost();
      layUnsealing(host, count);
      const scan = secretsOfUnsealing(count);
      host.kernel.exports.unsealV1(host.arenaPtr);
      expect(host.statuses()).toEqual(new Array(count).fill(STATUS_OK));
      expectWiped(host, scan);
      expect(contentScan(count).find(host.kernel.memory)).toEqual(['content']);
      expectArenaWiped(host, scan);
      expect(contentScan(count).find(host.kernel.memory)).toEqual([]);
    },
  );

  it('leaves no secret of its preparing but those in slots', () => {
    const host = makeHost();
    const scan = secretsOfIdentity();
    layPreparing(host, ENTRY_COUNT);
    for (let i = 0; i < ENTRY_COUNT; i++)
      scan.add(STATIC_SECRET, x25519(sender.privateKey, keyOf(i)));
    host.kernel.exports.prepareSlots(host.arenaPtr);
    expect(host.statuses()).toEqual(new Array(ENTRY_COUNT).fill(STATUS_OK));
    expectWiped(host, scan);
    expect(scan.find(host.kernel.memory, (name) => name.startsWith(OWN_KEY))).toEqual([
      STATIC_SECRET,
    ]);
    expectArenaWiped(host, scan);
  });

  it('that is stopped half-way is full of secrets, and nothing of them is left once the host has wiped it', () => {
    const found = new Set<string>();
    const stop = (
      scan: SecretScan,
      host: ChunkHost,
      ...where: [Parameters<typeof stopAt>[1], number, number]
    ): void => {
      stopAt(host, ...where);
      for (const name of scan.find(host.kernel.memory, mayStay(host))) found.add(name);
      expectArenaWiped(host, scan, true);
    };
    for (const count of [1, ENTRY_COUNT]) {
      for (const offset of [RECORD_TABLES_PTR_OFFSET, RECORD_ENVELOPE_PTR_OFFSET]) {
        const host = makeHost();
        laySealing(host, count);
        // Entry 0 is one that has tables.
        const index = offset === RECORD_TABLES_PTR_OFFSET ? 0 : count - 1;
        stop(secretsOfSealing(count), host, 'sealV1', index, offset);
      }
      const unsealing = makeHost();
      layUnsealing(unsealing, count);
      stop(secretsOfUnsealing(count), unsealing, 'unsealV1', count - 1, RECORD_MESSAGE_PTR_OFFSET);
      const preparing = makeHost();
      layPreparing(preparing, count);
      stop(secretsOfIdentity(), preparing, 'prepareSlots', 0, RECORD_TABLES_PTR_OFFSET);
    }
    expect([...found]).toEqual(expect.arrayContaining([...SEEN_WHEN_STOPPED]));
  });
});
