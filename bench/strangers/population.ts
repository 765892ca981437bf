// A store whose contacts the account has never written to, and their bundles.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { openStore, type Change } from 'sealcast';
import { NEW_CONTACT, encodeContact } from '#dist/src/store/tables/contacts.js';
import { makeSender } from '../broadcast/sender-keys.js';
import { Bundles, ensureBundles } from './bundle-file.js';

export interface StrangerPaths {
  readonly sender: string;
  readonly bundles: string;
}

const BATCH = 5_000;
const PROFILE_KEY_BYTES = 32;

/** Makes sender and bundles in a folder, unless an earlier run has left them there. */
export async function ensureStrangers(folder: string, count: number): Promise<StrangerPaths> {
  const paths = { sender: join(folder, 'sender'), bundles: join(folder, 'bundles') };
  await ensureBundles(paths.bundles, count);
  if (!existsSync(paths.sender))
    writeFileSync(paths.sender, serialize(makeSender()), { mode: 0o600 });
  return paths;
}

/** Makes a store that has a contact, with a profile key and no session, for each bundle. */
export async function makeStrangersStore(path: string, bundlesPath: string): Promise<void> {
  const bundles = new Bundles(bundlesPath, 'file');
  const store = await openStore({ path });
  try {
    for (let from = 0; from < bundles.count; from += BATCH) {
      const to = Math.min(from + BATCH, bundles.count);
      await store.commit(Array.from(bundles.acis(from, to), newContact));
    }
  } finally {
    await store.close();
    bundles.close();
  }
}

function newContact(aci: string): Change {
  const profileKey = crypto.getRandomValues(new Uint8Array(PROFILE_KEY_BYTES));
  const contact = { ...NEW_CONTACT, accessMode: 'enabled' as const, profileKey };
  return { table: 'contact', key: aci, value: encodeContact(contact) };
}
