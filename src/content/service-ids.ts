/** Prefix of a PNI's UUID in the string form of a service id. */
const PNI_PREFIX = 'PNI:';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const UUID_BYTES = 16;
/** Prefix of the 16 bytes in the fixed-width binary form (libsignal, ServiceIdKind). */
const ACI_KIND = 0x00;
const PNI_KIND = 0x01;

/** The 16 bytes of a UUID's string form. */
export const bytesOfUuid = (uuid: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(uuid.replaceAll('-', ''), 'hex'));

/** The string form of 16 bytes, lower case; undefined for any other number of them. */
export function uuidOfBytes(bytes: Uint8Array): string | undefined {
  if (bytes.length !== UUID_BYTES) return undefined;
  const hex = Buffer.from(bytes).toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

export function uuidOfText(text: string): string | undefined {
  return UUID.test(text) ? text.toLowerCase() : undefined;
}

/** 16 bytes are an ACI; of 17 the first says which it is. */
function serviceIdOfBytes(bytes: Uint8Array): string | undefined {
  if (bytes.length === UUID_BYTES) return uuidOfBytes(bytes);
  const uuid = uuidOfBytes(bytes.subarray(1));
  if (uuid === undefined) return undefined;
  if (bytes[0] === PNI_KIND) return `${PNI_PREFIX}${uuid}`;
  return bytes[0] === ACI_KIND ? uuid : undefined;
}

function serviceIdOfText(text: string): string | undefined {
  const isPni = text.slice(0, PNI_PREFIX.length).toUpperCase() === PNI_PREFIX;
  const uuid = uuidOfText(isPni ? text.slice(PNI_PREFIX.length) : text);
  if (uuid === undefined) return undefined;
  return isPni ? `${PNI_PREFIX}${uuid}` : uuid;
}

/**
 * Parses the service id that a message gives in binary form, as string, or both. Signal's clients
 * prefer the binary form. The result is `uuid` (an ACI) or `PNI:uuid`, with the UUID in lower case;
 * undefined where neither form is valid.
 */
export function serviceIdOf(
  text: string | undefined,
  binary: Uint8Array | undefined,
): string | undefined {
  const ofBytes = binary === undefined ? undefined : serviceIdOfBytes(binary);
  return ofBytes ?? (text === undefined ? undefined : serviceIdOfText(text));
}

/** Likewise, where only an ACI makes sense. */
export function aciOf(
  text: string | undefined,
  binary: Uint8Array | undefined,
): string | undefined {
  const serviceId = serviceIdOf(text, binary);
  return serviceId?.startsWith(PNI_PREFIX) === true ? undefined : serviceId;
}
