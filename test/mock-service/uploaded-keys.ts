// The prekeys that a client uploaded, as the mock service has them, as bytes, and back: Signal's
// service would have kept them, this one makes new ones when it is started. Fields of its classes
// that are private to TypeScript only (27.0.0, 2026-11).
import { createRequire } from 'node:module';
import type { PrimaryDevice } from '@signalapp/mock-server';
import type { PublicKeyState, UploadedKeys } from './protocol.js';

interface Serializable {
  serialize(): Uint8Array<ArrayBuffer>;
}
interface Deserializer {
  deserialize(bytes: Uint8Array<ArrayBuffer>): Serializable;
}
interface PublicPreKey {
  readonly keyId: number;
  readonly publicKey: Serializable;
  readonly signature?: Uint8Array;
}
interface DeviceKeys {
  readonly identityKey: Serializable;
  readonly signedPreKey: PublicPreKey;
  readonly lastResortKey: PublicPreKey;
  readonly preKeys: readonly PublicPreKey[];
  readonly kyberPreKeys: readonly PublicPreKey[];
  /** Where the service makes them itself. */
  readonly preKeyIterator?: unknown;
}
interface DeviceInside {
  readonly keys: ReadonlyMap<'ACI', DeviceKeys>;
  setKeys(kind: 'ACI', keys: DeviceKeys): Promise<void>;
}

// The very copy that the service uses: its objects are of no use to another one.
const requireHere = createRequire(import.meta.url);
const requireThere = createRequire(requireHere.resolve('@signalapp/mock-server'));
const { PublicKey, KEMPublicKey } = requireThere('@signalapp/libsignal-client') as {
  readonly PublicKey: Deserializer;
  readonly KEMPublicKey: Deserializer;
};

const insideOf = ({ device }: PrimaryDevice): DeviceInside => device as unknown as DeviceInside;

const stateOf = ({ keyId, publicKey, signature }: PublicPreKey): PublicKeyState => ({
  keyId,
  publicKey: new Uint8Array(publicKey.serialize()),
  ...(signature !== undefined && { signature: new Uint8Array(signature) }),
});

/** undefined: nothing was uploaded, the service gives out its own. */
export function uploadedKeys(primary: PrimaryDevice): UploadedKeys | undefined {
  const keys = insideOf(primary).keys.get('ACI');
  if (keys === undefined || keys.preKeyIterator !== undefined) return undefined;
  return {
    signedPreKey: stateOf(keys.signedPreKey),
    lastResortKey: stateOf(keys.lastResortKey),
    preKeys: keys.preKeys.map(stateOf),
    kyberPreKeys: keys.kyberPreKeys.map(stateOf),
  };
}

export async function putUploadedKeys(
  primary: PrimaryDevice,
  uploaded: UploadedKeys,
): Promise<void> {
  const inside = insideOf(primary);
  const known = inside.keys.get('ACI');
  if (known === undefined) throw new Error('the mock service keeps its keys otherwise than it did');
  const from =
    (type: Deserializer) =>
    ({ keyId, publicKey, signature }: PublicKeyState): PublicPreKey => ({
      keyId,
      publicKey: type.deserialize(publicKey),
      ...(signature !== undefined && { signature: Buffer.from(signature) }),
    });
  await inside.setKeys('ACI', {
    identityKey: known.identityKey,
    signedPreKey: from(PublicKey)(uploaded.signedPreKey),
    lastResortKey: from(KEMPublicKey)(uploaded.lastResortKey),
    preKeys: uploaded.preKeys.map(from(PublicKey)),
    kyberPreKeys: uploaded.kyberPreKeys.map(from(KEMPublicKey)),
  });
}
