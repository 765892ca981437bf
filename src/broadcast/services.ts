import type { SenderCertificateCache } from '../access/sender-certificate.js';
import type { AccountRecord } from '../store/records.js';
import type { Transport } from '../transport/transport.js';
import type { AddressLocks } from '../account/address-locks.js';
import type { MeasuredClock } from '../util/service-clock.js';
import type { Notify } from './events.js';
import type { Policies } from '../account/options.js';
import type { Outbox } from './outbox.js';
import type { PreKeyFetches } from './prekey-fetches.js';
import type { ResendRequests } from '../account/resend-queue.js';
import type { RatchetClient } from '../account/ratchet-client.js';
import type { SealQueue } from '../account/seal-queue.js';
import type { SendGuard } from '../account/send-guard.js';
import type { Telemetry } from '../account/telemetry.js';

/** What all broadcasts of a Broadcaster share. */
export interface Services {
  /** As it is now: its profile key may change. */
  readonly account: () => AccountRecord;
  readonly policies: Policies;
  readonly outbox: Outbox;
  readonly transport: Transport;
  readonly ratchet: RatchetClient;
  readonly seals: SealQueue;
  readonly certificates: Pick<SenderCertificateCache, 'get' | 'isUsable'>;
  readonly locks: AddressLocks;
  readonly resends: ResendRequests;
  readonly preKeys: PreKeyFetches;
  readonly guard: SendGuard;
  readonly telemetry: Telemetry;
  readonly notify: Notify;
  readonly clock: MeasuredClock;
  /** Hears of each recipient whose part has ended. */
  readonly onPartEnded?: (serviceId: string) => void;
}
