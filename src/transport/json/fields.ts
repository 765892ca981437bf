/**
 * With padding, which all of the service's parsers take: some of them refuse base64 without it,
 * none refuses it (Signal-Server: ByteArrayAdapter, ByteArrayBase64WithPaddingAdapter,
 * AbstractPublicKeyDeserializer; Jackson's own, 2026).
 */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Null, which the service reads as it does what is left out, where there is nothing. */
export function base64OrNull(bytes: Uint8Array | null | undefined): string | null {
  return bytes === undefined || bytes === null || bytes.length === 0 ? null : base64(bytes);
}
