import { loadContacts, contactChange } from '../store/tables/contacts.js';
import { refuseUnfinishedImport } from '../runtime/account-record.js';
import { reserveStore } from '../runtime/store-claims.js';
import type { Change } from '../store/store.js';
import { SYSTEM_CLOCK, type Clock } from '../util/clock.js';
import { SourceDatabase } from './account-database.js';
import { countCachedMessages, findAccount, readText, type AccountFiles } from './account-files.js';
import { aciOf, environmentOf, parseAccount } from './account-json.js';
import { mergedContact } from './contacts.js';
import { Tally } from './counts.js';
import type { ImportTask, SignalCliImport } from './import-task.js';
import { moveAccount } from './move.js';
import { readRecipients } from './recipients.js';
import { refuseChanged, refuseInUse, stampOf } from './source-use.js';
import { CHUNK_ROWS, chunksOf, StoreWriter } from './store-writer.js';

/** Implementation of `importSignalCli`, loaded when it is called. */
export async function runImport(
  task: ImportTask,
  clock: Clock = SYSTEM_CLOCK,
): Promise<SignalCliImport> {
  const release = reserveStore(task.store, 'an account is being imported');
  try {
    const writer = new StoreWriter(task.store, task.signal);
    writer.check();
    const files = await findAccount(task.from, task.number);
    await refuseInUse(files);
    if (task.mode === 'contacts') return await importContacts(files, writer, task);
    return await moveAccount({ files, writer, environment: task.environment, clock });
  } finally {
    release();
  }
}

/**
 * Puts profile keys, timers and blocks of recipients into a store, whosever account it has.
 *
 * Each commit leaves whole contacts, so that an import that ends in the middle is simply repeated.
 */
async function importContacts(
  files: AccountFiles,
  writer: StoreWriter,
  { store, environment: wanted }: ImportTask,
): Promise<SignalCliImport> {
  await refuseUnfinishedImport(store, 'import contacts');
  const stamp = await stampOf(files);
  const json = parseAccount(await readText(files.json));
  const environment = environmentOf(json, files, wanted);
  const database = await SourceDatabase.open(files.database);
  const tally = new Tally();
  try {
    const recipients = readRecipients(database, aciOf(json), tally);
    await refuseInUse(files);
    await refuseChanged(files, stamp);
    for (const chunk of chunksOf(recipients, CHUNK_ROWS)) {
      const known = await loadContacts(
        store,
        chunk.map(([serviceId]) => serviceId),
      );
      const changes: Change[] = [];
      chunk.forEach(([serviceId, recipient], i) => {
        const before = known[i];
        const contact = before && mergedContact(before, recipient, tally);
        if (contact !== undefined) changes.push(contactChange(serviceId, contact));
      });
      await writer.commit(changes);
    }
  } finally {
    database.close();
  }
  return {
    mode: 'contacts',
    environment,
    imported: tally.imported,
    skipped: tally.skipped,
    unreadMessages: await countCachedMessages(files),
  };
}
