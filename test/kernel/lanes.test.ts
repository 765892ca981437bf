import { createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { byteAt, toHex } from '../reference/bytes.js';
import { debugKernels } from '../harness/debug-kernel.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';

const kernels = debugKernels();
const [LANES, KEYS, OUTS, SCRATCH, MESSAGES] = [
  0x20000, 0x20100, 0x20400, 0x21000, 0x28000,
] as const;
const FOUR = [0, 1, 2, 3] as const;
/** Room of one lane's message. */
const MESSAGE_STRIDE = 0x40000;

describe.each(kernels)('hmacX4 ($title)', (kernel) => {
  const { exports } = kernel;
  const random = seededBytes('hmacX4');
  const equalLengths = [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 600, 1000].map((bytes) => [
    bytes,
    bytes,
    bytes,
    bytes,
  ]);
  // Lanes that end at different blocks: three early, one early, pairs, all different, and in every
  // order of some.
  const mixedLengths = [
    [0, 64, 128, 192],
    [192, 128, 64, 0],
    [0, 0, 0, 5000],
    [5000, 0, 0, 0],
    [5000, 5000, 5000, 0],
    [600, 600, 5000, 5000],
    [55, 56, 56, 55],
    [0, 700, 98_304, 31],
    ...Array.from({ length: 40 }, () => FOUR.map(() => seededInteger(random, 700))),
  ];

  it.each([...equalLengths, ...mixedLengths].map((lengths) => ({ lengths })))(
    'agrees with OpenSSL, lane by lane, on messages of $lengths bytes',
    ({ lengths }) => {
      const lanes = lengths.map((bytes) => ({ key: random(32), message: random(bytes) }));
      lanes.forEach(({ key, message }, lane) => {
        kernel.write(KEYS + 32 * lane, key);
        kernel.write(MESSAGES + MESSAGE_STRIDE * lane, message);
        exports.setLane(
          LANES,
          lane,
          KEYS + 32 * lane,
          MESSAGES + MESSAGE_STRIDE * lane,
          message.length,
          OUTS + 32 * lane,
        );
      });
      exports.hmacX4(LANES, SCRATCH);
      lanes.forEach(({ key, message }, lane) => {
        const expected = createHmac('sha256', key).update(message).digest('hex');
        expect(toHex(kernel.read(OUTS + 32 * lane, 32)), `lane ${lane}`).toBe(expected);
      });
    },
  );
});

describe.each(kernels)('hmacMessagesX4 ($title)', (kernel) => {
  const { exports } = kernel;
  it('takes message after message under keys that were taken in once', () => {
    const random = seededBytes('hmacMessagesX4');
    const keys = FOUR.map(() => random(32));
    keys.forEach((key, lane) => {
      kernel.write(KEYS + 32 * lane, key);
      exports.setLane(LANES, lane, KEYS + 32 * lane, 0, 0, 0);
    });
    exports.hmacKeysX4(LANES, SCRATCH);
    for (const bytes of [112, 0, 33, 600]) {
      const messages = FOUR.map((lane) => random(bytes + lane * seededInteger(random, 200)));
      messages.forEach((message, lane) => {
        kernel.write(MESSAGES + MESSAGE_STRIDE * lane, message);
        // The key's address is not looked at again.
        exports.setLane(
          LANES,
          lane,
          0,
          MESSAGES + MESSAGE_STRIDE * lane,
          message.length,
          OUTS + 32 * lane,
        );
      });
      exports.hmacMessagesX4(LANES, SCRATCH);
      messages.forEach((message, lane) => {
        const expected = createHmac('sha256', keys[lane] ?? '')
          .update(message)
          .digest('hex');
        expect(toHex(kernel.read(OUTS + 32 * lane, 32)), `lane ${lane}`).toBe(expected);
      });
    }
  });
});

describe.each(kernels)('hkdf96X4 ($title)', (kernel) => {
  const { exports } = kernel;
  it.each([65, 75, 86, 100, 118, 119])(
    'agrees with OpenSSL, lane by lane, on salts of %i bytes',
    (saltBytes) => {
      const random = seededBytes(`hkdf96X4 ${saltBytes}`);
      const lanes = FOUR.map(() => ({ salt: random(saltBytes), ikm: random(32) }));
      lanes.forEach(({ salt, ikm }, lane) => {
        const message = MESSAGES + MESSAGE_STRIDE * lane;
        kernel.write(KEYS + 128 * lane, salt);
        kernel.write(message, ikm);
        exports.setLane(LANES, lane, KEYS + 128 * lane, message, 32, OUTS + 96 * lane);
      });
      exports.hkdf96X4(LANES, saltBytes, SCRATCH);
      lanes.forEach(({ salt, ikm }, lane) => {
        const expected = new Uint8Array(hkdfSync('sha256', ikm, salt, '', 96));
        expect(toHex(kernel.read(OUTS + 96 * lane, 96)), `lane ${lane}`).toBe(toHex(expected));
      });
    },
  );

  it.each([64, 120])(
    'traps in the debug build on a salt of %i bytes, which it is not made for',
    (saltBytes) => {
      expect(() => exports.hkdf96X4(LANES, saltBytes, SCRATCH)).toThrow(WebAssembly.RuntimeError);
    },
  );
});

describe.each(kernels)('macsEqual ($title)', (kernel) => {
  const { exports } = kernel;
  it('tells every one-bit difference in ten bytes, and looks at no others', () => {
    const mac = seededBytes('mac')(11);
    kernel.write(KEYS, mac);
    kernel.write(OUTS, mac);
    expect(exports.macsEqual(KEYS, OUTS)).toBe(1);
    for (let bit = 0; bit < 88; bit++) {
      const other = Uint8Array.from(mac);
      other[bit >> 3] = byteAt(other, bit >> 3) ^ (1 << (bit & 7));
      kernel.write(OUTS, other);
      expect(exports.macsEqual(KEYS, OUTS)).toBe(bit < 80 ? 0 : 1);
    }
  });
});
