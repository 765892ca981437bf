import { deriveAccessKey } from 'sealcast';
import { accessKeyFor } from '#dist/src/access/access-mode.js';
import {
  decodeBroadcast,
  encodeBroadcast,
  type BroadcastRecord,
  type BroadcastState,
} from '#dist/src/store/tables/broadcasts.js';
import {
  decodeContact,
  encodeContact,
  NEW_CONTACT,
  type ContactRecord,
} from '#dist/src/store/tables/contacts.js';
import {
  decodeOutbox,
  encodeOutbox,
  type DeliveryStatus,
  type OutboxRecord,
} from '#dist/src/store/tables/outbox.js';
import {
  decodeInbox,
  encodeInbox,
  type EnvelopeType,
  type InboxRecord,
} from '#dist/src/store/tables/inbox.js';
import { expect, test } from 'vitest';

const BROADCAST: BroadcastRecord = {
  state: 'sending',
  content: Uint8Array.of(1),
  timestamp: 1,
  urgent: true,
  createdAtMs: 2,
  finishedAtMs: 0,
  invalidRecipients: 0,
};
const ROW: InboxRecord = {
  sender: 'a sender',
  senderDevice: 1,
  sealed: true,
  timestamp: 1,
  serverTimestamp: 2,
  envelopeType: 'whisper',
  content: Uint8Array.of(1),
};

/** The bytes of a record with one field, as protobuf has them: a varint below 128. */
const varintField = (id: number, value: number): Uint8Array => Uint8Array.of(id << 3, value);

// Names by their numbers on the disk: none of them ever changes.
const MODES: readonly ContactRecord['accessMode'][] = [
  'unknown',
  'enabled',
  'unrestricted',
  'disabled',
];
const STATES: readonly BroadcastState[] = ['ingesting', 'sending', 'finished', 'pruned'];
const STATUSES: readonly DeliveryStatus[] = ['sealed', 'unsealed', 'unregistered', 'failed'];
const TYPES: readonly EnvelopeType[] = ['prekey', 'whisper', 'sender-key', 'plaintext', 'receipt'];

test.each([...MODES.entries()])('access mode %i is %s', (number, accessMode) => {
  expect(decodeContact(varintField(2, number)).accessMode).toBe(accessMode);
  expect(decodeContact(encodeContact({ ...NEW_CONTACT, accessMode })).accessMode).toBe(accessMode);
});

test('a contact has the access key of its profile key, and of no other one', () => {
  const [first, second] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const decoded = decodeContact(encodeContact({ ...NEW_CONTACT, profileKey: first }));
  expect(decoded.stored?.accessKey).toEqual(deriveAccessKey(first));
  const changed = { ...decoded, profileKey: second };
  expect(accessKeyFor('', changed)).toEqual(deriveAccessKey(second));
  expect(decodeContact(encodeContact(changed)).stored?.accessKey).toEqual(deriveAccessKey(second));
  expect(decodeContact(encodeContact(NEW_CONTACT)).stored).toBeUndefined();
});

test('a contact whose access key has another length is damaged', () => {
  // Field 17, 15 bytes.
  const accessKey = Uint8Array.from([0x8a, 0x01, 15, ...new Uint8Array(15)]);
  const bytes = Buffer.concat([encodeContact(NEW_CONTACT), accessKey]);
  expect(() => decodeContact(bytes)).toThrow('damaged Contact record');
});

test('a caller that wipes an access key wipes its own copy', () => {
  const profileKey = new Uint8Array(32).fill(1);
  const contact = decodeContact(encodeContact({ ...NEW_CONTACT, profileKey }));
  accessKeyFor('', contact)?.fill(0);
  expect(accessKeyFor('', contact)).toEqual(deriveAccessKey(profileKey));
});

test.each([...STATES.entries()])('state %i of a broadcast is %s', (number, state) => {
  expect(decodeBroadcast(varintField(1, number)).state).toBe(state);
  expect(decodeBroadcast(encodeBroadcast({ ...BROADCAST, state })).state).toBe(state);
});

test.each([...STATUSES.entries()])('status %i of a delivery is %s', (number, status) => {
  const done = Uint8Array.of(...varintField(1, 2), ...varintField(4, number));
  expect(decodeOutbox(done)).toEqual({ state: 'done', status });
  expect(decodeOutbox(encodeOutbox({ state: 'done', status }))).toEqual({ state: 'done', status });
});

test.each([...TYPES.entries()])('type %i of an envelope is %s', (number, envelopeType) => {
  expect(decodeInbox(varintField(6, number)).envelopeType).toBe(envelopeType);
  expect(decodeInbox(encodeInbox({ ...ROW, envelopeType })).envelopeType).toBe(envelopeType);
});

test.each(['prekey', 'whisper'] as const)('a %s ciphertext keeps its kind', (type) => {
  const row: OutboxRecord = {
    state: 'encrypted',
    identityKey: new Uint8Array(33),
    devices: [{ deviceId: 1, registrationId: 2, type, ciphertext: Uint8Array.of(3) }],
  };
  expect(decodeOutbox(encodeOutbox(row))).toEqual(row);
});

test.each([
  ['access mode', () => decodeContact(varintField(2, 4))],
  ['state of a broadcast', () => decodeBroadcast(varintField(1, 4))],
  ['state of a recipient', () => decodeOutbox(varintField(1, 3))],
  ['type of an envelope', () => decodeInbox(varintField(6, 5))],
])('an unknown %s is refused', (what, decode) => {
  expect(decode).toThrow(
    expect.objectContaining({
      code: 'ERR_STORE_FAILED',
      message: `the store holds an unknown ${what}`,
    }),
  );
});

test('a record that is not well-formed is refused', () => {
  expect(() => decodeContact(Uint8Array.of(0x0a, 200))).toThrow(
    expect.objectContaining({ code: 'ERR_STORE_FAILED' }),
  );
});
