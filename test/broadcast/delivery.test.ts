import { afterEach, describe, expect, it } from 'vitest';
import { MemoryStore, SealcastError } from 'sealcast';
import type { Access } from '#dist/src/access/access-mode.js';
import {
  DeliveryRows,
  UNREGISTERED,
  accepted,
  acceptedStatus,
  addedChange,
  failure,
  mayHaveArrived,
  nextState,
  prunedChange,
  requestedChange,
  type DeliveryEvent,
  type DeliveryState,
} from '#dist/src/broadcast/delivery.js';
import { decodeOutbox, type OutboxRecord } from '#dist/src/store/tables/outbox.js';
import type { Change } from '#dist/src/store/store.js';
import {
  acis,
  deliveryTo,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import { WatchedStore } from '../fakes/watched-store.js';

const ID = 'broadcast';
const RECIPIENT = '9d0652a3-dcc3-4d11-975f-74d61598733f';
const IDENTITY_KEY = new Uint8Array(33).fill(5);
const DEVICES = [
  { deviceId: 1, registrationId: 7, type: 'whisper', ciphertext: new Uint8Array(3) },
] as const;

const QUEUED: OutboxRecord = { state: 'queued' };
const ENCRYPTED: OutboxRecord = { state: 'encrypted', identityKey: IDENTITY_KEY, devices: DEVICES };
const DONE: OutboxRecord = { state: 'done', status: 'sealed' };
const rowOf = ({ value }: Change): OutboxRecord | undefined =>
  value === null ? undefined : decodeOutbox(value);

const STATES = ['none', 'queued', 'encrypted', 'done', 'damaged'] as const;
const ILLEGAL = undefined;
/** Every event in every state, in the order of `STATES`. */
const TABLE: Readonly<Record<DeliveryEvent, readonly (DeliveryState | undefined)[]>> = {
  added: ['queued', ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL],
  encrypted: [ILLEGAL, 'encrypted', 'encrypted', ILLEGAL, ILLEGAL],
  ended: [ILLEGAL, 'done', 'done', ILLEGAL, 'done'],
  requested: [ILLEGAL, ILLEGAL, 'queued', 'queued', ILLEGAL],
  overtaken: [ILLEGAL, 'queued', 'queued', ILLEGAL, ILLEGAL],
  pruned: [ILLEGAL, 'none', 'none', 'none', 'none'],
};
const CASES = (Object.keys(TABLE) as DeliveryEvent[]).flatMap((event) =>
  STATES.map((from, i) => ({ event, from, to: TABLE[event][i] })),
);

describe('the transition table of a delivery', () => {
  it.each(CASES)('$from, $event: $to', ({ event, from, to }) => {
    if (to === ILLEGAL) expect(() => nextState(from, event)).toThrow(RangeError);
    else expect(nextState(from, event)).toBe(to);
  });

  it.each([
    ['none', undefined],
    ['queued', QUEUED],
    ['encrypted', ENCRYPTED],
    ['done', DONE],
  ] as const)('is the one that changes of rows are made by: %s', (from, row) => {
    const changes: [DeliveryEvent, () => Change][] = [
      ['added', () => addedChange(ID, RECIPIENT, row)],
    ];
    if (row !== undefined) {
      changes.push(['requested', () => requestedChange(ID, RECIPIENT, row)]);
      changes.push(['pruned', () => prunedChange(ID, RECIPIENT, row)]);
    }
    for (const [event, change] of changes) {
      const to = TABLE[event][STATES.indexOf(from)];
      if (to === ILLEGAL) expect(change).toThrow(RangeError);
      else {
        expect(change()).toMatchObject({ table: 'outbox', key: `${ID}/${RECIPIENT}` });
        expect(rowOf(change())?.state ?? 'none').toBe(to);
      }
    }
  });
});

describe('the rows of a run', () => {
  /** Rows of a run that tells of each answered request. */
  function openRows(): { rows: DeliveryRows; requested: Set<string>; answered: string[] } {
    const requested = new Set<string>();
    const answered: string[] = [];
    const rows = new DeliveryRows(ID, {
      isRequested: (id, serviceId) => requested.has(`${id}/${serviceId}`),
      answering: (id, serviceId) => {
        answered.push(`${id}/${serviceId}`);
        requested.delete(`${id}/${serviceId}`);
      },
    });
    return { rows, requested, answered };
  }
  const key = `${ID}/${RECIPIENT}`;
  const sealed = { recipient: RECIPIENT, status: 'sealed' } as const;

  it.each([
    ['new', undefined],
    ['queued', QUEUED],
    ['encrypted', ENCRYPTED],
  ] as const)(
    'go from a row that is %s through encrypted, as often as it takes, to done',
    (_title, row) => {
      const { rows } = openRows();
      rows.begin(RECIPIENT, row);
      for (let times = 0; times < 2; times++) {
        expect(rowOf(rows.encrypted(RECIPIENT, IDENTITY_KEY, DEVICES))).toEqual(ENCRYPTED);
      }
      expect(rowOf(rows.ended(sealed))).toEqual(DONE);
    },
  );

  it('record why a delivery failed, from queued too', () => {
    const { rows } = openRows();
    rows.begin(RECIPIENT, QUEUED);
    const error = new SealcastError('ERR_NO_PREKEYS', 'none');
    const row = rowOf(rows.ended({ recipient: RECIPIENT, status: 'failed', error }));
    expect(row).toEqual({ state: 'done', status: 'failed', errorCode: 'ERR_NO_PREKEYS' });
  });

  it('end once, and are neither encrypted before the run begins with them nor after their end', () => {
    const { rows } = openRows();
    expect(() => rows.ended(sealed)).toThrow(RangeError);
    expect(() => rows.encrypted(RECIPIENT, IDENTITY_KEY, DEVICES)).toThrow(RangeError);
    rows.begin(RECIPIENT, QUEUED);
    rows.ended(sealed);
    expect(() => rows.ended(sealed)).toThrow(RangeError);
    expect(() => rows.encrypted(RECIPIENT, IDENTITY_KEY, DEVICES)).toThrow(RangeError);
  });

  it('stay queued where the recipient asked for the message meanwhile', () => {
    const { rows, requested } = openRows();
    rows.begin(RECIPIENT, QUEUED);
    requested.add(key);
    expect(rowOf(rows.encrypted(RECIPIENT, IDENTITY_KEY, DEVICES))).toEqual(QUEUED);
    expect(rowOf(rows.ended(sealed))).toEqual(QUEUED);
    expect(() => rows.ended(sealed)).toThrow(RangeError);
  });

  it('answer a request by beginning again with what is queued, not with what is encrypted', () => {
    const { rows, requested, answered } = openRows();
    rows.begin(RECIPIENT, ENCRYPTED);
    expect(answered).toEqual([]);
    requested.add(key);
    rows.begin(RECIPIENT, QUEUED);
    expect(answered).toEqual([key]);
    expect(rowOf(rows.encrypted(RECIPIENT, IDENTITY_KEY, DEVICES))).toEqual(ENCRYPTED);
  });
});

describe('how a delivery ends', () => {
  const access: Access = { accessMode: 'unknown' };
  const disabled: Access = { accessMode: 'disabled' };
  const delivery = {
    serviceId: RECIPIENT,
    access,
    revision: 1,
    identityKey: IDENTITY_KEY,
    devices: DEVICES,
  };

  it('is sealed with the access that it was sent with, or unsealed, which proves no access', () => {
    expect(accepted(delivery)).toEqual({ kind: 'ended', status: 'sealed', sealedWith: access });
    expect(accepted({ ...delivery, access: disabled })).toEqual({
      kind: 'ended',
      status: 'unsealed',
    });
    expect(acceptedStatus(`PNI:${RECIPIENT}`, access)).toBe('unsealed');
  });

  it('is failed with an error, or unregistered without one', () => {
    const error = new SealcastError('ERR_RATE_LIMITED', 'later');
    expect(failure(error)).toEqual({ kind: 'ended', status: 'failed', error });
    expect(UNREGISTERED).toEqual({ kind: 'ended', status: 'unregistered' });
  });

  it.each([
    [QUEUED, true],
    [ENCRYPTED, true],
    [DONE, true],
    [{ state: 'done', status: 'unregistered' }, true],
    [{ state: 'done', status: 'failed', errorCode: 'ERR_SERVICE_REJECTED' }, true],
    [{ state: 'done', status: 'failed', errorCode: 'ERR_RECIPIENT_BLOCKED' }, false],
    [{ state: 'done', status: 'failed', errorCode: 'ERR_RECIPIENT_UNSUBSCRIBED' }, false],
    [{ state: 'done', status: 'failed', errorCode: 'ERR_RECIPIENT_INVALID' }, false],
  ] as const)('%j: the recipient may have the message: %s', (row, may) => {
    expect(mayHaveArrived(row)).toBe(may);
  });
});

describe('the end of a delivery in the store', () => {
  let scene: Scene | undefined;
  afterEach(async () => {
    await scene?.[Symbol.asyncDispose]();
    scene = undefined;
  });

  it.each([
    ['a stranger', 'fetchPreKeys', 'unregistered', 'not-found'],
    ['a recipient with a session', 'sendSealed', 'unregistered', 'not-found'],
    ['a recipient with a session', 'sendSealed', 'failed', 'too-large'],
  ] as const)('%s, %s: %s is committed once', async (who, request, status, answer) => {
    const rows: OutboxRecord[] = [];
    const note = (changes: readonly Change[]): void => {
      for (const { table, value } of changes)
        if (table === 'outbox' && value !== null) rows.push(decodeOutbox(value));
    };
    scene = await openScene({ store: new WatchedStore(new MemoryStore(), { after: note }) });
    const [subscriber = failTest('subscriber')] = await subscribeKnown(scene, 1);
    if (who !== 'a stranger')
      await scene.broadcaster.broadcast({ body: 'before' }, acis([subscriber])).summary();
    rows.length = 0;
    scene.service.intercepts.set(request, () => ({ status: answer }));
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status });
    expect(rows.map(({ state }) => state)).toEqual(
      who === 'a stranger' ? ['queued', 'done'] : ['queued', 'encrypted', 'done'],
    );
  });
});
