// Envelopes that no sender makes and anybody may send: each correct in every step but the one that
// its name tells, so that what it meets is that step's verdict and not a MAC's. `opens` is what
// libsignal was seen to do with it, and the tests ask libsignal again.
import { concatBytes, copyBytes, fromHex, type Bytes } from '../reference/bytes.js';
import {
  deriveKeys,
  encodePublicKey,
  encryptThenMac,
  FIELD_ENCRYPTED_MESSAGE,
  FIELD_ENCRYPTED_STATIC,
  FIELD_EPHEMERAL_PUBLIC,
  SALT_PREFIX,
  VERSION_BYTE,
  type KeyPairBytes,
} from '../reference/envelope-v1.js';
import {
  encodeBytesField,
  encodeKey,
  encodeVarint,
  encodeVarintField,
} from '../reference/protobuf.js';
import { x25519, x25519Base } from '../reference/x25519.js';
import { x25519Points } from '../vectors/index.js';
import { seededBytes } from './seeded-random.js';

export interface OddEnvelope {
  readonly name: string;
  readonly envelope: Bytes;
  readonly opens: boolean;
}

interface EnvelopeFields {
  readonly ephemeral: Bytes;
  readonly encryptedStatic: Bytes;
  readonly encryptedMessage: Bytes;
}

/** What replaces a step's own result. */
interface Overrides {
  readonly ephemeral?: Bytes;
  readonly ephemeralInSalt?: Bytes;
  readonly ephemeralSecret?: Bytes;
  readonly staticPlaintext?: Bytes;
  readonly staticSecret?: Bytes;
}

const ZERO_SECRET = new Uint8Array(32);
const UNKNOWN_FIELD = 9;
const [VARINT, FIXED_64, LENGTH_DELIMITED, START_GROUP, END_GROUP, FIXED_32] = [0, 1, 2, 3, 4, 5];

/** `content` must be a USMC whose certificate carries the sender's key. */
export function makeOddEnvelopes(
  sender: KeyPairBytes,
  recipient: KeyPairBytes,
  content: Uint8Array,
): OddEnvelope[] {
  const ephemeralScalar = seededBytes('odd-envelopes')(32);
  const ephemeralPoint = x25519Base(ephemeralScalar);
  const recipientPoint = recipient.publicKey.subarray(1);
  const ephemeralSecret = x25519(ephemeralScalar, recipientPoint);
  const staticSecret = x25519(sender.privateKey, recipientPoint);

  function seal(overrides: Overrides = {}): EnvelopeFields {
    const ephemeral = overrides.ephemeral ?? encodePublicKey(ephemeralPoint);
    const salt = concatBytes(
      SALT_PREFIX,
      recipient.publicKey,
      overrides.ephemeralInSalt ?? ephemeral,
    );
    const ephemeralKeys = deriveKeys(salt, overrides.ephemeralSecret ?? ephemeralSecret);
    const encryptedStatic = encryptThenMac(
      ephemeralKeys,
      overrides.staticPlaintext ?? sender.publicKey,
    );
    const staticSalt = concatBytes(ephemeralKeys.chainKey, encryptedStatic);
    const staticKeys = deriveKeys(staticSalt, overrides.staticSecret ?? staticSecret);
    return { ephemeral, encryptedStatic, encryptedMessage: encryptThenMac(staticKeys, content) };
  }

  return [
    ...oddKeys(seal, ephemeralPoint, sender.publicKey),
    ...oddLengths(seal()),
    ...oddVersions(seal()),
    ...oddFields(seal()),
    ...oddWireFormat(seal()),
  ];
}

type Seal = (overrides?: Overrides) => EnvelopeFields;

