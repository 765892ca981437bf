// A move from signal-cli in a process that is killed at a moment, and what is left of it.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from 'sealcast';
import { expect } from 'vitest';
import { MailboxService } from '../fakes/mailbox-service.js';
import { acis, openScene } from './broadcasters.js';
import { builtFile } from './built-file.js';
import { SignalCliFolder } from './signal-cli-folder.js';
import { temporaryDirectory } from './store-files.js';

export type ImportMoment = 'copying' | 'copied' | 'marked' | 'none';

export class ImportScene {
  readonly service = new MailboxService();
  readonly folder: SignalCliFolder;
  /** Of the store. */
  readonly path: string;
  readonly #directory = temporaryDirectory();

  constructor() {
    this.folder = new SignalCliFolder(join(this.#directory.path, 'signal-cli'), this.service);
    this.path = join(this.#directory.path, 'store');
  }

  [Symbol.dispose](): void {
    this.#directory.remove();
  }

  importUntil(moment: ImportMoment): { signal: NodeJS.Signals | null; stdout: string } {
    const script = builtFile('test/crash/import-process.js');
    const { signal, stdout, stderr } = spawnSync(
      process.execPath,
      [script, this.folder.path, this.path, moment],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    return { signal, stdout };
  }

  /** Whether each of the two programs can start. */
  async starters(): Promise<{ signalCli: boolean; sealcast: boolean }> {
    const store = await openStore({ path: this.path });
    const { jsonPath } = this.folder;
    try {
      const scene = await openScene({ store }, this.service);
      await scene.broadcaster.close();
      return { signalCli: existsSync(jsonPath), sealcast: true };
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_IMPORT_UNFINISHED' });
      return { signalCli: existsSync(jsonPath), sealcast: false };
    } finally {
      await store.close();
    }
  }

  /**
   * Kills two moves at the moment: never can both programs start, and the third move finishes.
   *
   * @param signalCli whether signal-cli can start after each of the two.
   */
  async expectThirdToFinish(moment: ImportMoment, signalCli: boolean): Promise<void> {
    const { folder, service, path } = this;
    const old = await service.subscribe();
    await folder.addContact(old);
    folder.addPreKeys();
    folder.write();
    for (let round = 0; round < 2; round++) {
      expect(this.importUntil(moment).signal).toBe('SIGKILL');
      expect(await this.starters()).toEqual({ signalCli, sealcast: false });
    }
    const { signal, stdout } = this.importUntil('none');
    expect(signal).toBeNull();
    expect(JSON.parse(stdout)).toMatchObject({
      imported: { sessions: 1, preKeys: 40, contacts: 1 },
      markedAs: `${folder.jsonPath}.moved-to-sealcast`,
    });
    expect(await this.starters()).toEqual({ signalCli: false, sealcast: true });

    await using store = await openStore({ path });
    await using scene = await openScene({ store }, service);
    await scene.broadcaster.broadcast({ body: 'survived' }, acis([old])).summary();
    expect(service.arrivals.map(({ type }) => type)).toEqual(['whisper']);
    expect(service.textsOf(old)).toEqual(['survived']);
  }
}
