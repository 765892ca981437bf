// Keys for a process that is to be measured: it must not spend time or memory on making them.
// Nothing but Node's own modules is imported here.
import { readFileSync } from 'node:fs';

export const PUBLIC_KEY_BYTES = 33;
export const PRIVATE_KEY_BYTES = 32;

export interface ChildKeys {
  readonly identityKeyPair: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };
  readonly recipientKeys: readonly Uint8Array[];
}

/** The file: own private key, own public key, the recipients' public keys. */
export function readKeyFile(path: string): ChildKeys {
  const bytes = readFileSync(path);
  const recipientKeys: Uint8Array[] = [];
  const identityBytes = PRIVATE_KEY_BYTES + PUBLIC_KEY_BYTES;
  for (let at = identityBytes; at < bytes.length; at += PUBLIC_KEY_BYTES) {
    recipientKeys.push(bytes.subarray(at, at + PUBLIC_KEY_BYTES));
  }
  return {
    identityKeyPair: {
      privateKey: bytes.subarray(0, PRIVATE_KEY_BYTES),
      publicKey: bytes.subarray(PRIVATE_KEY_BYTES, identityBytes),
    },
    recipientKeys,
  };
}
