import { MemoryStore } from 'sealcast';
import { Telemetry } from '#dist/src/runtime/telemetry.js';
import { BroadcastService } from '#dist/src/broadcast/service.js';
import { checkBroadcast, checkLimits } from '#dist/src/broadcast/options.js';
import { PRUNE_INTERVAL_MS } from '#dist/src/broadcast/pruner.js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { manyTurns } from '../harness/await-condition.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { StandInService } from '../fakes/stand-in-service.js';

const service = new StandInService();
let clock: ManualClock;
let store: MemoryStore;
let core: BroadcastService;
beforeEach(async () => {
  clock = new ManualClock();
  store = new MemoryStore();
  const { aci, deviceId, registrationId, identityKeyPair } = service.sender;
  core = await BroadcastService.open({
    store,
    transport: service,
    trustRoots: [Uint8Array.from(service.trustRoot.serialize())],
    account: {
      aci,
      deviceId,
      registrationId,
      identityPublicKey: identityKeyPair.publicKey.serialize(),
      identityPrivateKey: identityKeyPair.privateKey.serialize(),
    },
    includePhoneNumber: false,
    sealerOptions: { threads: 1 },
    telemetry: new Telemetry(),
    policies: { unsealedFallback: 'never', onIdentityChange: 'accept' },
    limits: checkLimits({}),
    events: { emit: () => undefined },
    clock,
  });
});
afterEach(() => core.close(new Error('closed') as never));

const send = (id: string, timestamp?: number): Promise<unknown> =>
  core.broadcast(checkBroadcast({ body: 'x' }, ['nobody'], { id, timestamp })).summary();
const countOf = async (): Promise<number> =>
  (await store.list('broadcast', { limit: 1000 })).length;
async function passDays(days: number): Promise<void> {
  for (let look = 0; look < 4 * days; look++) {
    clock.pass(PRUNE_INTERVAL_MS);
    await manyTurns(10);
  }
}

it('a year of daily broadcasts leaves two weeks of them in the store, and one timer', async () => {
  for (let day = 0; day < 365; day++) {
    await send(`day-${day}`);
    await passDays(1);
    expect(await countOf()).toBeLessThanOrEqual(15);
  }
  expect(clock.pending).toBe(1);
});

it('a timestamp is free again when its broadcast has left the store, and so is the id', async () => {
  await send('a', 1000);
  expect(() => send('b', 1000)).toThrow(expect.objectContaining({ field: 'timestamp' }) as Error);
  await passDays(16);
  expect(await countOf()).toBe(0);
  await send('b', 1000);
  await core.broadcast(checkBroadcast({ body: 'another' }, ['nobody'], { id: 'a' })).summary();
  expect(await countOf()).toBe(2);
});

it('a closed Broadcaster leaves no timer', async () => {
  await core.close(new Error('closed') as never);
  expect(clock.pending).toBe(0);
});
