import type { SenderCertificateCache } from '../access/sender-certificate.js';
import type { PniSignature } from '../content/index.js';
import type { AccountRecord } from '../store/tables/account.js';
import type { Transport } from '../transport/transport.js';
import type { RecipientLocks } from '../session/recipient-locks.js';
import type { MeasuredClock } from '../util/service-clock.js';
import type { BroadcasterEvents } from './options.js';
import type { EventSink } from '../util/event-relay.js';
import type { Policies } from '../runtime/options.js';
import type { Outbox } from './outbox.js';
import type { PreKeyFetches } from './flow/prekey-fetches.js';
import type { ResendRequests } from './delivery.js';
import type { SessionClient } from '../session/session-client.js';
import type { SharedEncryption } from '../session/shared-encryption.js';
import type { SealQueue } from '../runtime/seal-queue.js';
import type { OwnDeviceSender } from '../runtime/own-device-sender.js';
import type { OwnProfileKey } from '../runtime/own-profile-key.js';
import type { SendGuard } from '../runtime/send-guard.js';
import type { Telemetry } from '../runtime/telemetry.js';

/** Parts that all broadcasts of a Broadcaster share. */
export interface BroadcastContext {
  /** As it is now: its profile key may change. */
  readonly account: () => AccountRecord;
  /** Whether sends wait for the answer which profile key is the present one. */
  readonly profileKey: Pick<OwnProfileKey, 'isDoubted' | 'settled'>;
  /** Joins our present PNI with our ACI, for contacts who wrote to the PNI. */
  readonly pniSignature: () => PniSignature | undefined;
  readonly policies: Policies;
  readonly outbox: Outbox;
  readonly transport: Transport;
  readonly sessionClient: SessionClient;
  readonly firstSessions: SharedEncryption;
  readonly seals: SealQueue;
  readonly certificates: Pick<SenderCertificateCache, 'get' | 'ready' | 'isUsable' | 'settleClock'>;
  readonly locks: RecipientLocks;
  readonly resends: ResendRequests;
  readonly preKeys: PreKeyFetches;
  readonly guard: SendGuard;
  readonly ownDevices: Pick<OwnDeviceSender, 'send'>;
  readonly telemetry: Telemetry;
  readonly events: EventSink<BroadcasterEvents>;
  readonly clock: MeasuredClock;
  /** Name of the list that the recipients come from; undefined: they come from the caller. */
  readonly list?: string | undefined;
  /** Hears of each recipient whose delivery has ended. */
  readonly onPartEnded?: (serviceId: string) => void;
}