function oddKeys(seal: Seal, ephemeralPoint: Bytes, senderKey: Uint8Array): OddEnvelope[] {
  const wire = encodePublicKey(ephemeralPoint);
  const topBitSet = copyBytes(wire);
  topBitSet[32]! |= 0x80;
  const oneMoreByte = concatBytes(wire, Uint8Array.of(7));
  const senderTopBitSet = copyBytes(senderKey);
  senderTopBitSet[32]! |= 0x80;
  const lowOrder = x25519Points.lowOrder.map(({ name, point }) => ({
    name,
    key: encodePublicKey(fromHex(point)),
  }));
  return [
    odd('nothing odd', true, seal()),
    ...lowOrder.map(({ name, key }) =>
      odd(`ephemeral key ${name}`, false, seal({ ephemeral: key, ephemeralSecret: ZERO_SECRET })),
    ),
    ...lowOrder.map(({ name, key }) =>
      odd(`sender's key ${name}`, false, seal({ staticPlaintext: key, staticSecret: ZERO_SECRET })),
    ),
    odd(
      'ephemeral key with its top bit set, in the salt too',
      true,
      seal({ ephemeral: topBitSet }),
    ),
    odd(
      'ephemeral key with its top bit set, not in the salt',
      false,
      seal({ ephemeral: topBitSet, ephemeralInSalt: wire }),
    ),
    odd(
      'a byte behind the ephemeral key, not in the salt',
      true,
      seal({ ephemeral: oneMoreByte, ephemeralInSalt: wire }),
    ),
    odd(
      'a byte behind the ephemeral key, in the salt too',
      false,
      seal({ ephemeral: oneMoreByte }),
    ),
    odd(
      'ephemeral key of type 0x06',
      false,
      seal({ ephemeral: concatBytes(Uint8Array.of(6), ephemeralPoint) }),
    ),
    odd('ephemeral key without its type', false, seal({ ephemeral: ephemeralPoint })),
    odd('ephemeral key one byte short', false, seal({ ephemeral: wire.slice(0, 32) })),
    odd('ephemeral key empty', false, seal({ ephemeral: new Uint8Array(0) })),
    odd(
      "a byte behind the sender's key",
      false,
      seal({ staticPlaintext: concatBytes(senderKey, Uint8Array.of(1)) }),
    ),
    odd(
      "sender's key one byte short",
      false,
      seal({ staticPlaintext: copyBytes(senderKey.subarray(0, 32)) }),
    ),
    odd("sender's key empty", false, seal({ staticPlaintext: new Uint8Array(0) })),
    odd(
      "sender's key of type 0x06",
      false,
      seal({ staticPlaintext: concatBytes(Uint8Array.of(6), senderKey.subarray(1)) }),
    ),
    odd("sender's key with its top bit set", false, seal({ staticPlaintext: senderTopBitSet })),
  ];
}

function oddLengths(fields: EnvelopeFields): OddEnvelope[] {
  const shorterThanMac = [0, 1, 9, 10];
  return [
    ...shorterThanMac.map((lengthBytes) =>
      odd(`static part of ${lengthBytes} bytes`, false, {
        ...fields,
        encryptedStatic: fields.encryptedStatic.slice(0, lengthBytes),
      }),
    ),
    ...shorterThanMac.map((lengthBytes) =>
      odd(`message part of ${lengthBytes} bytes`, false, {
        ...fields,
        encryptedMessage: fields.encryptedMessage.slice(0, lengthBytes),
      }),
    ),
  ];
}

function oddVersions(fields: EnvelopeFields): OddEnvelope[] {
  const body = encodeFields(fields);
  const versionBytes = [
    0x00, 0x01, 0x0f, 0x10, 0x1f, 0x20, 0x22, 0x23, 0x2f, 0x30, 0x33, 0x41, 0x80, 0x91, 0xf0, 0xff,
  ];
  return versionBytes.map((versionByte) => ({
    name: `version byte 0x${versionByte.toString(16).padStart(2, '0')}`,
    opens: versionByte >> 4 <= 1,
    envelope: concatBytes(Uint8Array.of(versionByte), body),
  }));
}

function oddFields(fields: EnvelopeFields): OddEnvelope[] {
  const ephemeral = encodeBytesField(FIELD_EPHEMERAL_PUBLIC, fields.ephemeral);
  const encryptedStatic = encodeBytesField(FIELD_ENCRYPTED_STATIC, fields.encryptedStatic);
  const encryptedMessage = encodeBytesField(FIELD_ENCRYPTED_MESSAGE, fields.encryptedMessage);
  const others = [ephemeral, encryptedStatic, encryptedMessage];
  const garbage = (fieldNumber: number): Bytes =>
    encodeBytesField(fieldNumber, Uint8Array.of(1, 2, 3));
  return [
    raw('fields in the opposite order', true, encryptedMessage, encryptedStatic, ephemeral),
    raw('no ephemeral key', false, encryptedStatic, encryptedMessage),
    raw('no static part', false, ephemeral, encryptedMessage),
    raw('no message part', false, ephemeral, encryptedStatic),
    raw('nothing behind the version', false),
    { name: 'nothing at all', opens: false, envelope: new Uint8Array(0) },
    ...[1, 2, 3].flatMap((fieldNumber) => [
      raw(`field ${fieldNumber} twice, the first garbage`, true, garbage(fieldNumber), ...others),
      raw(`field ${fieldNumber} twice, the last garbage`, false, ...others, garbage(fieldNumber)),
      raw(
        `field ${fieldNumber} also a varint`,
        false,
        ...others,
        encodeVarintField(fieldNumber, 1n),
      ),
      raw(
        `field ${fieldNumber} also a group`,
        false,
        ...others,
        encodeKey(fieldNumber, START_GROUP),
        encodeKey(fieldNumber, END_GROUP),
      ),
    ]),
  ];
}

