import { PrivateKey, SessionRecord } from '@signalapp/libsignal-client';
import { encryptAll } from './encrypt.js';
import type { ArchiveReply, ArchiveRequest, EncryptReply, EncryptRequest } from './messages.js';
import { pack, unpack } from './packed.js';

let privateKey: PrivateKey | undefined;

/**
 * What a worker does of the ratchet. libsignal keeps our private key in this thread from its first use to its end.
 *
 * @param copyPrivateKey gives our private key, 32 bytes, which are wiped here.
 */
export async function runRatchet(
  request: EncryptRequest | ArchiveRequest,
  copyPrivateKey: () => Uint8Array<ArrayBuffer>,
): Promise<EncryptReply | ArchiveReply> {
  if (request.kind === 'archive') return { sessions: pack(unpack(request.sessions).map(archive)) };
  if (privateKey === undefined) {
    const bytes = copyPrivateKey();
    privateKey = PrivateKey.deserialize(bytes);
    bytes.fill(0);
  }
  return encryptAll(request, privateKey);
}

function archive(recordBytes: Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (recordBytes === undefined) return undefined;
  try {
    const record = SessionRecord.deserialize(recordBytes);
    record.archiveCurrentState();
    return record.serialize();
  } catch {
    return undefined;
  }
}
