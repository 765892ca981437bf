import type { AuthenticatedChatConnection } from '@signalapp/libsignal-client/dist/net.js';
import type { DeviceAccount, ServiceDescription } from '../../mock-service/mock-service.js';
import { netOf } from '../../mock-service/net.js';
import type { Inbox } from './inbox.js';

/**
 * A connection as the account, for what a Transport does not do: prekeys of one's own, and what
 * comes in.
 */
export function connectAs(
  { aci, deviceId, password }: DeviceAccount,
  service: ServiceDescription,
  inbox: Inbox,
): Promise<AuthenticatedChatConnection> {
  return netOf(service).connectAuthenticatedChat(`${aci}.${deviceId}`, password, false, inbox);
}
