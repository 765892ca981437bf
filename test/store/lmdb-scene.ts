// Stores on the disk, in a directory for each test.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  openStore,
  type SealcastError,
  type Store,
  type StoreOptions,
  type TableName,
} from 'sealcast';
import { afterEach, beforeEach } from 'vitest';
import { temporaryDirectory } from '../harness/store-files.js';

export const packageFile = createRequire(import.meta.url).resolve('sealcast/package.json');
export const KEY = new Uint8Array(randomBytes(32));
export const MARKER = 'a marker that no other file holds: 6f1d7a52';
export const marked = (): Uint8Array => new TextEncoder().encode(MARKER);

export let directory: ReturnType<typeof temporaryDirectory>;
export let path: string;
export const opened: Store[] = [];

/** Sets the path of the stores that the test opens from now on, below its directory. */
export function setPath(name: string): void {
  path = join(directory.path, name);
}

export async function open(options: Omit<StoreOptions, 'path'> = {}): Promise<Store> {
  const store = await openStore({ path, ...options });
  opened.push(store);
  return store;
}

export async function refusal(promise: Promise<unknown>): Promise<SealcastError> {
  return promise.then(
    () => Promise.reject(new Error('not refused')),
    (error: unknown) => error as SealcastError,
  );
}

/** Under what an encrypted store keeps an entry. */
export const keptKey = (store: Store, table: TableName, key: string): Buffer =>
  Buffer.from(store.orderOf!(table, key), 'hex');

export const dataFile = (): Buffer => readFileSync(join(path, 'data.mdb'));

/** Each test of the file has a directory, and its stores are closed. */
export function useStoreDirectory(): void {
  beforeEach(() => {
    directory = temporaryDirectory();
    path = join(directory.path, 'a.store');
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
    directory.remove();
  });
}
