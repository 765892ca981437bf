import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { openStore, type Store } from 'sealcast';
import type { MockService, ServiceState } from '../../test/mock-service/mock-service.js';

/**
 * Where a run leaves what the next one goes on with: the broadcaster's store, which is all that a
 * real service needs, and beside it the accounts of the mock service. Signal's service remembers
 * its accounts and their phones remember their sessions; the mock service forgets both with its
 * process. Their state is kept here, so that what the second run finds in the store is put to the
 * test it would be put to by the real service: other processes, new connections, old sessions.
 */
export interface RunFolder extends AsyncDisposable {
  readonly store: Store;
  /** The accounts as the last run left them, if there was one. */
  readonly serviceState: ServiceState | undefined;
  /** Runs a broadcast, and keeps the accounts as it left them, however it ended. */
  during<T>(service: MockService, run: () => Promise<T>): Promise<T>;
}

const STORE = 'store';
const STATE = 'mock-service';
const STATE_IN_USE = 'mock-service.in-use';
const OWNER_ONLY = 0o600;

/** A folder that is removed in the end. */
async function openTemporary(): Promise<RunFolder> {
  const path = await mkdtemp(join(tmpdir(), 'sealcast-broadcast-'));
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
  try {
    const store = await openStore({ path: join(path, STORE) });
    return {
      store,
      serviceState: undefined,
      during: (_service, run) => run(),
      [Symbol.asyncDispose]: async () => {
        await store.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function readState(path: string): Promise<ServiceState | undefined> {
  try {
    return deserialize(await readFile(join(path, STATE))) as ServiceState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The folder of an earlier run, or one that the next run will find. */
async function openLasting(path: string): Promise<RunFolder> {
  await mkdir(path, { recursive: true });
  const store = await openStore({ path: join(path, STORE) });
  try {
    const serviceState = await readState(path);
    const isUsed = (await store.list('account', { limit: 1 })).length > 0;
    if (serviceState === undefined && isUsed) {
      throw new Error(
        `an earlier run with ${path} was cut off, and the mock service's accounts with it; delete it`,
      );
    }
    return {
      store,
      serviceState,
      during: async (service, run) => {
        // The state that was read cannot be used again: sessions move on with the first message.
        if (serviceState !== undefined) await rename(join(path, STATE), join(path, STATE_IN_USE));
        try {
          return await run();
        } finally {
          const newState = join(path, `${STATE}.new`);
          await writeFile(newState, serialize(await service.exportState()), { mode: OWNER_ONLY });
          await rename(newState, join(path, STATE));
          await rm(join(path, STATE_IN_USE), { force: true });
        }
      },
      [Symbol.asyncDispose]: () => store.close(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

export function openRunFolder(path: string | undefined): Promise<RunFolder> {
  return path === undefined ? openTemporary() : openLasting(path);
}
