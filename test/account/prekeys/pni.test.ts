import type { PublicKey } from '@signalapp/libsignal-client';
import { MemoryStore } from 'sealcast';
import { PreKeys } from '#dist/src/account/prekeys/manager.js';
import { loadPreKeyState } from '#dist/src/store/tables/account.js';
import { loadPreKeys } from '#dist/src/store/tables/prekeys.js';
import { expect, it } from 'vitest';
import { MailboxService } from '../../fakes/mailbox-service.js';
import { OwnPniFake } from '../../fakes/own-pni.js';
import { openAccountScene } from '../../harness/account-scene.js';

it('prekeys of the PNI are signed by its identity key, and apart from those of the ACI', async () => {
  const store = new MemoryStore();
  const pni = new OwnPniFake(new MailboxService(), store);
  await pni.publish();
  const scene = await openAccountScene(store);
  try {
    await new PreKeys(scene.runtime, scene.service).maintain();
    await new PreKeys(scene.runtime, scene.service, 'pni').maintain();
    const { preKeys, pniPreKeys, sender } = scene.service;
    const isSignedBy = ({ signedPreKey }: typeof preKeys, key: PublicKey): boolean =>
      signedPreKey !== undefined &&
      key.verify(Uint8Array.from(signedPreKey.publicKey), Uint8Array.from(signedPreKey.signature));
    expect(isSignedBy(preKeys, sender.identityKeyPair.publicKey)).toBe(true);
    expect(isSignedBy(pniPreKeys, pni.identity.publicKey)).toBe(true);
    expect(isSignedBy(pniPreKeys, sender.identityKeyPair.publicKey)).toBe(false);
    expect([pniPreKeys.preKeys.length, pniPreKeys.kyberPreKeys.length]).toEqual([100, 100]);
    const ids = pniPreKeys.preKeys.map(({ id }) => id);
    const records = await loadPreKeys(store, 'preKey', ids, 'pni');
    expect(records.every((record) => record !== undefined)).toBe(true);
    const [aciState, pniState] = [
      await loadPreKeyState(store),
      await loadPreKeyState(store, 'pni'),
    ];
    expect(pniState?.preKeys).toHaveLength(1);
    expect(aciState).not.toEqual(undefined);
  } finally {
    await scene.close();
  }
});

it('a PNI has no prekeys where its credentials are gone from the store', async () => {
  const store = new MemoryStore();
  const pni = new OwnPniFake(new MailboxService(), store);
  await pni.publish();
  const scene = await openAccountScene(store);
  try {
    await store.commit([{ table: 'account', key: 'credentials', value: null }]);
    await expect(new PreKeys(scene.runtime, scene.service, 'pni').maintain()).rejects.toMatchObject(
      {
        code: 'ERR_STORE_FAILED',
      },
    );
    expect(scene.service.pniPreKeys.preKeys).toEqual([]);
  } finally {
    await scene.close();
  }
});
