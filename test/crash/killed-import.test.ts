import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acis, openScene } from '../harness/broadcasters.js';
import { builtFile } from '../harness/built-file.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { SignalCliFolder } from '../harness/signal-cli-folder.js';
import { temporaryDirectory } from '../harness/store-files.js';

type Moment = 'copying' | 'copied' | 'marked' | 'none';

let directory: ReturnType<typeof temporaryDirectory>;
let service: MailboxService;
let folder: SignalCliFolder;
let path: string;
beforeEach(() => {
  directory = temporaryDirectory();
  service = new MailboxService();
  folder = new SignalCliFolder(join(directory.path, 'signal-cli'), service);
  path = join(directory.path, 'store');
});
afterEach(() => directory.remove());

function importUntil(moment: Moment): { signal: NodeJS.Signals | null; stdout: string } {
  const script = builtFile('test/crash/import-process.js');
  const { signal, stdout, stderr } = spawnSync(
    process.execPath,
    [script, folder.path, path, moment],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  return { signal, stdout };
}

/** Whether each of the two programs can start. */
async function starters(): Promise<{ signalCli: boolean; sealcast: boolean }> {
  const store = await openStore({ path });
  try {
    const scene = await openScene({ store }, service);
    await scene.broadcaster.close();
    return { signalCli: existsSync(folder.jsonPath), sealcast: true };
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_IMPORT_UNFINISHED' });
    return { signalCli: existsSync(folder.jsonPath), sealcast: false };
  } finally {
    await store.close();
  }
}

describe('a move that is killed', () => {
  test.each([
    ['copying', true],
    ['copied', true],
    ['marked', false],
  ] as const)(
    'twice (%s) lets never both programs start, and the third one finishes it',
    async (moment, signalCli) => {
      const old = await service.subscribe();
      await folder.addContact(old);
      folder.addPreKeys();
      folder.write();
      for (let round = 0; round < 2; round++) {
        expect(importUntil(moment).signal).toBe('SIGKILL');
        expect(await starters()).toEqual({ signalCli, sealcast: false });
      }
      const { signal, stdout } = importUntil('none');
      expect(signal).toBeNull();
      expect(JSON.parse(stdout)).toMatchObject({
        imported: { sessions: 1, preKeys: 40, contacts: 1 },
        markedAs: `${folder.jsonPath}.moved-to-sealcast`,
      });
      expect(await starters()).toEqual({ signalCli: false, sealcast: true });

      await using store = await openStore({ path });
      await using scene = await openScene({ store }, service);
      await scene.broadcaster.broadcast({ body: 'survived' }, acis([old])).summary();
      expect(service.arrivals.map(({ type }) => type)).toEqual(['whisper']);
      expect(service.textsOf(old)).toEqual(['survived']);
    },
  );

  test('between the copy and the mark takes the sessions of signal-cli that moved on since', async () => {
    const old = await service.subscribe();
    await folder.addContact(old);
    folder.write();
    expect(importUntil('copied').signal).toBe('SIGKILL');
    const later = new SignalCliFolder(folder.path, service);
    await later.addContact(old);
    await later.addContact(await service.subscribe());
    later.write();
    expect(JSON.parse(importUntil('none').stdout)).toMatchObject({ imported: { sessions: 2 } });
    await using store = await openStore({ path });
    await using scene = await openScene({ store }, service);
    await scene.broadcaster.broadcast({ body: 'later' }, acis([old])).summary();
    expect(service.arrivals.map(({ type }) => type)).toEqual(['whisper']);
  });
});
