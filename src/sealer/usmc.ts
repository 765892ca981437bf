/**
 * Fields of the USMC protobuf (libsignal, sealed_sender.proto), as tags: (field << 3) | wire type.
 */
const TYPE_TAG = 0x08;
const CERTIFICATE_TAG = 0x12;
const CONTENT_TAG = 0x1a;
const CONTENT_HINT_TAG = 0x20;
const GROUP_ID_TAG = 0x2a;
/** prekey, whisper, sender key, plaintext */
const KNOWN_TYPES: readonly (number | undefined)[] = [1, 2, 7, 8];
/** default, resendable, implicit */
const MAX_KNOWN_HINT = 2;
const MAX_ONE_BYTE_VARINT = 0x7f;

interface Field {
  readonly begin: number;
  readonly end: number;
}

/**
 * The length-delimited field with this tag at `at`, or null. Lengths up to 2^21 - 1, in the
 * shortest form.
 */
function readField(bytes: Uint8Array, at: number, tag: number): Field | null {
  if (bytes[at] !== tag) return null;
  let length = 0;
  for (let i = 1; i <= 3; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return null;
    length += (byte & MAX_ONE_BYTE_VARINT) * 128 ** (i - 1);
    if (byte > MAX_ONE_BYTE_VARINT) continue;
    if (byte === 0 && i > 1) return null;
    const begin = at + i + 1;
    return begin + length <= bytes.length ? { begin, end: begin + length } : null;
  }
  return null;
}

/**
 * The sender certificate in a USMC that has the form in which every encoder writes it: type,
 * certificate, content, then perhaps a content hint and a group id, each once and in this order.
 *
 * @returns null for any other bytes, which may be a valid USMC all the same.
 */
export function findCertificate(usmc: Uint8Array): Uint8Array | null {
  if (usmc[0] !== TYPE_TAG || !KNOWN_TYPES.includes(usmc[1])) return null;
  const certificate = readField(usmc, 2, CERTIFICATE_TAG);
  if (certificate === null) return null;
  const content = readField(usmc, certificate.end, CONTENT_TAG);
  if (content === null) return null;
  let at = content.end;
  if (usmc[at] === CONTENT_HINT_TAG && (usmc[at + 1] ?? 0xff) <= MAX_KNOWN_HINT) at += 2;
  if (usmc[at] === GROUP_ID_TAG) at = readField(usmc, at, GROUP_ID_TAG)?.end ?? at;
  return at === usmc.length ? usmc.subarray(certificate.begin, certificate.end) : null;
}
