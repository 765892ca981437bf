import { Readable } from 'node:stream';
import {
  MemoryStore,
  openList,
  type ImportedRow,
  type ImportOptions,
  type SubscriberList,
  type Transport,
  type UsernameOutcome,
} from 'sealcast';
import { beforeEach, describe, expect, test } from 'vitest';
import { StandInService } from '../fakes/stand-in-service.js';
import { aciOf, itemsOf } from './list-scene.js';

const [ada, ben, cem] = [aciOf(1), aciOf(2), aciOf(3)];
/** The link of libsignal's documentation: 48 bytes in base64url. */
const LINK_BYTES = Buffer.concat([
  Buffer.alloc(32, 7),
  Buffer.from(cem.replaceAll('-', ''), 'hex'),
]);
const LINK = `https://signal.me/#eu/${LINK_BYTES.toString('base64url')}`;

let list: SubscriberList;
beforeEach(async () => {
  list = await openList(new MemoryStore(), 'news');
});

const importText = (text: string, options?: ImportOptions): Promise<ImportedRow[]> =>
  itemsOf(list.importCsv([text], options));
const exported = async (): Promise<string> => (await itemsOf(list.exportCsv())).join('');

/** A transport that answers look-ups with these outcomes, the last one again and again. */
function lookingUp(...outcomes: readonly UsernameOutcome[]): {
  readonly transport: Transport;
  readonly asked: unknown[];
} {
  const asked: unknown[] = [];
  const transport: Transport = Object.assign(new StandInService(), {
    lookUpUsername: (request: unknown): Promise<UsernameOutcome> => {
      asked.push(request);
      const outcome = outcomes[Math.min(asked.length, outcomes.length) - 1];
      return Promise.resolve(outcome ?? { status: 'not-found' });
    },
  });
  return { transport, asked };
}

