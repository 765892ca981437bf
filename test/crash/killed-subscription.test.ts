import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { openList, openStore, subscriptions, type ReceivedMessage } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openScene, subscribeKnown } from '../harness/broadcasters.js';
import { builtFile } from '../harness/built-file.js';
import { temporaryDirectory } from '../harness/store-files.js';
import { itemsOf } from '../lists/list-scene.js';
import { StandInService, type Subscriber } from '../fakes/stand-in-service.js';

const PROCESS = builtFile('test/crash/stop-process.js');

let directory: ReturnType<typeof temporaryDirectory>;
let path: string;
let service: StandInService;
let subscriber: Subscriber;
beforeEach(async () => {
  directory = temporaryDirectory();
  path = join(directory.path, 'store');
  service = new StandInService();
  await using store = await openStore({ path });
  await using scene = await openScene({ store }, service);
  [subscriber] = (await subscribeKnown(scene, 1)) as [Subscriber];
  await (await openList(store, 'news')).add(subscriber.aci);
});
afterEach(() => directory.remove());

/** Runs the process until it kills itself. */
async function dieOf(body: string): Promise<void> {
  const child = spawn(process.execPath, [PROCESS, path, 'news', subscriber.aci, body], {
    stdio: 'inherit',
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
}

describe('STOP whose process is killed before the answer', () => {
  test('holds, and is answered once when the message comes again', async () => {
    await dieOf('STOP');
    await using store = await openStore({ path });
    const list = await openList(store, 'news');
    expect(await list.count()).toBe(0);
    expect(await list.add(subscriber.aci)).toBe('suppressed');
    await using scene = await openScene({ store }, service);
    const sends = (): number => service.requests.filter(({ name }) => name === 'sendSealed').length;
    const again = {
      sender: subscriber.aci,
      senderDevice: 1,
      timestamp: 1,
      content: { dataMessage: { body: 'STOP' } },
    } as unknown as ReceivedMessage;
    for (let time = 0; time < 2; time++) {
      const receiver = {
        async *[Symbol.asyncIterator]() {
          yield await Promise.resolve(again);
        },
      };
      const { broadcaster } = scene;
      expect(await itemsOf(subscriptions({ list, receiver, broadcaster }))).toEqual([]);
    }
    await expect.poll(sends).toBe(1);
    expect(await list.count()).toBe(0);
  });

  test('holds for a broadcast that was cut off, too', async () => {
    {
      await using store = await openStore({ path });
      const scene = await openScene({ store }, service);
      const run = scene.broadcaster.broadcast({ body: 'news' }, await openList(store, 'news'), {
        id: 'news',
      });
      run.pause();
      await expect.poll(() => run.progress.ingested).toBe(true);
      await scene.broadcaster.close();
    }
    await dieOf('unsubscribe');
    await using store = await openStore({ path });
    await using scene = await openScene({ store }, service);
    expect(await scene.broadcaster.resume('news').summary()).toMatchObject({
      sealed: 0,
      failed: 1,
    });
    expect(service.requests.filter(({ name }) => name === 'sendSealed')).toEqual([]);
  });
});
