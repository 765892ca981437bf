import { libsignal } from '../access/libsignal.js';
import type { Change } from '../store/store.js';
import type { Device } from '../store/tables/contacts.js';
import { sessionChangeAt, sessionKey } from '../store/tables/sessions.js';
import { parseServiceId } from '../util/addresses.js';
import type { SourceDatabase, SourceRow } from './account-database.js';
import type { Tally } from './counts.js';

const MAX_DEVICE_ID = 127;
const MAX_REGISTRATION_ID = 0x3fff;
/** Longest session that a Receiver keeps. */
const MAX_SESSION_BYTES = 1024 * 1024;

/** Sessions of the source, and the devices with which one can go on. */
export class SourceSessions {
  /** Devices by service id, in the order of the rows. */
  readonly devices = new Map<string, Device[]>();

  /**
   * Reads the sessions, and yields changes that put them into the store, a page at a time.
   *
   * @param hasIdentity whether the identity key of a service id is known
   */
  *read(
    database: SourceDatabase,
    hasIdentity: (serviceId: string) => boolean,
    tally: Tally,
  ): Generator<Change[], void, void> {
    for (const page of database.pages('session'))
      yield page.flatMap((row) => this.#take(row, hasIdentity, tally));
  }

  #take(row: SourceRow, hasIdentity: (serviceId: string) => boolean, tally: Tally): Change[] {
    const identity = row.identity();
    const serviceId = parseServiceId(row.text('address'));
    const deviceId = row.integer('device_id') ?? 0;
    const record = row.bytes('record');
    const isAddress = serviceId !== null && deviceId >= 1 && deviceId <= MAX_DEVICE_ID;
    if (identity === undefined || !isAddress || record === undefined) {
      tally.skip('session-damaged');
      return [];
    }
    if (record.length > MAX_SESSION_BYTES) {
      tally.skip('session-too-large');
      return [];
    }
    // Nothing is sent in a session of the PNI: what comes in it proves its identity key.
    if (identity === 'aci' && !hasIdentity(serviceId)) {
      tally.skip('session-without-identity');
      return [];
    }
    let registrationId: number | undefined;
    try {
      const session = libsignal().SessionRecord.deserialize(record);
      // A session that was archived still opens messages that come late, and sends none.
      if (session.hasCurrentState()) registrationId = session.remoteRegistrationId();
    } catch {
      tally.skip('session-damaged');
      return [];
    }
    if (
      identity === 'aci' &&
      registrationId !== undefined &&
      registrationId >= 1 &&
      registrationId <= MAX_REGISTRATION_ID
    ) {
      const known = this.devices.get(serviceId) ?? [];
      this.devices.set(serviceId, [...known, { deviceId, registrationId }]);
    }
    tally.add('sessions');
    return [sessionChangeAt(sessionKey(serviceId, deviceId), record, identity)];
  }
}
