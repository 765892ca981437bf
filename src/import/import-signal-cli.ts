import { loadLibsignal } from '../access/libsignal.js';
import { checkTask, type SignalCliImport, type SignalCliImportOptions } from './import-task.js';

/**
 * Imports an account of signal-cli, or its contacts alone.
 *
 * Stop signal-cli before. It reads accounts.json of version 2, an account's JSON of version 10, and
 * account.db of schema 28 (signal-cli 0.14.6). SQLite comes from `node:sqlite` (Node 22.13 and
 * newer), or from the package `node-sqlite3-wasm`, which is to be installed beside sealcast.
 *
 * A move takes identity keys, prekeys, sessions, contacts and credentials over. It ends by renaming
 * the account's JSON: until then the store opens no account (ERR_IMPORT_UNFINISHED), from then on
 * signal-cli finds none, so that never both can start. A call that a crash or an abort interrupted
 * is repeated: it copies again, or finishes. A moved account cannot go back once it has sent or
 * received: its sessions have moved on.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_IMPORT_LIBRARY: no SQLite; ERR_IMPORT_VERSION,
 *   ERR_IMPORT_DAMAGED, ERR_IMPORT_IN_USE: the source; ERR_IMPORT_REFUSED: this account into this
 *   store; ERR_ACCOUNT_MISMATCH: the store has another account; ERR_STORE_LOCKED: the store is in
 *   use in this process; ERR_IMPORT_UNFINISHED: contacts into a store with an unfinished move;
 *   ERR_ABORTED; as the store.
 * @example
 * const from = '/home/bot/.local/share/signal-cli';
 * const { imported, skipped } = await importSignalCli({ from, store, mode: 'move' });
 * console.log(imported.sessions, skipped);
 */
export async function importSignalCli(options: SignalCliImportOptions): Promise<SignalCliImport> {
  const task = checkTask(options);
  await loadLibsignal();
  const { runImport } = await import('./run-import.js');
  return runImport(task);
}
