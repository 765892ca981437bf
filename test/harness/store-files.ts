import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';

/** A new directory in the system's place for such, and what removes it. */
export function temporaryDirectory(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'sealcast-store-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The writer record, as a store keeps it. */
export interface KeptWriter {
  readonly epoch: number;
  readonly owner: {
    readonly pid: number;
    readonly startTicks?: string;
    readonly place: string;
    readonly openId: string;
    readonly heartbeatMs: number;
    readonly threadId?: number;
  } | null;
}

/**
 * A store's LMDB environment, past the store: what an attacker, a damaged disk, or another version
 * could do to it.
 */
export class RawStore {
  readonly #root: RootDatabase;
  readonly #meta: Database<unknown, string>;

  constructor(path: string) {
    this.#root = open({
      path,
      noSubdir: false,
      maxDbs: 16,
      overlappingSync: false,
      keyEncoding: 'binary',
    });
    this.#meta = this.#root.openDB({ name: 'meta', encoding: 'json', useVersions: true });
  }

  readMeta(key: 'layout'): { schema: number; id: string; keyCheck: string | null };
  readMeta(key: 'writer'): KeptWriter;
  readMeta(key: string): unknown {
    this.#root.resetReadTxn();
    return this.#meta.get(key);
  }

  writeMeta(key: 'layout' | 'writer', record: object, version: number): void {
    this.#meta.putSync(key, record, version);
  }

  /** Puts a writer there that never opened the store. */
  writeWriter(record: KeptWriter): void {
    this.writeMeta('writer', record, record.epoch);
  }

  table(name: string): Database<Buffer, Buffer> {
    return this.#root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
  }

  async close(): Promise<void> {
    await this.#root.close();
  }
}

/** Reads or changes a store's LMDB environment while nobody, or somebody else, has it open. */
export async function withRawStore<T>(
  path: string,
  use: (raw: RawStore) => T | Promise<T>,
): Promise<T> {
  const raw = new RawStore(path);
  try {
    return await use(raw);
  } finally {
    await raw.close();
  }
}
