// The phone's side of linking, written apart from src/: protobuf by hand, HKDF and ciphers of
// node:crypto.
import { createCipheriv, createHmac, hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import { PrivateKey, PublicKey } from '@signalapp/libsignal-client';

/** Fields of a ProvisionMessage by number, as Signal's Provisioning.proto has them. */
export type MessageParts = Readonly<Record<number, Uint8Array | string | number | undefined>>;

const varint = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];

function field(id: number, value: Uint8Array | string | number): Uint8Array {
  if (typeof value === 'number') return Uint8Array.of(...varint(id * 8), ...varint(value));
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([Uint8Array.of(...varint(id * 8 + 2), ...varint(bytes.length)), bytes]);
}

/** Serializes fields by number; undefined ones are left out. */
export function fieldsOf(parts: MessageParts): Uint8Array<ArrayBuffer> {
  const all = Object.entries(parts).flatMap(([id, value]) =>
    value === undefined ? [] : [field(Number(id), value)],
  );
  return new Uint8Array(Buffer.concat(all));
}

/** Steps that a test does otherwise than a phone. */
export interface Tampering {
  readonly version?: number;
  /** Plaintext blocks as they are encrypted, in place of the PKCS #7 padding. */
  readonly rawBlocks?: Uint8Array;
  readonly body?: (body: Buffer) => Uint8Array;
}

/** Seals a message for the public key in a code. */
export function sealProvision(
  message: Uint8Array,
  devicePublicKey: Uint8Array,
  { version = 1, rawBlocks, body = (bytes) => bytes }: Tampering = {},
): Uint8Array<ArrayBuffer> {
  const ephemeral = PrivateKey.generate();
  const shared = ephemeral.agree(PublicKey.deserialize(Uint8Array.from(devicePublicKey)));
  const info = 'TextSecure Provisioning Message';
  const keys = Buffer.from(hkdfSync('sha256', shared, new Uint8Array(0), info, 64));
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', keys.subarray(0, 32), iv);
  if (rawBlocks !== undefined) cipher.setAutoPadding(false);
  const encrypted = Buffer.concat([cipher.update(rawBlocks ?? message), cipher.final()]);
  const signed = Buffer.concat([Uint8Array.of(version), iv, encrypted]);
  const mac = createHmac('sha256', keys.subarray(32)).update(signed).digest();
  return fieldsOf({
    1: ephemeral.getPublicKey().serialize(),
    2: body(Buffer.concat([signed, mac])),
  });
}

const uuidBytes = (uuid: string): Uint8Array => Buffer.from(uuid.replaceAll('-', ''), 'hex');

/** An account on a phone, and the messages with which it links devices. */
export class FakePhone {
  readonly aci = randomUUID();
  readonly pni = randomUUID();
  readonly number = '+15550101234';
  readonly identityKey = PrivateKey.generate();
  readonly pniIdentityKey = PrivateKey.generate();
  readonly profileKey = randomBytes(32);
  readonly accountEntropyPool = 'abcdefghijklmnopqrstuvwxyz012345'.repeat(2);
  readonly mediaRootBackupKey = randomBytes(32);

  /** Fields of the message of a phone of 2026; a test changes some. */
  messageParts(provisioningCode = 'a code'): MessageParts {
    return {
      1: this.identityKey.getPublicKey().serialize(),
      2: this.identityKey.serialize(),
      3: this.number,
      4: provisioningCode,
      5: 'OWA',
      6: this.profileKey,
      7: 1,
      9: 1,
      11: this.pniIdentityKey.getPublicKey().serialize(),
      12: this.pniIdentityKey.serialize(),
      15: this.accountEntropyPool,
      16: this.mediaRootBackupKey,
      17: uuidBytes(this.aci),
      18: uuidBytes(this.pni),
    };
  }

  /** Reads a code's URL, and makes the envelope for it. */
  scan(url: string, parts: MessageParts = {}): Uint8Array<ArrayBuffer> {
    const publicKey = new URL(url).searchParams.get('pub_key');
    if (publicKey === null) throw new Error('the code has no public key');
    const message = fieldsOf({ ...this.messageParts(), ...parts });
    return sealProvision(message, Buffer.from(publicKey, 'base64'));
  }
}
