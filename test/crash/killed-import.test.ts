import { openStore } from 'sealcast';
import { describe, expect, test } from 'vitest';
import { acis, openScene } from '../harness/broadcasters.js';
import { ImportScene } from '../harness/import-scene.js';
import { SignalCliFolder } from '../harness/signal-cli-folder.js';

// The other moments: killed-import.long.test.ts.
describe('a move that is killed', () => {
  test('twice (copied) lets never both programs start, and the third one finishes it', async () => {
    using moves = new ImportScene();
    await moves.expectThirdToFinish('copied', true);
  });

  test('between the copy and the mark takes the sessions of signal-cli that moved on since', async () => {
    using moves = new ImportScene();
    const { folder, service, path } = moves;
    const old = await service.subscribe();
    await folder.addContact(old);
    folder.write();
    expect(moves.importUntil('copied').signal).toBe('SIGKILL');
    const later = new SignalCliFolder(folder.path, service);
    await later.addContact(old);
    await later.addContact(await service.subscribe());
    later.write();
    expect(JSON.parse(moves.importUntil('none').stdout)).toMatchObject({
      imported: { sessions: 2 },
    });
    await using store = await openStore({ path });
    await using scene = await openScene({ store }, service);
    await scene.broadcaster.broadcast({ body: 'later' }, acis([old])).summary();
    expect(service.arrivals.map(({ type }) => type)).toEqual(['whisper']);
  });
});
