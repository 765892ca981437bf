/**
 * The URL that a phone reads from a code: the address of a provisioning socket, and a public key
 * that was made for it.
 *
 * `capabilities` is left out: with `backup5` the phone would offer to transfer its history.
 *
 * @param address as the service gave it: base64url, with padding
 * @param publicKey 33 bytes
 */
export function linkUrl(address: string, publicKey: Uint8Array): string {
  const key = Buffer.from(publicKey).toString('base64');
  return `sgnl://linkdevice?uuid=${encodeURIComponent(address)}&pub_key=${encodeURIComponent(key)}`;
}
