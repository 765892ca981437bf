// Hashes and cipher: one message at a time, or four lanes of them, and who else can do it.
import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { ctr } from '@noble/ciphers/aes.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { Bytes } from '../../test/reference/bytes.js';
import { seededBytes } from '../../test/harness/seeded-random.js';
import { cycling, type Subject } from '../measure/subject.js';
import { entry } from '../peers/peer.js';
import { loadRust, type RustPrimitives } from '../peers/rust.js';
import { AT, LANE_STRIDE, MESSAGE_STRIDE, type InnerKernel } from './inner-kernel.js';
import type { KernelOperation } from './operation.js';
import type { Call } from './repeat-calls.js';

const FOUR = [0, 1, 2, 3] as const;
const DIGEST_BYTES = 32;
const BLOCK_BYTES = 64;
const MESSAGE_BYTES = 600;
/** The first salt of an envelope: a label of 20 bytes and two public keys. */
const SALT_BYTES = 86;
const DERIVED_BYTES = 96;
const CIPHER_BYTES = [33, MESSAGE_BYTES, 16_384] as const;
/** As many as the kernel encrypts at once, each under its own key. */
const TEXT_COUNT = 32;
const NOTHING = new Uint8Array(0);
const ZERO_COUNTER_BLOCK = new Uint8Array(16);

/** Messages with their keys: several lanes take all of them, everything else the first. */
interface Lanes {
  readonly messages: readonly Bytes[];
  readonly keys: readonly Bytes[];
}

export function symmetricOperations(): KernelOperation[] {
  const random = seededBytes('bench/kernel');
  const make = (messageBytes: number, keyBytes: number, count: number = FOUR.length): Lanes => ({
    messages: Array.from({ length: count }, () => random(messageBytes)),
    keys: Array.from({ length: count }, () => random(keyBytes)),
  });
  return [
    hashOperation(make(MESSAGE_BYTES, 0)),
    hmacOperation(make(MESSAGE_BYTES, 32)),
    hkdfOperation(make(32, SALT_BYTES)),
    ...CIPHER_BYTES.map((bytes) => cipherOperation(make(bytes, 32, TEXT_COUNT))),
  ];
}

function hashOperation(lanes: Lanes): KernelOperation {
  const message = entry(lanes.messages, 0);
  return {
    name: `SHA-256 of ${message.length} bytes`,
    bytes: message.length,
    ofKernel: (kernel) => [
      kernelSubject(kernel, lanes, DIGEST_BYTES, 1, [
        { name: 'sha256', args: [AT.outs, AT.messages, message.length, AT.scratch] },
      ]),
      fourLaneHash(kernel, lanes),
    ],
    peers: [
      peer('node:crypto createHash', () => createHash('sha256').update(message).digest()),
      peer('@noble/hashes', () => sha256(message)),
      ...rustPeer('Rust (sha2)', (rust) => rust.sha256(message)),
    ],
  };
}

/**
 * The kernel has SHA-256 in four lanes only inside of HMAC and HKDF: here it is block after block.
 */
function fourLaneHash(kernel: InnerKernel, lanes: Lanes): Subject {
  const padded = lanes.messages.map(padMessage);
  const blockCount = entry(padded, 0).length / BLOCK_BYTES;
  const calls: Call[] = [{ name: 'initializeX4', args: [AT.state] }];
  for (let block = 0; block < blockCount; block++) {
    const blocks = FOUR.map((lane) => AT.messages + MESSAGE_STRIDE * lane + BLOCK_BYTES * block);
    calls.push({ name: 'loadBlockX4', args: [AT.scratch, ...blocks] });
    calls.push({ name: 'compressX4', args: [AT.state, AT.scratch] });
  }
  calls.push({
    name: 'storeDigestX4',
    args: [AT.state, ...FOUR.map((lane) => AT.outs + LANE_STRIDE * lane)],
  });
  return fourLanes(kernel, { ...lanes, messages: padded }, DIGEST_BYTES, calls);
}

/** FIPS 180-4, section 5.1.1. */
function padMessage(message: Uint8Array): Bytes {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / BLOCK_BYTES) * BLOCK_BYTES);
  padded.set(message);
  padded[message.length] = 0x80;
  new DataView(padded.buffer).setUint32(padded.length - 4, message.length * 8);
  return padded;
}

function hmacOperation(lanes: Lanes): KernelOperation {
  const message = entry(lanes.messages, 0);
  const key = entry(lanes.keys, 0);
  const pads = AT.state;
  return {
    name: `HMAC-SHA256 of ${message.length} bytes`,
    bytes: message.length,
    ofKernel: (kernel) => [
      kernelSubject(kernel, lanes, DIGEST_BYTES, 1, [
        {
          name: 'hmac',
          args: [AT.outs, AT.keys, key.length, AT.messages, message.length, pads, AT.scratch],
        },
      ]),
      fourLanes(kernel, lanes, DIGEST_BYTES, [{ name: 'hmacX4', args: [AT.lanes, AT.scratch] }]),
    ],
    peers: [
      peer('node:crypto createHmac', () => createHmac('sha256', key).update(message).digest()),
      peer('@noble/hashes', () => hmac(sha256, key, message)),
    ],
  };
}