describe('an import', () => {
  test('adds members with tags and personal fields', async () => {
    const rows = await importText(
      `recipient,tags,name\n${ada},ferry; bus,Ada\n${ben.toUpperCase()},,\n`,
    );
    expect(rows).toEqual([
      { row: 2, status: 'added', serviceId: ada },
      { row: 3, status: 'added', serviceId: ben },
    ]);
    expect(await list.get(ada)).toMatchObject({ tags: ['ferry', 'bus'], fields: { name: 'Ada' } });
    expect(await list.get(ben)).toMatchObject({ tags: [], fields: {} });
  });

  test('changes a member, and leaves what its empty cells say nothing of', async () => {
    await list.add(ada, { tags: ['ferry'], fields: { name: 'Ada', town: 'Ulm' } });
    const rows = await importText(`recipient,tags,name\n${ada},,Ada L.\n`, { tags: ['2026'] });
    expect(rows).toMatchObject([{ status: 'updated' }]);
    expect(await list.get(ada)).toMatchObject({
      tags: ['ferry', '2026'],
      fields: { name: 'Ada L.', town: 'Ulm' },
    });
  });

  test('reads a Node stream, a web stream and bytes that are cut anywhere', async () => {
    const bytes = Buffer.from(`recipient,name\n${ada},Ädä 🙂\n${ben},Ben\n`);
    await itemsOf(list.importCsv(Readable.from([bytes.subarray(0, 53), bytes.subarray(53)])));
    expect((await list.get(ada))?.fields).toEqual({ name: 'Ädä 🙂' });
    const web = new Blob([bytes]).stream() as unknown as AsyncIterable<Uint8Array>;
    expect(await itemsOf(list.importCsv(web))).toHaveLength(2);
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
    expect(await itemsOf(list.importCsv(single))).toMatchObject([
      { status: 'updated' },
      { status: 'updated' },
    ]);
  });

  test.each([
    ['phone,recipient,aci', `+491511234567,${ada},x`],
    ['uuid,Recipient', `x,${ada}`],
    ['phone,username,ACI', `+491511234567,ada.42,${ada}`],
    ['link,serviceId', `x,${ada}`],
    ['number,uuid', `1,${ada}`],
    ['number,phone,link,service_id', `1,2,x,${ada}`],
  ])('with the columns %s takes the recipient from the best one', async (head, row) => {
    expect(await importText(`${head}\n${row}\n`)).toEqual([
      { row: 2, status: 'added', serviceId: ada },
    ]);
    expect(Object.keys((await list.get(ada))?.fields ?? {})).toHaveLength(
      head.split(',').length - 1,
    );
  });

  test.each([
    ['phone,username', '+491511234567,ada.42'],
    ['number,link', `+491511234567,${LINK}`],
    ['link,phone,username', `x,+491511234567,ada.42`],
  ])('with the columns %s prefers those that can be looked up', async (head, row) => {
    const { transport } = lookingUp({ status: 'ok', aci: cem });
    expect(await importText(`${head}\n${row}\n`, { transport })).toMatchObject([
      { status: 'added', serviceId: cem },
    ]);
  });

  test('of one person twice ends with the later row', async () => {
    const rows = await importText(`recipient,name\n${ada},A\n${ada},B\n`);
    expect(rows.map(({ status }) => status)).toEqual(['added', 'updated']);
    expect((await list.get(ada))?.fields).toEqual({ name: 'B' });
  });

  test('adds no person who left by their own word, unless it resubscribes', async () => {
    await list.remove(ada, { reason: 'stop' });
    const text = `recipient\n${ada}\n${ben}\n`;
    expect(await importText(text)).toEqual([
      { row: 2, status: 'suppressed', serviceId: ada },
      { row: 3, status: 'added', serviceId: ben },
    ]);
    expect(await list.count()).toBe(1);
    expect(await importText(text, { resubscribe: true })).toMatchObject([
      { status: 'added' },
      { status: 'updated' },
    ]);
  });

  test.each([
    ['+49 151 1234567', /phone number: the service gives only a PNI/],
    ['(0151) 123-4567', /phone number/],
    ['tel:+4915112345678', /phone number/],
    ['https://signal.me/#p/+4915112345678', /phone number/],
    [`PNI:${ada}`, /nothing can be sealed to a PNI/],
    ['', /no recipient/],
    ['Ada Lovelace', /no ACI, username or signal.me link/],
    ['https://signal.me/#eu/abc', /no ACI, username or signal.me link/],
    ['ada.42', /looked up by a transport/],
    [LINK, /looked up by a transport/],
  ])('fails the row of %j with the reason, and goes on', async (recipient, reason) => {
    const rows = await importText(`name,recipient\nx,"${recipient}"\ny,${ben}\n`);
    expect(rows).toEqual([
      {
        row: 2,
        status: 'failed',
        error: expect.objectContaining({ code: 'ERR_RECIPIENT_INVALID', index: 2 }) as Error,
      },
      { row: 3, status: 'added', serviceId: ben },
    ]);
    expect(rows[0]?.error?.message).toMatch(/^row 2: /);
    expect(rows[0]?.error?.message).toMatch(reason);
  });

  test('fails a row with a field or a tag out of bounds', async () => {
    const rows = await importText(
      `recipient,tags,name\n${ada},,${'x'.repeat(1_025)}\n${ben},${'t'.repeat(65)},\n${cem},a\n`,
    );
    expect(rows.map(({ status, error }) => [status, error?.field])).toEqual([
      ['failed', 'fields.name'],
      ['failed', 'tags'],
      ['failed', undefined],
    ]);
    expect(await list.count()).toBe(0);
  });

  test('fails a row by which a member would have too many fields', async () => {
    const fields = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`f${i}`, 'x']));
    await list.add(ada, { fields });
    const [row] = await importText(`recipient,one-more\n${ada},x\n`);
    expect(row).toMatchObject({ status: 'failed', error: { index: 2, field: 'fields' } });
    expect(Object.keys((await list.get(ada))?.fields ?? {})).toHaveLength(32);
  });

  test.each([
    ['no column for recipients', 'name,town\nx,y\n', 1],
    ['two columns of one name', 'recipient,name,name\n', 1],
    ['a column name with a blank', 'recipient,first name\n', 1],
    ['a quote without an end', `recipient\n${ada}\n"x`, 3],
  ])('is refused with %s, naming the row', async (_fault, text, index) => {
    await expect(importText(text)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'source',
      index,
    });
  });

  test('imports the rows before a fault of the file', async () => {
    const rows: ImportedRow[] = [];
    await expect(
      (async () => {
        for await (const row of list.importCsv([`recipient\n${ada}\n"x"y`])) rows.push(row);
      })(),
    ).rejects.toMatchObject({ index: 3 });
    expect(rows).toMatchObject([{ row: 2, status: 'added' }]);
    expect(await list.count()).toBe(1);
  });

  test('is refused where the bytes are no UTF-8', async () => {
    const bytes = Buffer.from(`recipient,name\n${ada},M\u00fcller\n`, 'latin1');
    await expect(itemsOf(list.importCsv([bytes]))).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'source',
    });
  });

  test('refuses a source that is no iterable of parts, and options that it does not know', () => {
    expect(() => list.importCsv('recipient\n' as never)).toThrow(/source must be/);
    expect(() => list.importCsv([], { dryRun: true } as never)).toThrow(/dryRun/);
  });

  test('passes on that the source broke off', async () => {
    async function* broken(): AsyncGenerator<string> {
      yield await Promise.resolve(`recipient\n${ada}\n`);
      throw new Error('disk');
    }
    await expect(itemsOf(list.importCsv(broken()))).rejects.toMatchObject({
      field: 'source',
      cause: expect.objectContaining({ message: 'disk' }) as Error,
    });
  });

  test('stops when its signal fires', async () => {
    const signal = AbortSignal.abort();
    await expect(importText(`recipient\n${ada}\n`, { signal })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(await list.count()).toBe(0);
  });

  test('commits thousands of rows', async () => {
    const lines = Array.from({ length: 3_000 }, (_, i) => aciOf(i));
    const rows = await importText(`recipient\n${lines.join('\n')}\n`);
    expect(rows).toHaveLength(3_000);
    expect(rows.at(-1)).toEqual({ row: 3_001, status: 'added', serviceId: aciOf(2_999) });
    expect(await list.count()).toBe(3_000);
  });
});

