import { describe, expect, it } from 'vitest';
import {
  ENTRIES_OFFSET,
  PAYLOAD_OFFSET,
  RECIPIENT_TABLES_BYTES,
  STATUS_LOW_ORDER_KEY,
  STATUS_NO_RANDOMNESS,
  STATUS_OK,
  TABLES_NONE,
  TABLES_READY,
  TABLES_WANTED,
} from '#dist/assembly/abi.js';
import { concatBytes, fromHex, toHex, type Bytes } from '../reference/bytes.js';
import { encodePublicKey, sealV1, unsealV1 } from '../reference/envelope-v1.js';
import { x25519 } from '../reference/x25519.js';
import { ChunkHost, hedgedScalar } from '../harness/chunk-host.js';
import { drawTwistU, keyOfU } from '../harness/edwards.js';
import { kernelBuilds } from '../harness/kernel-builds.js';
import { cyclic, openWithLibsignal } from '../harness/opening.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import { createWorld, keyPairBytes, usmcOfSize } from '../harness/signal-fixtures.js';
import { x25519Points } from '../vectors/index.js';

// Whole chunks whose records have tables, want some, or have none, in all mixtures.

const MOST_ENTRIES = 33;
const FULL_CHUNK = 256;
/** Two places more than records: nobody's. */
const PLACES = MOST_ENTRIES + 2;

const world = createWorld(FULL_CHUNK);
const sender = keyPairBytes(world.sender);
const random = seededBytes('chunk tables');
const twistKeys = Array.from({ length: 4 }, () => keyOfU(drawTwistU(random)));
const lowOrderKeys = x25519Points.lowOrder.map(({ point }) => fromHex(point));
const contents = Array.from({ length: 7 }, (_, i) =>
  usmcOfSize(world.senderCertificate, 380 + 5 * i, random).serialize(),
);
const curveKey = (i: number): Uint8Array =>
  keyPairBytes(cyclic(world.recipients, i).identity).publicKey.subarray(1);

/** What a record is laid with, and what is to become of it. */
interface Kind {
  readonly name: string;
  readonly key: (i: number) => Uint8Array;
  readonly tables: number;
  readonly status: number;
  readonly tablesAfter: number;
}
const kind = (
  name: string,
  key: (i: number) => Uint8Array,
  [tables, tablesAfter]: readonly [number, number],
  status: number = STATUS_OK,
): Kind => ({ name, key, tables, status, tablesAfter });

const twistKey = (i: number): Uint8Array => cyclic(twistKeys, i);
const lowOrderKey = (i: number): Uint8Array => cyclic(lowOrderKeys, i);
const KINDS: readonly Kind[] = [
  kind('ready', curveKey, [TABLES_READY, TABLES_READY]),
  kind('wanted', curveKey, [TABLES_WANTED, TABLES_READY]),
  kind('none', curveKey, [TABLES_NONE, TABLES_NONE]),
  kind('twist, wanted', twistKey, [TABLES_WANTED, TABLES_NONE]),
  kind('twist, none', twistKey, [TABLES_NONE, TABLES_NONE]),
  kind('low order, wanted', lowOrderKey, [TABLES_WANTED, TABLES_NONE], STATUS_LOW_ORDER_KEY),
  kind('low order, none', lowOrderKey, [TABLES_NONE, TABLES_NONE], STATUS_LOW_ORDER_KEY),
];
// No random bytes: only the rarest of faults in a host could do that; the record then ends as it
// began.
const BARE_KINDS: readonly Kind[] = [
  kind('ready, no randomness', curveKey, [TABLES_READY, TABLES_READY], STATUS_NO_RANDOMNESS),
  kind('wanted, no randomness', curveKey, [TABLES_WANTED, TABLES_WANTED], STATUS_NO_RANDOMNESS),
  kind('none, no randomness', curveKey, [TABLES_NONE, TABLES_NONE], STATUS_NO_RANDOMNESS),
];

/** A mixture of kinds. Wanted ones come twice as often: they are built two at a time. */
function draw(count: number, kinds: readonly Kind[]): Kind[] {
  return Array.from({ length: count }, () => {
    const pick = seededInteger(random, kinds.length + 1);
    return cyclic(kinds, pick === kinds.length ? 1 : pick);
  });
}

/** Places of the records' tables, in an order of their own. */
const placeOf = (i: number): number => (i * 13 + 5) % PLACES;

