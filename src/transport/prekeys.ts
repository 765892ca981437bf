import type { PreKeyBundle } from '@signalapp/libsignal-client';
import { isRecord, jsonOf, type HttpAnswer } from './http-refusals.js';
import type { PreKeyBundleFields, PreKeysOutcome } from './transport.js';

export function fieldsOf(bundle: PreKeyBundle): PreKeyBundleFields {
  const preKeyId = bundle.preKeyId();
  const preKeyPublic = bundle.preKeyPublic();
  return {
    deviceId: bundle.deviceId(),
    registrationId: bundle.registrationId(),
    ...(preKeyId !== null && preKeyPublic !== null && { preKeyId, preKeyPublic: preKeyPublic.serialize() }),
    signedPreKeyId: bundle.signedPreKeyId(),
    signedPreKeyPublic: bundle.signedPreKeyPublic().serialize(),
    signedPreKeySignature: bundle.signedPreKeySignature(),
    kyberPreKeyId: bundle.kyberPreKeyId(),
    kyberPreKeyPublic: bundle.kyberPreKeyPublic().serialize(),
    kyberPreKeySignature: bundle.kyberPreKeySignature(),
  };
}

class Malformed extends Error {
  override readonly name = 'Malformed';
}

function number(record: Readonly<Record<string, unknown>>, name: string): number {
  const value = record[name];
  if (!Number.isInteger(value) || (value as number) < 0) throw new Malformed(`${name} is not a number of that kind`);
  return value as number;
}

/** The service writes base64 with padding or without. */
export function bytesOfBase64(value: unknown, name: string): Uint8Array<ArrayBuffer> {
  if (typeof value !== 'string' || !/^[\w+/-]+={0,2}$/.test(value)) throw new Malformed(`${name} is not base64`);
  return new Uint8Array(Buffer.from(value, 'base64'));
}

function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) throw new Malformed(`${name} is missing`);
  return value;
}

function bundleOf(json: unknown): PreKeyBundleFields {
  const device = record(json, 'device');
  const signed = record(device['signedPreKey'], 'signedPreKey');
  const kyber = record(device['pqPreKey'], 'pqPreKey');
  const preKey = isRecord(device['preKey']) ? device['preKey'] : undefined;
  return {
    deviceId: number(device, 'deviceId'),
    registrationId: number(device, 'registrationId'),
    ...(preKey !== undefined && {
      preKeyId: number(preKey, 'keyId'),
      preKeyPublic: bytesOfBase64(preKey['publicKey'], 'preKey'),
    }),
    signedPreKeyId: number(signed, 'keyId'),
    signedPreKeyPublic: bytesOfBase64(signed['publicKey'], 'signedPreKey'),
    signedPreKeySignature: bytesOfBase64(signed['signature'], 'signature of signedPreKey'),
    kyberPreKeyId: number(kyber, 'keyId'),
    kyberPreKeyPublic: bytesOfBase64(kyber['publicKey'], 'pqPreKey'),
    kyberPreKeySignature: bytesOfBase64(kyber['signature'], 'signature of pqPreKey'),
  };
}

/**
 * The bundles in the answer to `GET /v2/keys/...`. Only their form is looked at: who makes a session of a bundle checks its
 * keys and signatures.
 */
export function preKeysOfAnswer(answer: HttpAnswer): PreKeysOutcome {
  try {
    const { identityKey, devices } = record(jsonOf(answer), 'a body');
    if (!Array.isArray(devices)) throw new Malformed('devices is missing');
    return { status: 'ok', identityKey: bytesOfBase64(identityKey, 'identityKey'), bundles: devices.map(bundleOf) };
  } catch (cause) {
    return { status: 'rejected', httpStatus: answer.status, cause };
  }
}
