import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listContacts, type DamagedEntry, type Store, type TableName } from 'sealcast';
import { DamageLog, isDamaged } from '#dist/src/store/damage.js';
import { TABLES, type Change } from '#dist/src/store/store.js';
import { broadcastChange, scanBroadcasts } from '#dist/src/store/tables/broadcasts.js';
import {
  contactChange,
  findContacts,
  isReadable,
  loadContacts,
  NEW_CONTACT,
} from '#dist/src/store/tables/contacts.js';
import { Inbox, type InboxRecord } from '#dist/src/store/tables/inbox.js';
import { loadRows, outboxKey, rowChange, scanRows } from '#dist/src/store/tables/outbox.js';
import { kyberUseChange, kyberUseKey, knownKyberUses } from '#dist/src/store/tables/prekeys.js';
import { loadSessions, sessionChange } from '#dist/src/store/tables/sessions.js';
import { encodeMessage } from '#dist/src/content/index.js';
import { ResendQueue } from '#dist/src/runtime/resend-queue.js';
import { DamagedStore, STORE_KINDS } from '../harness/damaged-stores.js';

const ids = Array.from({ length: 5 }, (_, i) => `9d0652a3-dcc3-4d11-975f-74d6159873${10 + i}`);
const [A = '', B = '', C = ''] = ids;
const BROADCASTS = ['news.1', 'news-2', 'news-3'];

const all = async <Value>(values: AsyncIterable<Value>): Promise<Value[]> => {
  const collected: Value[] = [];
  for await (const value of values) collected.push(value);
  return collected;
};
const broadcast = (id: string, i: number): Change =>
  broadcastChange(id, {
    state: 'sending',
    content: encodeMessage({ body: 'a text' }, 1_000 + i),
    timestamp: 1_000 + i,
    urgent: true,
    createdAtMs: 1,
    finishedAtMs: 0,
    invalidRecipients: 0,
  });
const INBOX_ROW: InboxRecord = {
  sender: A,
  senderDevice: 1,
  sealed: true,
  timestamp: 1,
  serverTimestamp: 1,
  envelopeType: 'whisper',
  content: new Uint8Array(2),
};
const PREKEY_USE = { kyberPreKeyId: 1, signedPreKeyId: 2, baseKey: 'ab' };