describe.each(kernelBuilds)('a chunk with tables in the debug build of $file', (build) => {
  /** What fresh tables of these keys are: built by themselves, in clean places. */
  const reference = new ChunkHost(build, sender, 4, 1);
  function freshTables(key: Uint8Array): Bytes {
    reference.kernel.write(reference.tablesPtr(0), new Uint8Array(RECIPIENT_TABLES_BYTES));
    reference.buildTables(key, 0);
    return reference.tablesBytes(0);
  }

  /**
   * A host with records of these kinds, each with a place of its own; places that nobody gets hold
   * random bytes.
   */
  function lay(kinds: readonly Kind[], add: (host: ChunkHost, i: number) => boolean): ChunkHost {
    const host = new ChunkHost(build, sender, 64, PLACES);
    for (let place = 0; place < PLACES; place++)
      host.kernel.write(host.tablesPtr(place), random(RECIPIENT_TABLES_BYTES));
    kinds.forEach(({ key, tables }, i) => {
      expect(add(host, i)).toBe(true);
      if (i % 3 === 0) host.slots.assign(i, key(i));
      if (tables === TABLES_READY) host.buildTables(key(i), placeOf(i));
      // Words that a table does not use stay as they are.
      else if (tables === TABLES_WANTED) {
        host.kernel.write(host.tablesPtr(placeOf(i)), new Uint8Array(RECIPIENT_TABLES_BYTES));
      }
      if (tables !== TABLES_NONE) host.arena.setTables(i, host.tablesPtr(placeOf(i)), tables);
    });
    return host;
  }

  const allTables = (host: ChunkHost): Bytes[] =>
    Array.from({ length: PLACES }, (_, place) => host.tablesBytes(place));

  function expectWiped({ kernel, arenaPtr }: ChunkHost): void {
    const work = kernel.read(arenaPtr + ENTRIES_OFFSET, PAYLOAD_OFFSET - ENTRIES_OFFSET);
    expect(work.every((byte) => byte === 0)).toBe(true);
  }

  /**
   * Tables that were wanted are their key's, nobody else's place was touched, and no scratch is
   * left.
   */
  function expectTables(host: ChunkHost, kinds: readonly Kind[], before: readonly Bytes[]): void {
    expect(host.tablesStates()).toEqual(kinds.map(({ tablesAfter }) => tablesAfter));
    expectWiped(host);
    const attempted = new Set<number>();
    kinds.forEach(({ name, key, tables, tablesAfter }, i) => {
      if (tables !== TABLES_WANTED || tablesAfter === TABLES_WANTED) return;
      attempted.add(placeOf(i));
      if (tablesAfter !== TABLES_READY) return;
      const built = host.tablesBytes(placeOf(i));
      expect(Buffer.compare(built, freshTables(key(i))), `${name}, entry ${i}`).toBe(0);
    });
    before.forEach((bytes, place) => {
      if (attempted.has(place)) return;
      expect(Buffer.compare(host.tablesBytes(place), bytes), `place ${place}`).toBe(0);
    });
  }

  async function expectEnvelope(
    host: ChunkHost,
    i: number,
    key: Uint8Array,
    scalar: Uint8Array,
  ): Promise<void> {
    const envelope = host.arena.envelope(i);
    const content = cyclic(contents, i);
    if (Buffer.compare(key, curveKey(i)) === 0) {
      const opened = await openWithLibsignal(cyclic(world.recipients, i), { ok: true, envelope });
      expect(toHex(opened)).toBe(toHex(content));
    } else {
      // Nobody owns a key on the twist; libsignal would seal to it all the same.
      expect(toHex(envelope)).toBe(toHex(sealV1(sender, encodePublicKey(key), scalar, content)));
    }
  }

  it(`seals every mixture of 1 to ${MOST_ENTRIES} records, by tables or not, and builds what is wanted`, async () => {
    for (let count = 1; count <= MOST_ENTRIES; count++) {
      const kinds = draw(count, count % 4 === 0 ? [...KINDS, ...BARE_KINDS] : KINDS);
      const host = lay(kinds, (to, i) =>
        to.arena.addContent(kinds[i]!.key(i), cyclic(contents, i)),
      );
      const before = allTables(host);
      const randomness = kinds.map(({ status }) =>
        status === STATUS_NO_RANDOMNESS ? new Uint8Array(32) : random(32),
      );
      host.layRandomness(concatBytes(...randomness));
      let { counter } = host;
      host.kernel.exports.sealV1(host.arenaPtr);
      const name = `${count} records: ${kinds.map((each) => each.name).join('; ')}`;
      expect(host.statuses(), name).toEqual(kinds.map(({ status }) => status));
      expectTables(host, kinds, before);
      for (const [i, { key, status }] of kinds.entries()) {
        if (status === STATUS_NO_RANDOMNESS) continue;
        const scalar = hedgedScalar(sender, randomness[i]!, key(i), counter++);
        if (status === STATUS_OK) await expectEnvelope(host, i, key(i), scalar);
      }
    }
  });

  it('prepares every mixture of records: tables that are wanted, and DH(S, R) of all into their slots', () => {
    for (let count = 1; count <= MOST_ENTRIES; count += 2) {
      const kinds = draw(count, KINDS);
      const host = lay(kinds, (to, i) => to.arena.addKey(kinds[i]!.key(i)));
      const before = allTables(host);
      host.kernel.exports.prepareSlots(host.arenaPtr);
      expect(host.statuses()).toEqual(kinds.map(({ status }) => status));
      expectTables(host, kinds, before);
      kinds.forEach(({ name, key, status }, i) => {
        if (i % 3 !== 0) return;
        const secret = host.secretOf(key(i));
        if (status === STATUS_LOW_ORDER_KEY) expect(secret, name).toBeNull();
        else
          expect(toHex(secret!), `${name}, entry ${i} of ${count}`).toBe(
            toHex(x25519(sender.privateKey, key(i))),
          );
      });
    }
  });

  it('builds nothing where no record was left to work on', () => {
    const kinds = [BARE_KINDS[1]!, BARE_KINDS[1]!, BARE_KINDS[0]!];
    const host = lay(kinds, (to, i) => to.arena.addContent(curveKey(i), cyclic(contents, i)));
    const before = allTables(host);
    host.kernel.exports.sealV1(host.arenaPtr);
    expect(host.statuses()).toEqual(kinds.map(() => STATUS_NO_RANDOMNESS));
    expectTables(host, kinds, before);
  });

  it('never builds what is ready, even where it is not what it would build', () => {
    const host = new ChunkHost(build, sender, 4, 3);
    for (const [i, place] of [2, 0, 1].entries()) {
      host.buildTables(curveKey(i + 1), place);
      host.arena.addContent(curveKey(i), cyclic(contents, i));
      host.arena.setTables(i, host.tablesPtr(place), TABLES_READY);
    }
    const before = [0, 1, 2].map((place) => toHex(host.tablesBytes(place)));
    host.layRandomness(random(96));
    host.kernel.exports.sealV1(host.arenaPtr);
    expect([0, 1, 2].map((place) => toHex(host.tablesBytes(place)))).toEqual(before);
    // The envelopes are for nobody; that is the host's fault, who lent tables of other keys.
    expect(host.statuses()).toEqual([STATUS_OK, STATUS_OK, STATUS_OK]);
    const recipient = keyPairBytes(cyclic(world.recipients, 0).identity);
    expect(() => unsealV1(recipient, host.arena.envelope(0))).toThrow('MAC');
  });

  it('lets several records of one recipient use one set of tables, built ahead or within the chunk', async () => {
    const host = new ChunkHost(build, sender, 4, 2);
    host.buildTables(curveKey(0), 0);
    const ownerOf = [0, 1, 0, 0, 1, 0, 1];
    ownerOf.forEach((owner, i) => {
      host.arena.addContent(curveKey(owner), cyclic(contents, i));
      // Of recipient 1 the first record builds the tables; his others go without, as the host has
      // it.
      const state = owner === 0 ? TABLES_READY : i === 1 ? TABLES_WANTED : TABLES_NONE;
      if (state !== TABLES_NONE) host.arena.setTables(i, host.tablesPtr(owner), state);
    });
    for (const round of [0, 1]) {
      host.layRandomness(random(32 * ownerOf.length));
      host.kernel.exports.sealV1(host.arenaPtr);
      for (const [i, owner] of ownerOf.entries()) {
        const result = { ok: true, envelope: host.arena.envelope(i) } as const;
        const opened = await openWithLibsignal(cyclic(world.recipients, owner), result);
        expect(toHex(opened), `round ${round}, entry ${i}`).toBe(toHex(cyclic(contents, i)));
      }
      // The next round has tables for all of them.
      host.arena.wipe();
      ownerOf.forEach((owner, i) => {
        host.arena.addContent(curveKey(owner), cyclic(contents, i));
        host.arena.setTables(i, host.tablesPtr(owner), TABLES_READY);
      });
    }
  });

  it('of 256 records builds 256 tables at once, and seals by all of them', async () => {
    const host = new ChunkHost(build, sender, FULL_CHUNK, FULL_CHUNK);
    const keys = Array.from({ length: FULL_CHUNK }, (_, i) => curveKey(i));
    keys.forEach((key, i) => {
      host.arena.addKey(key);
      host.arena.setTables(i, host.tablesPtr(i), TABLES_WANTED);
    });
    host.kernel.exports.prepareSlots(host.arenaPtr);
    expect(new Set(host.statuses())).toEqual(new Set([STATUS_OK]));
    expect(new Set(host.tablesStates())).toEqual(new Set([TABLES_READY]));
    expectWiped(host);
    host.arena.wipe();
    keys.forEach((key, i) => {
      host.arena.addContent(key, cyclic(contents, i));
      host.arena.setTables(i, host.tablesPtr(i), TABLES_READY);
    });
    host.layRandomness(random(32 * FULL_CHUNK));
    host.kernel.exports.sealV1(host.arenaPtr);
    expectWiped(host);
    for (let i = 0; i < FULL_CHUNK; i++) {
      const result = { ok: true, envelope: host.arena.envelope(i) } as const;
      const opened = await openWithLibsignal(cyclic(world.recipients, i), result);
      expect(toHex(opened), `entry ${i}`).toBe(toHex(cyclic(contents, i)));
    }
  });
});
