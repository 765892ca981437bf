// Moves an account of signal-cli into a store, and kills itself (SIGKILL) at a moment. Arguments:
// folder of signal-cli, the store's path, the moment: `copying`, `copied` (all rows are in the
// store, and the source is not marked), `marked` (the source is), or `none`.
import { importSignalCli, openStore, type Change } from 'sealcast';
import { loadPendingImport } from '#dist/src/store/tables/imports.js';
import { WatchedStore } from '../fakes/watched-store.js';

const [from = '', path = '', moment = ''] = process.argv.slice(2);
const kill = (): void => void process.kill(process.pid, 'SIGKILL');

const store = await openStore({ path });
const isRecord = ({ table, key }: Change): boolean =>
  table === 'account' && key === 'pendingImport';
const watched = new WatchedStore(store, {
  before: (changes) => {
    // The record is removed once the source is marked.
    if (moment === 'marked' && changes.some((each) => isRecord(each) && each.value === null))
      kill();
  },
  after: async (changes) => {
    if (moment === 'copying' && changes.some(({ table }) => table === 'session')) kill();
    const isCopied = (await loadPendingImport(store))?.state === 'copied';
    if (moment === 'copied' && isCopied && changes.some(isRecord)) kill();
  },
});
const { imported, markedAs } = await importSignalCli({ from, store: watched, mode: 'move' });
await store.close();
process.stdout.write(JSON.stringify({ imported, markedAs }));
