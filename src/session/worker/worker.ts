import { PrivateKey } from '@signalapp/libsignal-client';
import { archiveAll } from './archive.js';
import { decryptAll } from './decrypt.js';
import { encryptAll } from './encrypt.js';
import { decryptGroups } from './group.js';
import type { RatchetReply, RatchetRequest } from '../protocol.js';
import { describePreKeys, generatePreKeys } from './prekeys.js';

let privateKey: PrivateKey | undefined;

/**
 * A worker's side of the ratchet. libsignal keeps our private key in this thread from its first use
 * to its end.
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
  if (privateKey === undefined) {
    const bytes = copyPrivateKey();
    privateKey = PrivateKey.deserialize(bytes);
    bytes.fill(0);
  }
  if (request.kind === 'generate-prekeys') return generatePreKeys(request, privateKey);
  return request.kind === 'decrypt' ? decryptAll(request, privateKey) : encryptAll(request, privateKey);
}
