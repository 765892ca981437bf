import { randomBytes } from 'node:crypto';
import mockProtos from '@signalapp/mock-server/protos/compiled.js';
import { describe, expect, test } from 'vitest';
import { decodeServiceEnvelope } from '#dist/src/content/index.js';

const { signalservice: signal } = mockProtos;

describe('decodeServiceEnvelope', () => {
  const nothing: Parameters<typeof signal.Envelope.encode>[0] = {
    type: null,
    sourceServiceId: null,
    sourceDeviceId: null,
    destinationServiceId: null,
    clientTimestamp: null,
    content: null,
    serverGuid: null,
    serverTimestamp: null,
    ephemeral: null,
    urgent: null,
    updatedPni: null,
    story: null,
    reportSpamToken: null,
    sourceServiceIdBinary: null,
    destinationServiceIdBinary: null,
    serverGuidBinary: null,
    updatedPniBinary: null,
  };

  test('reads what Signal’s own definitions wrote', () => {
    const fields = {
      type: signal.Envelope.Type.PREKEY_MESSAGE,
      content: new Uint8Array(randomBytes(40)),
      sourceServiceId: '9d0652a3-dcc3-4d11-975f-74d61598733f',
      sourceServiceIdBinary: new Uint8Array(randomBytes(16)),
      sourceDeviceId: 2,
      clientTimestamp: 1_764_000_000_123n,
      serverTimestamp: 2n ** 63n,
    };
    expect(decodeServiceEnvelope(signal.Envelope.encode({ ...nothing, ...fields, urgent: true }))).toEqual({
      ...fields,
      type: 3,
    });
  });

  test('names no sender where the envelope is sealed', () => {
    const content = new Uint8Array([17]);
    const sealed = signal.Envelope.encode({ ...nothing, type: signal.Envelope.Type.UNIDENTIFIED_SENDER, content });
    expect(decodeServiceEnvelope(sealed)).toEqual({ type: 6, content });
  });

  test('refuses what is not an envelope', () => {
    const truncated = new Uint8Array([0x42, 5, 1]);
    expect(() => decodeServiceEnvelope(truncated)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ENVELOPE' }));
  });
});
