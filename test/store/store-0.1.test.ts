import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Broadcaster, openStore, type Store, type TableName } from 'sealcast';
import { encodeContent } from '#dist/src/content/index.js';
import * as account from '#dist/src/store/tables/account.js';
import { decodeBroadcast, encodeBroadcast } from '#dist/src/store/tables/broadcasts.js';
import {
  decodeContact,
  encodeContact,
  type ContactRecord,
} from '#dist/src/store/tables/contacts.js';
import {
  decodeInbox,
  decodeRetry,
  encodeInbox,
  encodeRetry,
} from '#dist/src/store/tables/inbox.js';
import { decodeOutbox, encodeOutbox } from '#dist/src/store/tables/outbox.js';
import { TABLES } from '#dist/src/store/store.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StandInService } from '../fakes/stand-in-service.js';
import { STORE_0_1, putStore01, serviceOfStore01, type Store01Kind } from '../harness/store-0-1.js';
import { temporaryDirectory } from '../harness/store-files.js';

const KINDS: readonly Store01Kind[] = ['plain', 'encrypted'];

let directory: ReturnType<typeof temporaryDirectory>;
let store: Store | undefined;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await store?.close();
  directory.remove();
});

async function open(kind: Store01Kind): Promise<Store> {
  store = await openStore(putStore01(join(directory.path, 'store'), kind));
  return store;
}

function openBroadcaster(service: StandInService, of: Store): Promise<Broadcaster> {
  return Broadcaster.open({
    store: of,
    transport: service,
    trustRoots: [service.trustRoot],
    threads: 1,
    unsealedFallback: 'when-denied',
    keepFinishedMs: Number.MAX_SAFE_INTEGER,
  });
}

interface Codec<Fields extends object> {
  readonly decode: (value: Uint8Array) => Fields;
  readonly encode?: (fields: Fields) => Uint8Array;
}
const codec = <Fields extends object>(
  decode: (value: Uint8Array) => Fields,
  encode: (fields: Fields) => Uint8Array,
): Codec<object> => ({ decode, encode: encode as (fields: object) => Uint8Array });

/** As version 0.1 encoded it: without the access key, the last field, of 2 + 1 + 16 bytes. */
function encodeContact01(contact: ContactRecord): Uint8Array {
  const bytes = encodeContact(contact);
  return contact.profileKey === undefined ? bytes : bytes.subarray(0, bytes.length - 19);
}

const OPAQUE: Codec<object> = {
  decode: (value) => ({ sha256: createHash('sha256').update(value).digest('hex') }),
};
const ACCOUNT: Readonly<Record<string, Codec<object>>> = {
  self: codec(account.decodeAccount, account.encodeAccount),
  attributes: codec(account.decodeAttributes, account.encodeAttributes),
  profile: codec(account.decodeProfile, account.encodeProfile),
  rotation: codec(account.decodeRotation, account.encodeRotation),
  prekeys: codec(account.decodePreKeys, account.encodePreKeys),
};
const MESSAGE = codec(decodeInbox, encodeInbox);
const RETRY = codec(decodeRetry, encodeRetry);
const CODECS: Partial<Record<TableName, (key: string) => Codec<object> | undefined>> = {
  account: (key) => ACCOUNT[key],
  contact: () => codec(decodeContact, encodeContact01),
  broadcast: () => codec(decodeBroadcast, encodeBroadcast),
  outbox: () => codec(decodeOutbox, encodeOutbox),
  inbox: (key) => (key.startsWith('m/') ? MESSAGE : RETRY),
};

/** Broadcasts as they are today: a Content in place of the text. */
function broadcastsOf01(): Record<string, object> {
  const broadcasts = Object.entries(STORE_0_1.tables.broadcast) as [
    string,
    { body: string; timestamp: number },
  ][];
  return Object.fromEntries(
    broadcasts.map(([id, { body, ...record }]) => [
      id,
      { ...record, content: encodeContent({ dataMessage: { body, timestamp: record.timestamp } }) },
    ]),
  );
}

describe.each(KINDS)('a store that version 0.1 wrote (%s)', (kind) => {
  test.each(TABLES)('opens with all rows of its table %s', async (table) => {
    const rows = await (await open(kind)).list(table, { limit: 1000 });
    const found: Record<string, object> = {};
    for (const { key, value } of rows) {
      const { decode, encode } = CODECS[table]?.(key) ?? OPAQUE;
      found[key] = decode(value);
      if (encode !== undefined) expect(encode(found[key])).toEqual(value);
    }
    // Version 0.1 had no lists.
    const rows01 =
      table === 'broadcast' ? broadcastsOf01() : table === 'list' ? {} : STORE_0_1.tables[table];
    expect(found).toEqual(rows01);
  });

  test('sends the rest of a broadcast that was cut off', async () => {
    const service = await serviceOfStore01();
    const broadcaster = await openBroadcaster(service, await open(kind));
    const { timestamp, body } = STORE_0_1.tables.broadcast['news-2'] as {
      readonly timestamp: number;
      readonly body: string;
    };
    try {
      const resumed = await broadcaster.resume();
      expect(new Map(resumed.map(({ id, status }) => [id, status]))).toEqual(
        new Map([
          ['news-2', 'finished'],
          ['news-3', 'needs-recipients'],
          ['too-long', 'finished'],
        ]),
      );
      const { queued, encrypted, newcomer, 'encrypted-with-timer': timed } = STORE_0_1.subscribers;
      expect(resumed.find(({ id }) => id === 'news-2')).toMatchObject({
        summary: { recipients: 7, sealed: 4, unsealed: 1, failed: 2, timestamp },
      });
      const got = service.arrivals.map(({ recipient, deviceId, message, timestamp: sentAt }) => {
        const { body: text, expireTimer, expireTimerVersion, profileKey } = message;
        expect({ body: text, timestamp: Number(message.timestamp), sentAt }).toEqual({
          body,
          timestamp,
          sentAt: timestamp,
        });
        expect(profileKey).toEqual(
          (STORE_0_1.tables.account['self'] as { profileKey: Uint8Array }).profileKey,
        );
        return [`${recipient}.${deviceId}`, expireTimer ?? 0, expireTimerVersion ?? 0];
      });
      expect(new Set(got)).toEqual(
        new Set([
          [`${queued?.aci}.1`, 0, 0],
          [`${encrypted?.aci}.1`, 0, 0],
          [`${encrypted?.aci}.3`, 0, 0],
          [`${timed?.aci}.1`, 3600, 5],
          [`${newcomer?.aci}.1`, 0, 0],
        ]),
      );
    } finally {
      await broadcaster.close();
    }
  });

  test('goes on with a broadcast of the same text, and with no other', async () => {
    const service = await serviceOfStore01();
    const broadcaster = await openBroadcaster(service, await open(kind));
    try {
      const { queued, sealed } = STORE_0_1.subscribers;
      const other = broadcaster.broadcast({ body: 'Another third text' }, [], { id: 'news-3' });
      await expect(other.summary()).rejects.toMatchObject({ code: 'ERR_BROADCAST_MISMATCH' });
      const same = broadcaster.broadcast({ body: 'The third text' }, [sealed!.aci], {
        id: 'news-3',
      });
      await expect(same.summary()).resolves.toMatchObject({ recipients: 2, sealed: 2 });
      expect(service.textsOf(service.subscribers.get(queued!.aci)!)).toEqual(['The third text']);
    } finally {
      await broadcaster.close();
    }
  });
});
