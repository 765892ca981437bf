import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { openScene, type Scene } from '../harness/broadcasters.js';

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

/** Service ids to which sends succeed, and which nobody reads. */
async function manyIds(count: number): Promise<string[]> {
  const one = await scene.service.subscribe();
  one.access = 'unrestricted';
  const ids = Array.from({ length: count }, () => randomUUID());
  for (const aci of ids) scene.service.subscribers.set(aci, { ...one, aci });
  scene.service.sendSealed = () => Promise.resolve({ status: 'sent' });
  return ids;
}

describe('iterating a run', () => {
  it('slowly slows it down', async () => {
    await scene.broadcaster.close();
    scene = await openScene({ chunkSize: 16, concurrency: 16 });
    const ids = await manyIds(1600);
    const run = scene.broadcaster.broadcast({ body: 'x' }, ids);
    const iterator = run[Symbol.asyncIterator]();
    await iterator.next();
    await untilTrue(() => run.progress.sealed >= 1024);
    // Enough for more, if more were let through.
    await manyTurns(2000);
    // What may lie ready, and those on their way.
    expect(run.progress.sealed).toBeLessThan(1024 + 4 * 16 + 16);
    let taken = 1;
    while ((await iterator.next()).done !== true) taken += 1;
    expect(taken).toBe(1600);
    expect(await run.summary()).toMatchObject({ sealed: 1600 });
  });

  it('slowly holds up neither close() nor an abort, even where the loop itself waits for it', async () => {
    const ids = await manyIds(1500);
    const run = scene.broadcaster.broadcast({ body: 'x' }, ids);
    const iterate = async (): Promise<void> => {
      for await (const { status } of run) {
        expect(status).toBe('sealed');
        if (run.progress.sealed >= 1200) await scene.broadcaster.close();
      }
    };
    const ended = await neverHangs(
      iterate().then(
        () => 'came to its end',
        (error: unknown) => (error as { code?: string }).code,
      ),
      'close() in a loop',
    );
    expect(ended).toBe('ERR_CLOSED');
  });
});
