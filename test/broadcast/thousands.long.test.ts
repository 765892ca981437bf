import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { collect, openScene } from '../harness/broadcasters.js';
import { StandInService } from '../fakes/stand-in-service.js';

/** Does all that a service does, and opens nothing: for many. */
class TakingService extends StandInService {
  readonly taken: string[] = [];
  override sendSealed({ destination }: { destination: string }): Promise<{ status: 'sent' }> {
    this.taken.push(destination);
    return Promise.resolve({ status: 'sent' });
  }
}

test('a broadcast to 3,000, in chunks of 64, reaches each of them', async () => {
  const service = new TakingService();
  await using scene = await openScene({ chunkSize: 64 }, service);
  const one = await service.subscribe();
  one.access = 'unrestricted';
  const given = Array.from({ length: 3000 }, () => randomUUID());
  for (const aci of given) service.subscribers.set(aci, { ...one, aci });
  const run = scene.broadcaster.broadcast({ body: 'x' }, given);
  const deliveries = await collect(run);
  expect(new Set(deliveries.keys())).toEqual(new Set(given));
  expect(await run.summary()).toMatchObject({ recipients: 3000, sealed: 3000 });
  expect(service.taken.sort()).toEqual(given.sort());
});
