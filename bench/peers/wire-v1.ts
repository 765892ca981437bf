// The wire form of a v1 envelope for the peers that are put together by hand: exactly the work that
// a careful application does.

export const PUBLIC_KEY_BYTES = 33;
export const MAC_BYTES = 10;
export const SALT_PREFIX = Buffer.from('UnidentifiedDelivery');

const VERSION_BYTE = 0x11;
const STATIC_BYTES = PUBLIC_KEY_BYTES + MAC_BYTES;
const WIRE_LENGTH_DELIMITED = 2;

export interface EnvelopeParts {
  readonly ephemeralPublicKey: Uint8Array;
  readonly encryptedStatic: Uint8Array;
  readonly encryptedMessage: Uint8Array;
}

export function encodeEnvelope({
  ephemeralPublicKey,
  encryptedStatic,
  encryptedMessage,
}: EnvelopeParts): Uint8Array {
  const lengthPrefix: number[] = [];
  let rest = encryptedMessage.length;
  for (; rest > 0x7f; rest >>>= 7) lengthPrefix.push((rest & 0x7f) | 0x80);
  lengthPrefix.push(rest);

  const ephemeralOffset = 3;
  const staticOffset = ephemeralOffset + PUBLIC_KEY_BYTES + 2;
  const messageOffset = staticOffset + STATIC_BYTES + 1 + lengthPrefix.length;
  const envelope = new Uint8Array(messageOffset + encryptedMessage.length);
  envelope[0] = VERSION_BYTE;
  envelope[1] = (1 << 3) | WIRE_LENGTH_DELIMITED;
  envelope[2] = PUBLIC_KEY_BYTES;
  envelope.set(ephemeralPublicKey, ephemeralOffset);
  envelope[staticOffset - 2] = (2 << 3) | WIRE_LENGTH_DELIMITED;
  envelope[staticOffset - 1] = STATIC_BYTES;
  envelope.set(encryptedStatic, staticOffset);
  envelope[staticOffset + STATIC_BYTES] = (3 << 3) | WIRE_LENGTH_DELIMITED;
  envelope.set(lengthPrefix, staticOffset + STATIC_BYTES + 1);
  envelope.set(encryptedMessage, messageOffset);
  return envelope;
}

export function decodeEnvelope(envelope: Uint8Array): EnvelopeParts {
  const message = envelope.subarray(1);
  return {
    ephemeralPublicKey: readBytesField(message, 1),
    encryptedStatic: readBytesField(message, 2),
    encryptedMessage: readBytesField(message, 3),
  };
}

/** The identity key in the sender certificate of a USMC. */
export function certificateIdentityKey(usmc: Uint8Array): Uint8Array {
  const senderCertificate = readBytesField(usmc, 2);
  const certificate = readBytesField(senderCertificate, 1);
  return readBytesField(certificate, 4);
}

/** The first field of that number, which must be a byte string. */
function readBytesField(message: Uint8Array, fieldNumber: number): Uint8Array {
  let offset = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[offset++];
      if (byte === undefined) throw new RangeError('a varint cut off');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (offset < message.length) {
    const key = readVarint();
    const wireType = key & 7;
    if (wireType === WIRE_LENGTH_DELIMITED) {
      const lengthBytes = readVarint();
      offset += lengthBytes;
      if (key >>> 3 === fieldNumber) return message.subarray(offset - lengthBytes, offset);
    } else if (wireType === 0) readVarint();
    else if (wireType === 1) offset += 8;
    else if (wireType === 5) offset += 4;
    else throw new RangeError(`wire type ${wireType}`);
  }
  throw new RangeError(`field ${fieldNumber} is missing`);
}