function hkdfOperation(lanes: Lanes): KernelOperation {
  const ikm = entry(lanes.messages, 0);
  const salt = entry(lanes.keys, 0);
  const inputs = [AT.keys, salt.length, AT.messages, ikm.length, AT.messages, 0];
  return {
    name: `HKDF-SHA256 to ${DERIVED_BYTES} bytes`,
    ofKernel: (kernel) => [
      kernelSubject(kernel, lanes, DERIVED_BYTES, 1, [
        { name: 'hkdf', args: [AT.outs, DERIVED_BYTES, ...inputs, AT.scratch] },
      ]),
      fourLanes(kernel, lanes, DERIVED_BYTES, [
        { name: 'hkdf96X4', args: [AT.lanes, salt.length, AT.scratch] },
      ]),
    ],
    peers: [
      peer(
        'node:crypto hkdfSync',
        () => new Uint8Array(hkdfSync('sha256', ikm, salt, NOTHING, DERIVED_BYTES)),
      ),
      peer('@noble/hashes', () => hkdf(sha256, ikm, salt, NOTHING, DERIVED_BYTES)),
    ],
  };
}

function cipherOperation(lanes: Lanes): KernelOperation {
  const data = entry(lanes.messages, 0);
  const key = entry(lanes.keys, 0);
  return {
    name: `AES-256-CTR of ${data.length.toLocaleString('en-US')} bytes, new key`,
    bytes: data.length,
    ofKernel: (kernel) => [cipherSubject(kernel, key, data), textsSubject(kernel, lanes)],
    peers: [
      peer('node:crypto createCipheriv', () =>
        createCipheriv('aes-256-ctr', key, ZERO_COUNTER_BLOCK).update(data),
      ),
      peer('@noble/ciphers', () => ctr(key, ZERO_COUNTER_BLOCK).encrypt(data)),
      ...rustPeer('Rust (aes, ctr)', (rust) => rust.aes256Ctr(key, ZERO_COUNTER_BLOCK, data)),
    ],
  };
}

function cipherSubject(kernel: InnerKernel, key: Uint8Array, data: Uint8Array): Subject {
  const repeat = kernel.repeat([
    { name: 'aes256Ctr', args: [AT.outs, data.length, AT.keys, AT.state, AT.scratch] },
  ]);
  // It works in place: every turn encrypts what the one before left, which takes as long.
  const run = (turns: number): void => {
    kernel.write(AT.keys, key);
    kernel.write(AT.state, ZERO_COUNTER_BLOCK);
    kernel.write(AT.outs, data);
    repeat(turns);
  };
  return {
    name: kernel.name,
    operationsPerTurn: 1,
    run,
    result() {
      run(1);
      return kernel.read(AT.outs, data.length);
    },
  };
}

/**
 * The way of the envelopes: schedules of all keys made together, blocks of all texts encrypted
 * together.
 */
function textsSubject(kernel: InnerKernel, { messages, keys }: Lanes): Subject {
  const keyAt = (text: number): number => AT.keys + LANE_STRIDE * text;
  const textAt = (text: number): number => AT.texts + MESSAGE_STRIDE * text;
  const calls: Call[] = [
    // Every batch uses its list up.
    ...messages.map((message, text) => ({
      name: 'setText',
      args: [AT.lanes, text, keyAt(text), textAt(text), message.length],
    })),
    { name: 'ctrBatch', args: [AT.lanes, messages.length, AT.state, AT.scratch] },
  ];
  const lay = (): void => {
    kernel.write(AT.state, ZERO_COUNTER_BLOCK);
    for (const [text, message] of messages.entries()) {
      kernel.write(keyAt(text), entry(keys, text));
      kernel.write(textAt(text), message);
    }
  };
  lay();
  const repeat = kernel.repeat(calls);
  return {
    name: `${kernel.name}, ${TEXT_COUNT} texts`,
    operationsPerTurn: TEXT_COUNT,
    run: repeat,
    result() {
      lay();
      repeat(1);
      return kernel.read(AT.texts, entry(messages, 0).length);
    },
  };
}

function fourLanes(
  kernel: InnerKernel,
  lanes: Lanes,
  outBytes: number,
  calls: readonly Call[],
): Subject {
  return kernelSubject(kernel, lanes, outBytes, FOUR.length, calls);
}

/** Calls on `laneCount` lanes; the result is that of the first. */
function kernelSubject(
  kernel: InnerKernel,
  { messages, keys }: Lanes,
  outBytes: number,
  laneCount: 1 | 4,
  calls: readonly Call[],
): Subject {
  const repeat = kernel.repeat(calls);
  const run = (turns: number): void => {
    for (const lane of FOUR) {
      const keyAt = AT.keys + LANE_STRIDE * lane;
      const messageAt = AT.messages + MESSAGE_STRIDE * lane;
      const message = entry(messages, lane);
      kernel.write(keyAt, entry(keys, lane));
      kernel.write(messageAt, message);
      kernel.call(
        'setLane',
        AT.lanes,
        lane,
        keyAt,
        messageAt,
        message.length,
        AT.outs + LANE_STRIDE * lane,
      );
    }
    repeat(turns);
  };
  return {
    name: laneCount === 4 ? `${kernel.name}, four lanes` : kernel.name,
    operationsPerTurn: laneCount,
    run,
    result() {
      run(1);
      return kernel.read(AT.outs, outBytes);
    },
  };
}

function peer(name: string, operation: () => Uint8Array): Subject {
  return cycling(name, 1, 1, operation);
}

function rustPeer(name: string, operation: (rust: RustPrimitives) => Uint8Array): Subject[] {
  const rust = loadRust();
  return rust === null ? [] : [peer(name, () => operation(rust))];
}
