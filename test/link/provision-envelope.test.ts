import { PrivateKey } from '@signalapp/libsignal-client';
import { describe, expect, test } from 'vitest';
import { openProvisionEnvelope } from '#dist/src/link/provision-envelope.js';
import { FakePhone, fieldsOf, sealProvision, type MessageParts } from '../harness/fake-phone.js';

const filled = (length: number, value: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(length).fill(value);
const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'));

/**
 * Envelope that the mock service made (`encryptProvisionMessage` of mock-server 27.0.0) for the
 * private key of 32 bytes 0x07, with keys and ids of one repeated byte each.
 */
const VECTOR = [
  'CiEFLnHBt7g387PID6v6dJDJMiMIyNG/sEyluhsyGQGcvWESwQMBwE1nZ+cXz/gucuMaz+6sRURoAa6LIUsq',
  'YPr0L28NC6ukapmOs2ggeNJCkfOa9tvYtSK3piDKi7MZYDzviOLzVTeQvSIMdS4E9R+EvoHI0tYKGGvcU/4f',
  'gg2o+G1+BHSDz+Tt3Z2dFPu9w3xOA2ExvBE8qkrm9y/mwr2JvvPobXrt6fbyhfTEBRTepLNol1P2/wj3ut63',
  '7VnQlqnW73M78KPRncaE+bdb4Hg9y0Y/NXh3tbkjx3cF1N+FcZGKZQYQpT7emJL4Kk7rVXG3GAwEvkr610Od',
  'wefwiz8BQScLbWWjhkchIJA7I4AgbxqpEPjs3ILgCSN/NVerTKsQT/DtHEqS6a0CFiHQX8juzdDDRUjiCwmu',
  'OnjMt9TiDjhomQGJ/MtK4qDFGb4IdmHdB4ZWc/zFJ2wQh+zq6RTgpdSqRnssdE6cCY+SPVdtXznjPkALZTeI',
  'E3SHYU26mOtfH+AfScYZRPCdhwu+DM6JBb15TiYSXd2wEVxxR9BRFBrbBWdG+GQhAlu9IgSRMr1694d11u/K',
  'uFKAfAe2Logv7P5l1h4ABkaR6X77/dZGed7LItDAGyIKvjabNYW1UXc6WKmEyg==',
].join('');
const VECTOR_KEY = PrivateKey.deserialize(filled(32, 7));

const device = PrivateKey.generate();
const devicePublicKey = device.getPublicKey().serialize();
const phone = new FakePhone();

/** What the device reads of a message with some fields changed. */
const open = (parts: MessageParts = {}): ReturnType<typeof openProvisionEnvelope> =>
  openProvisionEnvelope(
    sealProvision(fieldsOf({ ...phone.messageParts(), ...parts }), devicePublicKey),
    device,
  );

describe('an envelope of a phone', () => {
  test('of the mock service is opened, with every field', () => {
    const { pniIdentity, ...provision } = openProvisionEnvelope(bytesOf(VECTOR), VECTOR_KEY);
    expect(provision).toEqual({
      aci: '21212121-2121-2121-2121-212121212121',
      identityPublicKey: bytesOf('BVfbSzWfI65eFG5OJRIFZwRyJQY0jBUMFHU9DJM9BNQh'),
      identityPrivateKey: PrivateKey.deserialize(filled(32, 9)).serialize(),
      number: '+15550101234',
      provisioningCode: 'a1b2c3',
      profileKey: filled(32, 0x23),
      readReceipts: true,
      accountEntropyPool: '0123456789abcdef'.repeat(4),
      mediaRootBackupKey: filled(32, 0x25),
      authCredentialSalt: filled(16, 0x26),
    });
    expect(pniIdentity).toEqual({
      pni: 'PNI:22222222-2222-2222-2222-222222222222',
      identityPublicKey: bytesOf('BXOy2LdqqbU2YAMryPXYvuOjrk47On/Umt6B9zR6NKpo'),
      identityPrivateKey: PrivateKey.deserialize(filled(32, 11)).serialize(),
    });
  });

  test('with ids as text, as older phones write them, is read like one with binary ids', () => {
    const binary = open();
    const { aci, pniIdentity } = open({
      8: phone.aci.toUpperCase(),
      10: phone.pni,
      17: undefined,
      18: undefined,
    });
    expect({ aci, pniIdentity }).toEqual({ aci: binary.aci, pniIdentity: binary.pniIdentity });
    expect(binary.aci).toBe(phone.aci);
    expect(binary.pniIdentity?.pni).toBe(`PNI:${phone.pni}`);
  });

  test('with ids in both forms is read by the binary ones', () => {
    expect(open({ 8: 'fefefefe-fefe-4efe-8efe-fefefefefefe' }).aci).toBe(phone.aci);
  });

  test('of an account without a number has no PNI, and its own salt', () => {
    const none = { 3: undefined, 11: undefined, 12: undefined, 18: undefined };
    const provision = open({ ...none, 19: filled(16, 1) });
    expect(provision.pniIdentity).toBeUndefined();
    expect(provision.number).toBeUndefined();
    expect(provision.authCredentialSalt).toEqual(filled(16, 1));
  });

  test('with public keys of other private keys is read by the private ones', () => {
    const provision = open({ 1: devicePublicKey, 11: devicePublicKey });
    expect(provision.identityPublicKey).toEqual(phone.identityKey.getPublicKey().serialize());
    expect(provision.pniIdentity?.identityPublicKey).toEqual(
      phone.pniIdentityKey.getPublicKey().serialize(),
    );
  });

  test('without an entropy pool gives the master key', () => {
    const provision = open({ 15: undefined, 13: filled(32, 2) });
    expect(provision.masterKey).toEqual(filled(32, 2));
    expect(provision.accountEntropyPool).toBeUndefined();
  });

  test('with an entropy pool gives that alone: the master key is derived from it', () => {
    expect(open({ 13: filled(32, 2) }).masterKey).toBeUndefined();
  });
});

describe('a forged or malformed envelope is ERR_LINK_MESSAGE', () => {
  const message = fieldsOf(phone.messageParts());
  const flip =
    (at: number) =>
    (body: Buffer): Uint8Array => {
      const place = at < 0 ? body.length + at : at;
      body.writeUInt8(body.readUInt8(place) ^ 1, place);
      return body;
    };
  const seal = (tampering: Parameters<typeof sealProvision>[2]): Uint8Array =>
    sealProvision(message, devicePublicKey, tampering);
  const blocks = (lastByte: number): Uint8Array => {
    const raw = filled(32, 3);
    raw[31] = lastByte;
    return raw;
  };

  test.each<[string, Uint8Array]>([
    [
      'for another device',
      sealProvision(message, PrivateKey.generate().getPublicKey().serialize()),
    ],
    ['whose MAC has another first bit', seal({ body: flip(-32) })],
    ['whose MAC has another last bit', seal({ body: flip(-1) })],
    ['whose ciphertext was changed', seal({ body: flip(20) })],
    ['whose IV was changed', seal({ body: flip(1) })],
    ['whose version was changed', seal({ body: flip(0) })],
    ['of version 0, with a good MAC', seal({ version: 0 })],
    ['of version 2, with a good MAC', seal({ version: 2 })],
    ['that is padded with 0', seal({ rawBlocks: blocks(0) })],
    ['that is padded with 17', seal({ rawBlocks: blocks(17) })],
    ['whose padding bytes differ', seal({ rawBlocks: blocks(2) })],
    ['with the shortest body but one byte', seal({ body: (body) => body.subarray(0, 64) })],
    ['with an empty body', seal({ body: () => new Uint8Array(0) })],
    ['without a ciphertext', seal({ rawBlocks: new Uint8Array(0) })],
    ['of more than 256 KiB', sealProvision(filled(256 * 1024, 4), devicePublicKey)],
    ['without a key', fieldsOf({ 2: filled(100, 1) })],
    ['without a body', fieldsOf({ 1: devicePublicKey })],
    ['with a key of 32 bytes', fieldsOf({ 1: filled(32, 1), 2: filled(100, 1) })],
    ['that is empty', new Uint8Array(0)],
    ['that is no protobuf', filled(100, 255)],
  ])('%s', (_name, envelope) => {
    expect(() => openProvisionEnvelope(envelope, device)).toThrow(
      expect.objectContaining({ code: 'ERR_LINK_MESSAGE', retryable: true }),
    );
  });

  test.each<[string, MessageParts]>([
    ['no ACI', { 17: undefined }],
    ['an ACI of 15 bytes', { 17: filled(15, 1) }],
    ['an ACI that is a PNI', { 17: undefined, 8: `PNI:${phone.aci}` }],
    ['no identity key', { 2: undefined }],
    ['an identity key of 31 bytes', { 2: filled(31, 1) }],
    ['a PNI without its key', { 12: undefined }],
    ['a key of a PNI without the PNI', { 18: undefined }],
    ['no profile key', { 6: undefined }],
    ['a profile key of 16 bytes', { 6: filled(16, 1) }],
    ['no code', { 4: undefined }],
    ['an empty code', { 4: '' }],
    ['a code of 2,000 characters', { 4: 'x'.repeat(2_000) }],
    ['a number that is none', { 3: 'five' }],
    ['an entropy pool that is none', { 15: 'too short' }],
    ['a master key of 16 bytes', { 15: undefined, 13: filled(16, 1) }],
    ['a media key of 16 bytes', { 16: filled(16, 1) }],
  ])('with %s', (_name, parts) => {
    expect(() => open(parts)).toThrow(expect.objectContaining({ code: 'ERR_LINK_MESSAGE' }));
  });

  test('and its error has no secret, no cause, and the same text whatever is wrong', () => {
    const errors = [{ 6: undefined }, { 2: filled(31, 1) }].map((parts) => {
      try {
        return open(parts);
      } catch (error) {
        return error as Error;
      }
    });
    const [first, second] = errors as [Error, Error];
    expect(first.message).toBe(second.message);
    expect(first.cause).toBeUndefined();
  });
});