function oddWireFormat(fields: EnvelopeFields): OddEnvelope[] {
  const body = encodeFields(fields);
  const key = (wireType: number): Bytes => encodeKey(UNKNOWN_FIELD, wireType);
  const startGroups = (count: number): Bytes => repeat(count, key(START_GROUP));
  const endGroups = (count: number): Bytes => repeat(count, key(END_GROUP));
  const bytes = (...values: number[]): Bytes => Uint8Array.from(values);
  const restOfBody = body.subarray(2 + fields.ephemeral.length);
  return [
    raw('unknown varint', true, body, encodeVarintField(UNKNOWN_FIELD, 300n)),
    raw('unknown bytes', true, encodeBytesField(UNKNOWN_FIELD, new Uint8Array(70)), body),
    raw('unknown bytes, empty', true, body, encodeBytesField(UNKNOWN_FIELD, new Uint8Array(0))),
    raw('unknown 64 bits', true, body, key(FIXED_64), new Uint8Array(8)),
    raw('unknown 64 bits, a byte short', false, body, key(FIXED_64), new Uint8Array(7)),
    raw('unknown 32 bits', true, body, key(FIXED_32), new Uint8Array(4)),
    raw('unknown 32 bits, a byte short', false, body, key(FIXED_32), new Uint8Array(3)),
    raw('unknown group', true, body, startGroups(1), encodeVarintField(1, 1n), endGroups(1)),
    raw(
      'unknown group ended as another',
      false,
      body,
      startGroups(1),
      encodeKey(UNKNOWN_FIELD - 1, END_GROUP),
    ),
    raw('unknown group without an end', false, body, startGroups(1)),
    raw('end of no group', false, body, endGroups(1)),
    raw('groups nested 100 deep', true, body, startGroups(100), endGroups(100)),
    raw('groups nested 101 deep', false, body, startGroups(101), endGroups(101)),
    raw(
      'a field inside of 99 groups',
      true,
      body,
      startGroups(99),
      encodeVarintField(1, 1n),
      endGroups(99),
    ),
    raw(
      'a field inside of 100 groups',
      false,
      body,
      startGroups(100),
      encodeVarintField(1, 1n),
      endGroups(100),
    ),
    raw('wire type 6', false, body, key(6)),
    raw('wire type 7', false, body, key(7)),
    raw('field number 0', false, body, encodeVarintField(0, 1n)),
    raw('greatest field number', true, body, encodeVarintField(2 ** 29 - 1, 1n)),
    raw('key of 33 bits', false, body, encodeVarint(2n ** 32n), bytes(1)),
    raw(
      'key in more bytes than it needs',
      true,
      body,
      bytes(0x80 | (UNKNOWN_FIELD << 3), 0x80, 0x80, 0x00),
      bytes(1),
    ),
    raw(
      'known key in more bytes than it needs',
      true,
      bytes(0x8a, 0x80, 0x00, 33),
      fields.ephemeral,
      restOfBody,
    ),
    raw(
      'length in ten bytes',
      true,
      bytes(0x0a, 0x80 | 33, ...Array<number>(8).fill(0x80), 0),
      fields.ephemeral,
      restOfBody,
    ),
    raw(
      'length in eleven bytes',
      false,
      bytes(0x0a, 0x80 | 33, ...Array<number>(9).fill(0x80), 0),
      fields.ephemeral,
      restOfBody,
    ),
    raw('varint of 64 bits', true, body, key(VARINT), bytes(...Array<number>(9).fill(0xff), 1)),
    raw('varint of 65 bits', false, body, key(VARINT), bytes(...Array<number>(9).fill(0xff), 2)),
    raw('length of 2^63', false, body, key(LENGTH_DELIMITED), encodeVarint(2n ** 63n)),
    raw('length of 2^64 - 1', false, body, key(LENGTH_DELIMITED), encodeVarint(2n ** 64n - 1n)),
    raw(
      'length of 2^32 + 1, with one byte',
      false,
      body,
      key(LENGTH_DELIMITED),
      encodeVarint(2n ** 32n + 1n),
      bytes(1),
    ),
    raw('a key and nothing behind it', false, body, key(VARINT)),
    raw('a key cut off', false, body, bytes(0x80)),
    raw('a zero behind the message', false, body, bytes(0)),
    raw('the message cut off by a byte', false, body.subarray(0, -1)),
  ];
}

function odd(name: string, opens: boolean, fields: EnvelopeFields): OddEnvelope {
  return raw(name, opens, encodeFields(fields));
}

function raw(name: string, opens: boolean, ...body: readonly Uint8Array[]): OddEnvelope {
  return { name, opens, envelope: concatBytes(Uint8Array.of(VERSION_BYTE), ...body) };
}

function encodeFields(fields: EnvelopeFields): Bytes {
  return concatBytes(
    encodeBytesField(FIELD_EPHEMERAL_PUBLIC, fields.ephemeral),
    encodeBytesField(FIELD_ENCRYPTED_STATIC, fields.encryptedStatic),
    encodeBytesField(FIELD_ENCRYPTED_MESSAGE, fields.encryptedMessage),
  );
}

function repeat(count: number, bytes: Uint8Array): Bytes {
  return concatBytes(...Array.from({ length: count }, () => bytes));
}
