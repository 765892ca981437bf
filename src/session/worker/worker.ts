import { PrivateKey, PublicKey, SessionRecord } from '@signalapp/libsignal-client';
import { decryptAll } from './decrypt.js';
import { encryptAll } from './encrypt.js';
import { decryptGroups } from './group.js';
import {
  type RatchetReply,
  type RatchetRequest,
  type ArchiveReply,
  type ArchiveRequest,
  pack,
  unpack,
} from '../protocol.js';
import { describePreKeys, generatePreKeys } from './prekeys.js';

export type { PrivateKey as OwnPrivateKey } from '@signalapp/libsignal-client';

/** Of our ACI. */
let aciPrivateKey: PrivateKey | undefined;

/**
 * A worker's side of the ratchet. libsignal keeps the private key of our ACI in this thread from
 * its first use to its end; a request about our PNI brings that one's.
 *
 * @param copyPrivateKey gives our private key, 32 bytes, which are wiped here.
 */
export async function runRatchet(
  request: RatchetRequest,
  copyPrivateKey: () => Uint8Array<ArrayBuffer>,
): Promise<RatchetReply> {
  if (request.kind === 'archive') return archiveAll(request);
  if (request.kind === 'group') return decryptGroups(request);
  if (request.kind === 'describe-prekeys') return describePreKeys(request);
  const given = request.kind === 'encrypt' ? undefined : request.privateKey;
  const privateKey = given === undefined ? ownPrivateKey(copyPrivateKey) : take(given);
  if (request.kind === 'generate-prekeys') return generatePreKeys(request, privateKey);
  return request.kind === 'decrypt'
    ? decryptAll(request, privateKey)
    : encryptAll(request, privateKey);
}

/** The private key of our ACI, which libsignal keeps in this thread from its first use on. */
export const ownPrivateKey = (copyPrivateKey: () => Uint8Array<ArrayBuffer>): PrivateKey =>
  (aciPrivateKey ??= take(copyPrivateKey()));

/** Reads a private key, and wipes its bytes. */
function take(bytes: Uint8Array<ArrayBuffer>): PrivateKey {
  try {
    return PrivateKey.deserialize(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Ends current sessions: no more is sent with them, what comes late can still be decrypted. */
export function archiveAll({ sessions, ratchetKeys }: ArchiveRequest): ArchiveReply {
  const keys = ratchetKeys === undefined ? [] : unpack(ratchetKeys);
  return { sessions: pack(unpack(sessions).map((record, i) => archive(record, keys[i]))) };
}

function archive(
  recordBytes: Uint8Array<ArrayBuffer> | undefined,
  ratchetKey: Uint8Array<ArrayBuffer> | undefined,
): Uint8Array<ArrayBuffer> | undefined {
  if (recordBytes === undefined) return undefined;
  try {
    const record = SessionRecord.deserialize(recordBytes);
    if (
      ratchetKey !== undefined &&
      !record.currentRatchetKeyMatches(PublicKey.deserialize(ratchetKey))
    )
      return undefined;
    record.archiveCurrentState();
    return record.serialize();
  } catch {
    return undefined;
  }
}
