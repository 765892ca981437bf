import type { PreKeyBundle } from '@signalapp/libsignal-client';
import { bytesOfBase64, list, number, readAnswer, record, base64 } from './answer-fields.js';
import { isRecord, type HttpAnswer } from '../mapping/http.js';
import type { PreKeyBundleFields, PreKeysOutcome } from '../transport.js';
import type {
  PreKeyCountOutcome,
  PreKeyUpload,
  PublicPreKey,
  SignedPublicPreKey,
} from '../account-transport.js';

export function fieldsOf(bundle: PreKeyBundle): PreKeyBundleFields {
  const preKeyId = bundle.preKeyId();
  const preKeyPublic = bundle.preKeyPublic();
  return {
    deviceId: bundle.deviceId(),
    registrationId: bundle.registrationId(),
    ...(preKeyId !== null &&
      preKeyPublic !== null && { preKeyId, preKeyPublic: preKeyPublic.serialize() }),
    signedPreKeyId: bundle.signedPreKeyId(),
    signedPreKeyPublic: bundle.signedPreKeyPublic().serialize(),
    signedPreKeySignature: bundle.signedPreKeySignature(),
    kyberPreKeyId: bundle.kyberPreKeyId(),
    kyberPreKeyPublic: bundle.kyberPreKeyPublic().serialize(),
    kyberPreKeySignature: bundle.kyberPreKeySignature(),
  };
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
 * The bundles in the answer to `GET /v2/keys/...`. Only their form is looked at: who makes a
 * session of a bundle checks its keys and signatures.
 */
export function preKeysOfAnswer(answer: HttpAnswer): PreKeysOutcome {
  return readAnswer(answer, ({ identityKey, devices }) => ({
    status: 'ok',
    identityKey: bytesOfBase64(identityKey, 'identityKey'),
    bundles: list(devices, 'devices').map(bundleOf),
  }));
}

/** The answer to `GET /v2/keys` (Signal-Server: PreKeyCount). */
export function preKeyCountOfAnswer(answer: HttpAnswer): PreKeyCountOutcome {
  return readAnswer(answer, (json) => ({
    status: 'ok',
    preKeys: number(json, 'count'),
    kyberPreKeys: number(json, 'pqCount'),
  }));
}

function preKeyJson({ id, publicKey }: PublicPreKey): object {
  return { keyId: id, publicKey: base64(publicKey) };
}

function signedPreKeyJson(preKey: SignedPublicPreKey): object {
  return { ...preKeyJson(preKey), signature: base64(preKey.signature) };
}

/**
 * The body of `PUT /v2/keys` (Signal-Server: SetKeysRequest, 2026). Lists that are empty leave the
 * service's as they are, as lists that are absent do; Signal's mock service wants the first of them
 * always (27.0.0, 2026-11).
 */
export function preKeyUploadJson({
  preKeys,
  signedPreKey,
  kyberPreKeys,
  lastResortKyberPreKey,
}: PreKeyUpload): object {
  return {
    preKeys: (preKeys ?? []).map(preKeyJson),
    ...(signedPreKey !== undefined && { signedPreKey: signedPreKeyJson(signedPreKey) }),
    pqPreKeys: (kyberPreKeys ?? []).map(signedPreKeyJson),
    ...(lastResortKyberPreKey !== undefined && {
      pqLastResortPreKey: signedPreKeyJson(lastResortKyberPreKey),
    }),
  };
}
