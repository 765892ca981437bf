import { PublicKey, SessionRecord } from '@signalapp/libsignal-client';
import type { ArchiveReply, ArchiveRequest } from '../protocol.js';
import { pack, unpack } from '../packed.js';

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
    if (ratchetKey !== undefined && !record.currentRatchetKeyMatches(PublicKey.deserialize(ratchetKey)))
      return undefined;
    record.archiveCurrentState();
    return record.serialize();
  } catch {
    return undefined;
  }
}
