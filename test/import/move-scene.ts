// Moves from a folder of signal-cli to a store in memory.
import { join } from 'node:path';
import {
  importSignalCli,
  MemoryStore,
  type SignalCliImport,
  type SignalCliImportOptions,
} from 'sealcast';
import { loadContacts } from '#dist/src/store/tables/contacts.js';
import { afterEach, beforeEach } from 'vitest';
import { MailboxService } from '../fakes/mailbox-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { SignalCliFolder } from '../harness/signal-cli-folder.js';
import { temporaryDirectory } from '../harness/store-files.js';

/** Type of the service's envelope of a prekey message. */
export const PREKEY_ENVELOPE = 3;

export let directory: ReturnType<typeof temporaryDirectory>;
export let service: MailboxService;
export let folder: SignalCliFolder;
export let store: MemoryStore;
/** Each test of the file has a folder of signal-cli and an empty store. */
export function useMoveScene(): void {
  beforeEach(() => {
    directory = temporaryDirectory();
    service = new MailboxService();
    folder = new SignalCliFolder(join(directory.path, 'signal-cli'), service);
    store = new MemoryStore();
  });
  afterEach(() => directory.remove());
}

export const move = (options: Partial<SignalCliImportOptions> = {}): Promise<SignalCliImport> => {
  folder.write();
  return moveWritten(options);
};
export const moveWritten = (
  options: Partial<SignalCliImportOptions> = {},
): Promise<SignalCliImport> =>
  importSignalCli({ from: folder.path, store, mode: 'move', ...options });

export async function contactOf({ aci }: Pick<Subscriber, 'aci'>) {
  const [contact] = await loadContacts(store, [aci]);
  return contact!;
}