describe.each(STORE_KINDS)('a %s store with a damaged record', (kind) => {
  let kept: DamagedStore;
  beforeEach(async () => {
    kept = await DamagedStore.make(kind);
    const inbox = new Inbox(kept.store);
    await kept.store.commit([
      ...ids.map((id) => contactChange(id, { ...NEW_CONTACT, lastSeenMs: 5 })),
      ...ids.flatMap((id) => [1, 2].map((device) => sessionChange(id, device, new Uint8Array(9)))),
      ...BROADCASTS.map(broadcast),
      ...BROADCASTS.flatMap((id) =>
        ids.map((serviceId) => rowChange(id, serviceId, { state: 'done', status: 'sealed' })),
      ),
      ...[1, 2, 3].map((batch) => inbox.messageChange(batch, 0, INBOX_ROW)),
      kyberUseChange(PREKEY_USE),
    ]);
  });
  afterEach(() => kept.remove());

  const damage = (...records: [TableName, string][]): Promise<Store> => kept.damage(records);
  const isKnown = kind === 'encrypted';

  it.each([
    ['contact', A],
    ['session', `${A}.2`],
    ['broadcast', 'news.1'],
    ['outbox', `news.1/${A}`],
    ['inbox', 'm/00000000000001/000000'],
  ] as const)('of table %s lists all others, and names the key', async (table, key) => {
    const before = await kept.store.list(table, { limit: 100 });
    const store = await damage([table, key]);
    const damaged: DamagedEntry[] = [];
    const listed = await store.list(table, {
      limit: 100,
      onDamaged: (entry) => damaged.push(entry),
    });
    const others = before.filter((entry) => entry.key !== key);
    // Bytes without encryption are as good as others: the reader of the record finds the damage.
    expect(listed.filter((entry) => entry.key !== key)).toEqual(others);
    expect(damaged.map((entry) => entry.key)).toEqual(isKnown ? [key] : []);
    for (const other of TABLES.filter((name) => name !== table))
      await expect(store.list(other, { limit: 100 })).resolves.toBeDefined();
  });

  it('pages through the others in pages of any length', async () => {
    const store = await damage(['contact', A], ['contact', B]);
    const found: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await store.list('contact', { limit: 1, ...(after !== undefined && { after }) });
      after = page.at(-1)?.key;
      if (after === undefined) break;
      found.push(after);
    }
    const readable = kind === 'plain' ? ids : ids.slice(2);
    expect(found.sort()).toEqual(readable);
  });

  it('of a contact lists the other contacts, and counts it once', async () => {
    const store = await damage(['contact', A]);
    for (let round = 0; round < 2; round++) {
      const contacts = await all(listContacts(store));
      expect(contacts.map(({ serviceId }) => serviceId).sort()).toEqual(ids.slice(1));
    }
    expect(DamageLog.of(store).countOf('contact')).toBe(1);
  });

  it('of a contact reads the contacts asked for with it', async () => {
    const store = await damage(['contact', B]);
    const [a, b, c] = await findContacts(store, [A, B, C]);
    expect([a, c]).toMatchObject([{ lastSeenMs: 5 }, { lastSeenMs: 5 }]);
    expect(isReadable(b!)).toBe(false);
    expect(b).toMatchObject({ code: 'ERR_STORE_FAILED', table: 'contact', serviceId: B });
    await expect(loadContacts(store, [A, B])).rejects.toSatisfy((error) => isDamaged(error));
  });

  it('of a session has none there', async () => {
    const store = await damage(['session', `${A}.1`]);
    const [, other] = await loadSessions(store, [`${A}.1`, `${A}.2`]);
    expect(other).toEqual(new Uint8Array(9));
  });

  it('of a broadcast lists the other broadcasts, and their retry requests are answered', async () => {
    const store = await damage(['broadcast', 'news.1']);
    const found = await all(scanBroadcasts(store));
    expect(found.map(({ id }) => id).sort()).toEqual(['news-2', 'news-3']);
    const resends = new ResendQueue(store);
    expect((await resends.requeue(A, 1_001))?.changes).toMatchObject([{ table: 'outbox' }]);
    expect(await resends.requeue(A, 1_000)).toBeUndefined();
  });

  it('of a delivery reads the other deliveries, and says whose it is', async () => {
    const store = await damage(['outbox', outboxKey('news-2', B)]);
    const pages = await all(scanRows(store, 'news-2'));
    expect(pages.flatMap(({ rows }) => rows)).toHaveLength(4);
    expect(pages.flatMap(({ damaged }) => damaged)).toMatchObject([
      { serviceId: B, error: { code: 'ERR_STORE_FAILED', table: 'outbox' } },
    ]);
    const [a, b] = await loadRows(store, 'news-2', [A, B]);
    expect(a).toEqual({ state: 'done', status: 'sealed' });
    expect(b).toMatchObject({ table: 'outbox' });
    expect(await new ResendQueue(store).requeue(B, 1_001)).toBeUndefined();
  });

  it('of the inbox gives the other messages, and never its number again', async () => {
    const store = await damage(['inbox', 'm/00000000000003/000000']);
    const rows = await all(new Inbox(store).messages());
    expect(rows.map(({ batch, row }) => [batch, row?.sender])).toEqual([
      [1, A],
      [2, A],
      [3, undefined],
    ]);
  });

  it('of a used prekey counts it as used', async () => {
    const store = await damage(['kyberPreKey', kyberUseKey(PREKEY_USE)]);
    expect(await knownKyberUses(store, [kyberUseKey(PREKEY_USE)])).toEqual(
      new Set([kyberUseKey(PREKEY_USE)]),
    );
  });
});

describe('an encrypted store whose records about a contact are all damaged', () => {
  it('lists each without its key', async () => {
    const kept = await DamagedStore.make('encrypted');
    try {
      await kept.store.commit([
        contactChange(A, NEW_CONTACT),
        broadcast('news', 0),
        rowChange('news', A, { state: 'done', status: 'sealed' }),
      ]);
      const store = await kept.damage([
        ['contact', A],
        ['outbox', `news/${A}`],
      ]);
      const damaged: DamagedEntry[] = [];
      for (const table of ['contact', 'outbox'] as const)
        await store.list(table, { limit: 5, onDamaged: (entry) => damaged.push(entry) });
      expect(damaged.map(({ key }) => key)).toEqual([undefined, undefined]);
      expect(new Set(damaged.map(({ name }) => name)).size).toBe(2);
    } finally {
      await kept.remove();
    }
  });
});
