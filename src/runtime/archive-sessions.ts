import type { Change } from '../store/store.js';
import type { SessionClient } from '../session/session-client.js';
import { sessionChange, sessionKey } from '../store/tables/sessions.js';
import type { Records } from './records.js';

/**
 * Changes that archive a contact's sessions with these devices: nothing more is encrypted with them, and a message that comes late
 * can still be decrypted. The caller holds the contact's lock, and commits them.
 */
export async function archiveSessions(
  records: Records,
  sessionClient: SessionClient,
  serviceId: string,
  deviceIds: readonly number[],
): Promise<Change[]> {
  const sessions = await records.sessions(deviceIds.map((deviceId) => sessionKey(serviceId, deviceId)));
  const known = deviceIds.flatMap((deviceId, i) => {
    const record = sessions[i];
    return record === undefined ? [] : [{ deviceId, record }];
  });
  const archived = await sessionClient.archive(known.map(({ record }) => record));
  return known.flatMap(({ deviceId }, i) => {
    const record = archived[i];
    return record === undefined ? [] : [sessionChange(serviceId, deviceId, record)];
  });
}
