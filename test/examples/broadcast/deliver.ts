import { Aci } from '@signalapp/libsignal-client';
import type { AnonymousConnection } from './connect.js';
import type { Sealed } from './recipients.js';

/** Sends a recipient's envelopes as nobody: the access key says that the recipient lets this sender send, not who it is. */
export async function deliverTo(
  connection: AnonymousConnection,
  timestampMs: number,
  recipient: Sealed,
): Promise<Sealed> {
  const { serviceId, accessKey, devices } = recipient;
  await connection.sendMessage({
    destination: Aci.parseFromServiceIdString(serviceId),
    timestamp: timestampMs,
    contents: devices.map(({ deviceId, registrationId, envelope }) => ({
      deviceId,
      registrationId,
      contents: envelope,
    })),
    auth: { accessKey },
    onlineOnly: false,
    urgent: true,
  });
  return recipient;
}