describe('usernames and links', () => {
  test('are looked up through the transport', async () => {
    const { transport, asked } = lookingUp({ status: 'ok', aci: ada }, { status: 'ok', aci: cem });
    const rows = await importText(`recipient\nAda.42\n${LINK}\n${ben}\n`, { transport });
    expect(rows.map(({ serviceId }) => serviceId)).toEqual([ada, cem, ben]);
    expect(asked).toEqual([
      { username: 'Ada.42' },
      { link: { uuid: cem, entropy: new Uint8Array(32).fill(7) } },
    ]);
  });

  test('of no account fail their rows', async () => {
    const { transport } = lookingUp({ status: 'not-found' });
    expect(await importText('recipient\nada.42\n', { transport })).toMatchObject([
      { status: 'failed', error: { code: 'ERR_RECIPIENT_UNREGISTERED', index: 2 } },
    ]);
  });

  test('are asked for again after the time that the service wants', async () => {
    const { transport, asked } = lookingUp(
      { status: 'rate-limited', retryAfterMs: 1 },
      { status: 'ok', aci: ada },
    );
    const rows = await importText('recipient\nada.42\n', { transport, maxRetryAfterMs: 1 });
    expect(rows).toMatchObject([{ status: 'added', serviceId: ada }]);
    expect(asked).toHaveLength(2);
  });

  test('are not asked for while the service wants a longer wait than is allowed', async () => {
    const { transport, asked } = lookingUp({ status: 'rate-limited', retryAfterMs: 900_000 });
    const rows = await importText(`recipient\nada.42\nben.42\n${cem}\n`, { transport });
    expect(rows).toMatchObject([
      { status: 'failed', error: { code: 'ERR_RATE_LIMITED', retryAfterMs: 900_000 } },
      { status: 'failed', error: { code: 'ERR_RATE_LIMITED' } },
      { status: 'added' },
    ]);
    expect(rows[1]?.error?.retryAfterMs).toBeGreaterThan(800_000);
    expect(asked).toHaveLength(1);
  });

  test('are looked up so often and not more', async () => {
    const { transport, asked } = lookingUp({ status: 'ok', aci: ada });
    const rows = await importText('recipient\nada.42\nben.42\n', { transport, maxLookUps: 1 });
    expect(rows).toMatchObject([
      { status: 'added' },
      { status: 'failed', error: { code: 'ERR_RATE_LIMITED' } },
    ]);
    expect(asked).toHaveLength(1);
  });

  test('with an answer that is no ACI fail their rows', async () => {
    const { transport } = lookingUp({ status: 'ok', aci: 'x' });
    expect(await importText('recipient\nada.42\n', { transport })).toMatchObject([
      { status: 'failed', error: { code: 'ERR_SERVICE_REJECTED' } },
    ]);
  });
});

describe('an export', () => {
  test('is imported again as it was', async () => {
    await list.add(ada, { tags: ['ferry', 'bus'], fields: { name: 'Ada "L", x', town: 'a\r\nb' } });
    await list.add(ben, { fields: { größe: ' 1,80 ' } });
    await list.add(cem);
    const text = await exported();
    expect(text).toMatch(/^recipient,tags,größe,name,town\r\n/);
    const copy = await openList(new MemoryStore(), 'copy');
    await itemsOf(copy.importCsv([text]));
    const facts = async (of: SubscriberList): Promise<unknown> =>
      (await itemsOf(of.members())).map(({ joinedMs: _joinedMs, ...rest }) => rest);
    expect(await facts(copy)).toEqual(await facts(list));
  });

  test('of a segment has its members alone', async () => {
    await list.add(ada, { tags: ['ferry'] });
    await list.add(ben, { fields: { name: 'Ben' } });
    const parts = await itemsOf(list.exportCsv({ tag: 'ferry' }));
    expect(parts.join('')).toBe(`recipient,tags\r\n${ada},ferry\r\n`);
  });
});
