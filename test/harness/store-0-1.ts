// A store that version 0.1 wrote (commit 6765af0): a finished broadcast, one that was cut off, one
// that still ingests, and a row of every other kind. The records are in
// test/fixtures/store-0.1.json as that version decoded them; of a value that is libsignal's or the
// service's it has the SHA-256.
import { readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  IdentityKeyPair,
  PrivateKey,
  ProtocolAddress,
  SessionRecord,
} from '@signalapp/libsignal-client';
import type { TableName } from 'sealcast';
import { StandInService, type Subscriber } from '../fakes/stand-in-service.js';

interface KeptSubscriber {
  readonly aci: string;
  readonly identityPrivateKey: Uint8Array<ArrayBuffer>;
  readonly profileKey: Uint8Array<ArrayBuffer>;
  readonly devices: readonly {
    readonly deviceId: number;
    readonly registrationId: number;
    /** The device's session with the account. */
    readonly session: Uint8Array<ArrayBuffer> | null;
  }[];
}
interface Store01 {
  readonly encryptionKey: Uint8Array<ArrayBuffer>;
  readonly subscribers: Readonly<Record<string, KeptSubscriber>>;
  readonly tables: Readonly<Record<TableName, Readonly<Record<string, object>>>>;
}

interface AccountFields {
  readonly aci: string;
  readonly deviceId: number;
  readonly identityPrivateKey: Uint8Array<ArrayBuffer>;
}

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../fixtures/${name}`, import.meta.url));

/** What the store has in it. */
export const STORE_0_1 = JSON.parse(
  fixture('store-0.1.json').toString(),
  (_key, value: unknown) => {
    const { base64 } = (value ?? {}) as { readonly base64?: string };
    return base64 === undefined ? value : new Uint8Array(Buffer.from(base64, 'base64'));
  },
) as Store01;

export type Store01Kind = 'plain' | 'encrypted';

/** Puts the store into a new directory. @returns what `openStore` takes */
export function putStore01(
  path: string,
  kind: Store01Kind,
): { path: string; encryptionKey?: Uint8Array } {
  mkdirSync(path);
  const name = kind === 'plain' ? 'store-0.1.mdb.gz' : 'encrypted-store-0.1.mdb.gz';
  writeFileSync(join(path, 'data.mdb'), gunzipSync(fixture(name)), { mode: 0o600 });
  return kind === 'plain' ? { path } : { path, encryptionKey: STORE_0_1.encryptionKey };
}

/**
 * The service of the store's account: its subscribers' devices go on with the sessions that they
 * had.
 */
export async function serviceOfStore01(): Promise<StandInService> {
  const service = new StandInService();
  const { aci, deviceId, identityPrivateKey } = STORE_0_1.tables.account['self'] as AccountFields;
  const ownKey = PrivateKey.deserialize(identityPrivateKey);
  const identityKeyPair = new IdentityKeyPair(ownKey.getPublicKey(), ownKey);
  Object.assign(service.sender, { aci, deviceId, identityKeyPair });
  for (const kept of Object.values(STORE_0_1.subscribers)) {
    const identityKey = PrivateKey.deserialize(kept.identityPrivateKey);
    const subscriber: Subscriber = {
      aci: kept.aci,
      identity: new IdentityKeyPair(identityKey.getPublicKey(), identityKey),
      profileKey: kept.profileKey,
      access: 'key',
      registered: true,
      devices: new Map(),
    };
    for (const device of kept.devices) {
      // addDevice adds one to the number that it finds.
      const before = { stores: { registrationId: device.registrationId - 1 } };
      subscriber.devices.set(device.deviceId, before as never);
      const { stores } = await service.addDevice(subscriber, device.deviceId);
      if (device.session === null) continue;
      await stores.sessions.saveSession(
        ProtocolAddress.new(aci, deviceId),
        SessionRecord.deserialize(device.session),
      );
    }
    service.subscribers.set(subscriber.aci, subscriber);
  }
  return service;
}
