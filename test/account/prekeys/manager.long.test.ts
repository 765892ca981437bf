import { KyberPreKeyRecord, PreKeyRecord, SignedPreKeyRecord } from '@signalapp/libsignal-client';
import type { Change, Store } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PreKeys } from '#dist/src/account/prekeys/manager.js';
import {
  decodePreKeys,
  encodePreKeys,
  type PreKeysRecord,
} from '#dist/src/store/tables/account.js';
import { DISKS, openAccountScene, type AccountScene } from '../../harness/account-scene.js';
import type { AccountAnswer, AccountRequestName } from '../../fakes/stand-in-account-service.js';
import { WatchedStore } from '../../fakes/watched-store.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { bytesOf, receiveFirst } from './receive-first.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const TABLES = ['preKey', 'signedPreKey', 'kyberPreKey'] as const;

describe.each(DISKS)('prekeys, in $name', ({ make }) => {
  const disk = { current: make() };
  let scene: AccountScene;
  let preKeys: PreKeys;
  let clock: ManualClock;

  beforeEach(async () => {
    clock = new ManualClock();
    disk.current = make();
    scene = await openAccountScene(await disk.current.open(), undefined, { clock });
    preKeys = new PreKeys(scene.runtime, scene.service);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await scene.close();
    await disk.current.remove();
  });
  const reopen = async (wrap: (store: Store) => Store = (store) => store): Promise<void> => {
    const { service } = scene;
    await scene.close();
    scene = await openAccountScene(wrap(await disk.current.open()), service, { clock });
    preKeys = new PreKeys(scene.runtime, service);
  };

  const kept = async (table: (typeof TABLES)[number]): Promise<number[]> => {
    const entries = await scene.store.list(table, { limit: 10_000 });
    return entries.map(({ key }) => Number(key)).sort((a, b) => a - b);
  };
  const counts = async (): Promise<number[]> =>
    (await Promise.all(TABLES.map(kept))).map(({ length }) => length);
  const state = async (): Promise<PreKeysRecord> => {
    const [bytes] = await scene.store.getMany('account', ['prekeys']);
    return decodePreKeys(bytes!);
  };
  const uploads = (): object[] =>
    scene.service.accountRequests.flatMap(({ name, request }) =>
      name === 'uploadPreKeys' ? [request as object] : [],
    );
  /** Kinds of prekeys in the last upload. */
  const uploaded = (): string[] => uploads().slice(-1).flatMap(Object.keys).sort();
  const ids = (list: readonly { readonly id: number }[]): number[] =>
    list.map(({ id }) => id).sort((a, b) => a - b);
  const take = (count: number): void => {
    for (let i = 0; i < count; i++) scene.service.takeBundle();
  };

  it('are a hundred one-time ones of each kind, a signed and a last-resort one, all of them in the store', async () => {
    await preKeys.maintain();
    const {
      preKeys: oneTime,
      kyberPreKeys,
      signedPreKey,
      lastResortKyberPreKey,
    } = scene.service.preKeys;
    expect(await kept('preKey')).toEqual(ids(oneTime));
    expect(await kept('signedPreKey')).toEqual([signedPreKey!.id]);
    expect(await kept('kyberPreKey')).toEqual(ids([...kyberPreKeys, lastResortKyberPreKey!]));
    expect([oneTime.length, kyberPreKeys.length]).toEqual([100, 100]);
    expect(new Set(ids(oneTime)).size).toBe(100);
    expect(new Set(ids([...kyberPreKeys, lastResortKyberPreKey!])).size).toBe(101);
  });

  it('are in the store as libsignal reads them, with the halves that were uploaded, signed with our identity key', async () => {
    await preKeys.maintain();
    const identityKey = scene.service.sender.identityKeyPair.publicKey;
    const {
      preKeys: oneTime,
      kyberPreKeys,
      signedPreKey,
      lastResortKyberPreKey,
    } = scene.service.preKeys;
    for (const { id, publicKey } of oneTime) {
      const record = PreKeyRecord.deserialize(await bytesOf(scene.store, 'preKey', id));
      expect(record.id()).toBe(id);
      expect(Buffer.compare(record.publicKey().serialize(), publicKey)).toBe(0);
      expect(Buffer.compare(record.privateKey().getPublicKey().serialize(), publicKey)).toBe(0);
    }
    const signed = SignedPreKeyRecord.deserialize(
      await bytesOf(scene.store, 'signedPreKey', signedPreKey!.id),
    );
    expect([signed.id(), signed.timestamp()]).toEqual([signedPreKey!.id, clock.now()]);
    expect(Buffer.compare(signed.publicKey().serialize(), signedPreKey!.publicKey)).toBe(0);
    expect(
      identityKey.verify(signed.publicKey().serialize(), Uint8Array.from(signedPreKey!.signature)),
    ).toBe(true);
    for (const { id, publicKey, signature } of [...kyberPreKeys, lastResortKyberPreKey!]) {
      const record = KyberPreKeyRecord.deserialize(await bytesOf(scene.store, 'kyberPreKey', id));
      expect([record.id(), record.timestamp()]).toEqual([id, clock.now()]);
      expect(Buffer.compare(record.publicKey().serialize(), publicKey)).toBe(0);
      expect(identityKey.verify(Uint8Array.from(publicKey), Uint8Array.from(signature))).toBe(true);
    }
  });

  it('begin sessions: libsignal decrypts with the stored records what was encrypted for the uploaded ones', async () => {
    await preKeys.maintain();
    // With one-time prekeys, and without any.
    for (const isRunOut of [false, true]) {
      if (isRunOut)
        scene.service.preKeys = { ...scene.service.preKeys, preKeys: [], kyberPreKeys: [] };
      const { text, kyberId } = await receiveFirst(scene, 'a first message');
      expect(text).toBe('a first message');
      expect((await preKeys.lastResortsAmong([kyberId])).has(kyberId)).toBe(isRunOut);
    }
  });

  it('are left alone while there are enough of them, and the signed ones are new', async () => {
    await preKeys.maintain();
    take(90);
    clock.jump(2 * DAY_MS - 1);
    await preKeys.maintain();
    expect(uploads()).toHaveLength(1);
    expect(await counts()).toEqual([100, 1, 101]);
  });

  it('are a new hundred where fewer than ten are left, of the kind that has run low', async () => {
    await preKeys.maintain();
    take(91);
    const before = scene.service.preKeys;
    await preKeys.maintain();
    expect(uploaded()).toEqual(['kyberPreKeys', 'preKeys']);
    const { preKeys: oneTime, kyberPreKeys } = scene.service.preKeys;
    expect([oneTime.length, kyberPreKeys.length]).toEqual([100, 100]);
    // None of those that may have been handed out is made again, or gone.
    expect(oneTime.filter(({ id }) => before.preKeys.some((known) => known.id === id))).toEqual([]);
    expect(await counts()).toEqual([200, 1, 201]);

    scene.service.preKeys = {
      ...scene.service.preKeys,
      kyberPreKeys: scene.service.preKeys.kyberPreKeys.slice(0, 9),
    };
    await preKeys.maintain();
    expect(uploaded()).toEqual(['kyberPreKeys']);
    expect(await counts()).toEqual([200, 1, 301]);
  });

  it('that are signed are replaced every two days, and by a clock that was set back', async () => {
    await preKeys.maintain();
    const first = scene.service.preKeys;
    clock.jump(2 * DAY_MS);
    await preKeys.maintain();
    expect(uploaded()).toEqual(['lastResortKyberPreKey', 'signedPreKey']);
    const second = scene.service.preKeys;
    expect(second.signedPreKey!.id).not.toBe(first.signedPreKey!.id);
    expect(second.lastResortKyberPreKey!.id).not.toBe(first.lastResortKyberPreKey!.id);
    clock.jump(-DAY_MS);
    await preKeys.maintain();
    expect(uploads()).toHaveLength(3);
    expect(await counts()).toEqual([100, 3, 103]);
    for (const { id } of [first.lastResortKyberPreKey!, second.lastResortKyberPreKey!]) {
      expect((await preKeys.lastResortsAmong([id])).has(id)).toBe(true);
    }
    expect(
      (await preKeys.lastResortsAmong([first.kyberPreKeys[0]!.id])).has(first.kyberPreKeys[0]!.id),
    ).toBe(false);
  });

  it('that are signed are kept thirty days when replaced, and one-time ones ninety', async () => {
    await preKeys.maintain();
    const first = scene.service.preKeys;
    take(95);
    // As a Receiver notes it (see src/receive/batch.ts).
    const use = `${first.lastResortKyberPreKey!.id}/`;
    const uses = Array.from({ length: 3 }, (_, i) => `${use}${first.signedPreKey!.id}/05${i}`);
    await scene.store.commit(
      uses.map((key) => ({ table: 'kyberPreKey', key, value: Uint8Array.of(1) })),
    );
    clock.jump(2 * DAY_MS);
    await preKeys.maintain();
    const replacedMs = clock.now();
    const has = async (): Promise<boolean[]> => [
      (await kept('signedPreKey')).includes(first.signedPreKey!.id),
      (await kept('kyberPreKey')).includes(first.lastResortKyberPreKey!.id),
      (await kept('preKey')).includes(first.preKeys[99]!.id),
      (await kept('kyberPreKey')).includes(first.kyberPreKeys[99]!.id),
    ];
    const hasAt = async (days: number, extraMs: number): Promise<boolean[]> => {
      clock.jump(replacedMs + days * DAY_MS + extraMs - clock.now());
      await preKeys.maintain();
      return has();
    };
    expect(await hasAt(30, 0)).toEqual([true, true, true, true]);
    expect(await hasAt(30, 1)).toEqual([false, false, true, true]);
    expect(await hasAt(90, 0)).toEqual([false, false, true, true]);
    expect(await hasAt(90, 1)).toEqual([false, false, false, false]);
    expect(
      (await preKeys.lastResortsAmong([first.lastResortKyberPreKey!.id])).has(
        first.lastResortKyberPreKey!.id,
      ),
    ).toBe(false);
    expect(await scene.store.list('kyberPreKey', { prefix: use, limit: 1 })).toEqual([]);
    // What the service has is kept, however old.
    const { preKeys: current, signedPreKey } = scene.service.preKeys;
    expect(await kept('preKey')).toEqual(ids(current));
    expect(await kept('signedPreKey')).toContain(signedPreKey!.id);
  });

  it('have ids that follow one another over restarts, and begin again behind the highest one', async () => {
    await preKeys.maintain();
    const known = await state();
    const value = encodePreKeys({
      ...known,
      nextPreKeyId: 0xff_ffff - 1,
      nextKyberPreKeyId: 0xff_ffff,
    });
    await scene.store.commit([{ table: 'account', key: 'prekeys', value }]);
    await reopen();
    take(100);
    await preKeys.maintain();
    const { preKeys: oneTime, kyberPreKeys } = scene.service.preKeys;
    expect(oneTime.slice(0, 3).map(({ id }) => id)).toEqual([0xff_fffe, 0xff_ffff, 1]);
    expect(kyberPreKeys.slice(0, 2).map(({ id }) => id)).toEqual([0xff_ffff, 1]);
    expect(await state()).toMatchObject({ nextPreKeyId: 99, nextKyberPreKeyId: 100 });
    expect(ids(oneTime).at(0)).toBe(1);
  });

  it('begin with other ids on each device that is set up again', async () => {
    await preKeys.maintain();
    const other = await openAccountScene();
    await new PreKeys(other.runtime, other.service).maintain();
    const firstIds = [scene, other].map(({ service }) => service.preKeys.signedPreKey!.id);
    expect(firstIds[0]).not.toBe(firstIds[1]);
    await other.close();
  });

  it('are maintained once for all callers at once', async () => {
    await Promise.all([preKeys.maintain(), preKeys.maintain(), preKeys.maintain()]);
    expect(scene.service.accountRequests.map(({ name }) => name)).toEqual([
      'countPreKeys',
      'uploadPreKeys',
    ]);
  });

  it('of an earlier life of the account are replaced by the first call, however many there are', async () => {
    const foreign = Array.from({ length: 60 }, (_, i) => ({
      id: i + 1,
      publicKey: new Uint8Array(33),
      signature: new Uint8Array(64),
    }));
    scene.service.preKeys = { preKeys: foreign, kyberPreKeys: foreign };
    scene.service.answer('uploadPreKeys', { status: 'unavailable' });
    await expect(preKeys.maintain()).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
    expect(scene.service.preKeys.preKeys).toBe(foreign);
    scene.service.answer('uploadPreKeys', undefined);
    await preKeys.maintain();
    expect(uploaded()).toEqual([
      'kyberPreKeys',
      'lastResortKyberPreKey',
      'preKeys',
      'signedPreKey',
    ]);
    const { preKeys: oneTime, kyberPreKeys } = scene.service.preKeys;
    expect(await kept('preKey')).toEqual(expect.arrayContaining(ids(oneTime)));
    expect(await kept('kyberPreKey')).toEqual(expect.arrayContaining(ids(kyberPreKeys)));
    expect((await receiveFirst(scene, 'to us')).text).toBe('to us');
  });

  it('that the service refused are not kept', async () => {
    scene.service.answer('uploadPreKeys', { status: 'rate-limited', retryAfterMs: 5 });
    for (let call = 0; call < 3; call++) {
      await expect(preKeys.maintain()).rejects.toMatchObject({ code: 'ERR_RATE_LIMITED' });
      expect(await counts()).toEqual([0, 0, 0]);
    }
  });

  describe('whose upload was cut off', () => {
    it.each<[AccountRequestName, AccountAnswer, string]>([
      ['countPreKeys', { status: 'unavailable' }, 'ERR_SERVICE_UNAVAILABLE'],
      ['uploadPreKeys', { status: 'unavailable' }, 'ERR_SERVICE_UNAVAILABLE'],
      ['uploadPreKeys', { status: 'rate-limited', retryAfterMs: 5 }, 'ERR_RATE_LIMITED'],
      ['uploadPreKeys', { status: 'rejected', httpStatus: 422 }, 'ERR_SERVICE_REJECTED'],
    ])(
      'by %s answered %j are good by the next call, and of none there are more than wanted',
      async (name, answer, code) => {
        scene.service.answer(name, answer);
        for (let call = 0; call < 3; call++)
          await expect(preKeys.maintain()).rejects.toMatchObject({ code });
        await reopen();
        await expect(preKeys.maintain()).rejects.toMatchObject({ code });
        scene.service.answer(name, undefined);
        await preKeys.maintain();
        expect(await counts()).toEqual([100, 1, 101]);
        expect(await kept('preKey')).toEqual(ids(scene.service.preKeys.preKeys));
        expect((await receiveFirst(scene, 'after all')).text).toBe('after all');
        await preKeys.maintain();
        expect(await counts()).toEqual([100, 1, 101]);
      },
    );

    it('by a lost answer count as uploaded where the service has them; signed ones go up again', async () => {
      await preKeys.maintain();
      take(95);
      clock.jump(2 * DAY_MS);
      scene.service.answer('uploadPreKeys', 'lost');
      await expect(preKeys.maintain()).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
      scene.service.answer('uploadPreKeys', undefined);
      const { signedPreKey } = scene.service.preKeys;
      await reopen();
      await preKeys.maintain();
      expect(uploaded()).toEqual(['lastResortKyberPreKey', 'signedPreKey']);
      expect(scene.service.preKeys.signedPreKey).toEqual(signedPreKey);
      expect(await counts()).toEqual([200, 2, 202]);
      expect((await state()).preKeys.every(({ uploadedMs }) => uploadedMs > 0)).toBe(true);
    });

    it('by a lost answer are not handed out twice where they are the first of this device', async () => {
      scene.service.answer('uploadPreKeys', 'lost');
      await expect(preKeys.maintain()).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
      scene.service.answer('uploadPreKeys', undefined);
      const handedOut = [scene.service.takeBundle(), scene.service.takeBundle()].map(
        ({ preKeyId }) => preKeyId,
      );
      await reopen();
      await preKeys.maintain();
      expect(ids(scene.service.preKeys.preKeys).filter((id) => handedOut.includes(id))).toEqual([]);
      expect(scene.service.preKeys.preKeys).toHaveLength(100);
      expect(await kept('preKey')).toEqual(expect.arrayContaining(handedOut));
    });

    it('by a lost answer, and used since, are not uploaded again', async () => {
      scene.service.answer('uploadPreKeys', 'lost');
      await expect(preKeys.maintain()).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
      scene.service.answer('uploadPreKeys', undefined);
      const { id } = scene.service.preKeys.preKeys[0]!;
      take(95);
      // As a receiver does with the message that was begun with it.
      await scene.store.commit([{ table: 'preKey', key: String(id), value: null }]);
      const before = ids(scene.service.preKeys.preKeys);
      await preKeys.maintain();
      const now = ids(scene.service.preKeys.preKeys);
      expect(now).toHaveLength(100);
      expect(now.filter((known) => before.includes(known) || known === id)).toEqual([]);
    });

    it.each([
      ['before the commit of the records', 'before', 0, 100],
      ['behind the commit of the records', 'after', 0, 100],
      // They may be somebody else's, for all that the counts tell.
      ['before the commit that they are uploaded', 'before', 1, 200],
      ['behind the commit that they are uploaded', 'after', 1, 100],
    ] as const)(
      'by a crash %s are good at the next start',
      async (_title, moment, crashAt, count) => {
        let commits = 0;
        const crash = (changes: readonly Change[]): void => {
          if (changes.some(({ key }) => key === 'prekeys') && commits++ === crashAt)
            throw new Error('it is gone');
        };
        await reopen((store) => new WatchedStore(store, { [moment]: crash }));
        await expect(preKeys.maintain()).rejects.toThrow('it is gone');
        await reopen();
        await preKeys.maintain();
        expect(await counts()).toEqual([count, 1, count + 1]);
        const {
          preKeys: oneTime,
          kyberPreKeys,
          lastResortKyberPreKey,
          signedPreKey,
        } = scene.service.preKeys;
        expect(await kept('preKey')).toEqual(expect.arrayContaining(ids(oneTime)));
        expect(await kept('kyberPreKey')).toEqual(
          expect.arrayContaining(ids([...kyberPreKeys, lastResortKyberPreKey!])),
        );
        expect(await kept('signedPreKey')).toEqual([signedPreKey!.id]);
        expect((await receiveFirst(scene, 'after the crash')).text).toBe('after the crash');
      },
    );

    it('are never at the service before they are in the store', async () => {
      const missing: number[] = [];
      scene.service.accountIntercepts.set('uploadPreKeys', async (_count, request) => {
        const { preKeys: list } = request as { preKeys: { id: number }[] };
        const records = await scene.store.getMany(
          'preKey',
          list.map(({ id }) => String(id)),
        );
        missing.push(...records.flatMap((record, i) => (record === undefined ? [i] : [])));
        return undefined;
      });
      await preKeys.maintain();
      expect(uploads()).toHaveLength(1);
      expect(missing).toEqual([]);
    });
  });
});
