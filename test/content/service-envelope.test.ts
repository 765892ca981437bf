import { randomBytes } from 'node:crypto';
import mockProtos from '@signalapp/mock-server/protos/compiled.js';
import { describe, expect, test } from 'vitest';
import {
  decodeServiceEnvelope,
  destinationOf,
  serverGuidOf,
  sourceOf,
} from '#dist/src/content/index.js';

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
      destinationServiceId: 'PNI:e80f7bbe-5b94-471e-bd8c-2173654ea3d1',
      destinationServiceIdBinary: new Uint8Array(randomBytes(17)),
      serverGuid: 'd1d1d1d1-7000-11eb-b32a-33b8a8a487a6',
      serverGuidBinary: new Uint8Array(randomBytes(16)),
      ephemeral: false,
      urgent: true,
      story: true,
    };
    expect(decodeServiceEnvelope(signal.Envelope.encode({ ...nothing, ...fields }))).toEqual({
      ...fields,
      type: 3,
    });
  });

  test('names no sender where the envelope is sealed', () => {
    const content = new Uint8Array([17]);
    const sealed = signal.Envelope.encode({
      ...nothing,
      type: signal.Envelope.Type.UNIDENTIFIED_SENDER,
      content,
    });
    expect(decodeServiceEnvelope(sealed)).toEqual({ type: 6, content });
  });

  test('refuses what is not an envelope', () => {
    const truncated = new Uint8Array([0x42, 5, 1]);
    expect(() => decodeServiceEnvelope(truncated)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ENVELOPE' }),
    );
  });
});

const ACI = '9d0652a3-dcc3-4d11-975f-74d61598733f';
const OTHER = 'e80f7bbe-5b94-471e-bd8c-2173654ea3d1';
const envelope = { type: 1, content: new Uint8Array() };
const binary = (uuid: string, ...kind: number[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.of(...kind, ...Buffer.from(uuid.replaceAll('-', ''), 'hex'));

describe.each<
  [string, string | undefined, Uint8Array<ArrayBuffer> | undefined, string | undefined]
>([
  ['an ACI as a string', ACI, undefined, ACI],
  ['an ACI in capitals', ACI.toUpperCase(), undefined, ACI],
  ['a PNI as a string', `PNI:${ACI.toUpperCase()}`, undefined, `PNI:${ACI}`],
  ['an ACI of 16 bytes', undefined, binary(ACI), ACI],
  ['an ACI of 17 bytes', undefined, binary(ACI, 0), ACI],
  ['a PNI of 17 bytes', undefined, binary(ACI, 1), `PNI:${ACI}`],
  ['both forms, of which the binary one counts', OTHER, binary(ACI), ACI],
  ['a string beside bytes that are none', OTHER, new Uint8Array(0), OTHER],
  ['neither', undefined, undefined, undefined],
  ['a kind that there is not', undefined, binary(ACI, 2), undefined],
  ['18 bytes', undefined, binary(ACI, 0, 0), undefined],
  ['15 bytes', undefined, binary(ACI).slice(1), undefined],
  ['a string that is no UUID', 'PNI:PNI:me', undefined, undefined],
  ['a phone number', '+14155550100', undefined, undefined],
])('a service id given as %s', (_, text, bytes, serviceId) => {
  test('is who sent it, and for whom it is', () => {
    const source = {
      ...envelope,
      sourceDeviceId: 127,
      ...(text !== undefined && { sourceServiceId: text }),
      ...(bytes !== undefined && { sourceServiceIdBinary: bytes }),
    };
    expect(sourceOf(source)).toEqual(
      serviceId === undefined ? undefined : { serviceId, deviceId: 127 },
    );
    const destination = {
      ...envelope,
      ...(text !== undefined && { destinationServiceId: text }),
      ...(bytes !== undefined && { destinationServiceIdBinary: bytes }),
    };
    expect(destinationOf(destination)).toBe(serviceId);
  });
});

describe('sourceOf', () => {
  test.each([undefined, 0, 128, 2 ** 32 - 1])(
    'names no sender where the device is %s',
    (sourceDeviceId) => {
      const source = {
        ...envelope,
        sourceServiceId: ACI,
        ...(sourceDeviceId !== undefined && { sourceDeviceId }),
      };
      expect(sourceOf(source)).toBeUndefined();
    },
  );
});

describe('serverGuidOf', () => {
  test('reads either form', () => {
    expect(serverGuidOf({ ...envelope, serverGuid: ACI.toUpperCase() })).toBe(ACI);
    expect(serverGuidOf({ ...envelope, serverGuid: 'no', serverGuidBinary: binary(ACI) })).toBe(
      ACI,
    );
    expect(
      serverGuidOf({ ...envelope, serverGuid: 'no', serverGuidBinary: binary(ACI, 0) }),
    ).toBeUndefined();
    expect(serverGuidOf(envelope)).toBeUndefined();
  });
});
