// What has to hold of broadcasts however often they were cut off, of what the service took and what
// the store keeps. Each check gives what is wrong, in words: nothing, if all is well.
import { SignalMessage } from '@signalapp/libsignal-client';
import { openStore } from 'sealcast';
import { decodeBroadcast, type BroadcastRecord } from '#dist/src/store/tables/broadcasts.js';
import { decodeOutbox, type OutboxRecord } from '#dist/src/store/tables/outbox.js';
import { readBytesFields } from '../reference/protobuf.js';
import type { Arrival, StandInService } from '../fakes/stand-in-service.js';

/** A broadcast, as a store keeps it. */
export interface KeptBroadcast {
  readonly record: BroadcastRecord | undefined;
  readonly rows: ReadonlyMap<string, OutboxRecord>;
}

/** What a store on the disk that nobody has open keeps of a broadcast. */
export async function keptBroadcast(path: string, id: string): Promise<KeptBroadcast> {
  const store = await openStore({ path });
  try {
    const [record] = await store.getMany('broadcast', [id]);
    const prefix = `${id}/`;
    const rows = await store.list('outbox', { prefix, limit: Number.MAX_SAFE_INTEGER });
    return {
      record: record && decodeBroadcast(record),
      rows: new Map(rows.map(({ key, value }) => [key.slice(prefix.length), decodeOutbox(value)])),
    };
  } finally {
    await store.close();
  }
}

/**
 * A SignalMessage is its version, a protobuf (1: ratchet key), and 8 bytes of MAC; a
 * PreKeySignalMessage has one as field 4.
 */
function messageKeyOf({ type, ciphertext }: Arrival): string {
  const message =
    type === 'whisper' ? ciphertext : readBytesFields(ciphertext.subarray(1), [4]).get(4)!;
  const ratchetKey = readBytesFields(message.subarray(1, -8), [1]).get(1)!;
  const counter = SignalMessage.deserialize(Uint8Array.from(message)).counter();
  return `${Buffer.from(ratchetKey).toString('hex')} ${counter}`;
}

const nameOf = ({ recipient, deviceId }: Arrival): string => `${recipient}.${deviceId}`;

/** Ciphertexts that came under one name, where they are not all the same. */
function namesOfSeveral(
  arrivals: readonly Arrival[],
  name: (arrival: Arrival) => string,
): string[] {
  const first = new Map<string, Buffer>();
  const several = new Set<string>();
  for (const arrival of arrivals) {
    const known = first.get(name(arrival));
    if (known === undefined) first.set(name(arrival), arrival.ciphertext);
    else if (!known.equals(arrival.ciphertext)) several.add(name(arrival));
  }
  return [...several];
}

/** Message keys that two ciphertexts were made with. */
export const reusedMessageKeys = ({ arrivals }: StandInService): string[] =>
  namesOfSeveral(arrivals, (arrival) => `${nameOf(arrival)}: ${messageKeyOf(arrival)}`);

/**
 * Devices that got one message (a timestamp) as two ciphertexts: no receiver recognises the second
 * as a duplicate.
 */
export const sentTwice = ({ arrivals }: StandInService): string[] =>
  namesOfSeveral(arrivals, (arrival) => `${nameOf(arrival)} at ${arrival.timestamp}`);

/** Devices that did not read these texts, each once, in this order. */
export function misread(service: StandInService, texts: readonly string[]): string[] {
  const read = new Map<string, (string | undefined)[]>();
  for (const arrival of service.arrivals) {
    if (arrival.duplicate) continue;
    const name = nameOf(arrival);
    read.set(name, [...(read.get(name) ?? []), arrival.message.body]);
  }
  const devices = [...service.subscribers.values()].flatMap(({ aci, devices: own }) =>
    [...own.keys()].map((deviceId) => `${aci}.${deviceId}`),
  );
  const expected = texts.join(', ');
  return devices.flatMap((name) => {
    const got = (read.get(name) ?? []).join(', ');
    return got === expected ? [] : [`${name} read: ${got}`];
  });
}

/**
 * Messages of the broadcast that the service took, and of which the store does not know: neither
 * done nor this ciphertext.
 */
export function sentButNotKept(service: StandInService, { record, rows }: KeptBroadcast): string[] {
  const own = service.arrivals.filter(({ timestamp }) => timestamp === record?.timestamp);
  return own.flatMap((arrival) => {
    const row = rows.get(arrival.recipient);
    if (row?.state === 'done') return [];
    if (row?.state !== 'encrypted')
      return [`${nameOf(arrival)} was sent to, and its row is ${row?.state ?? 'not there'}`];
    const isKept = row.devices.some(({ ciphertext }) => arrival.ciphertext.equals(ciphertext));
    return isKept ? [] : [`${nameOf(arrival)} was sent another ciphertext than its row has`];
  });
}
