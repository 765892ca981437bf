import { MemoryStore } from 'sealcast';
import { expect, it } from 'vitest';
import { Devices } from '#dist/src/account/devices.js';
import { OWN_LOCKS } from '#dist/src/runtime/own-locks.js';
import { credentialsChange, loadCredentials } from '#dist/src/store/tables/credentials.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';
import { openAccountScene } from '../harness/account-scene.js';
import { manyTurns } from '../harness/await-condition.js';

it('a device that unlinks itself keeps no credentials that a sync message is about to change', async () => {
  const service = new StandInAccountService();
  Object.assign(service.sender, { deviceId: 2 });
  const store = new MemoryStore();
  const credentials = { password: 'secret', capabilities: {}, createdAtMs: 1 };
  await store.commit([credentialsChange(credentials)]);
  const scene = await openAccountScene(store, service);
  // As the batch with the sync message does, from the read of the credentials to its commit.
  const release = await scene.runtime.locks.acquire([OWN_LOCKS.records]);
  const known = await loadCredentials(store);
  if (known === undefined) throw new Error('no credentials');
  const transport = Object.assign(service, {
    removeDevice: () => Promise.resolve({ status: 'ok' } as const),
  });
  const devices = new Devices(scene.runtime, transport, new AbortController().signal);
  const unlinked = devices.unlink(undefined);
  await manyTurns();
  await store.commit([credentialsChange({ ...known, readReceipts: true })]);
  release();
  await unlinked;
  expect(await loadCredentials(store)).toBeUndefined();
  await scene.close();
});
