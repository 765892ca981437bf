import { createRequire } from 'node:module';
import { fail } from './parts.js';

export type SqlValue = number | bigint | string | Uint8Array<ArrayBuffer> | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** A database that is only read. */
export interface SqlDatabase {
  all(sql: string, values: readonly number[]): readonly SqlRow[];
  close(): void;
}

/** The part of `node:sqlite` that is used: Node's own types come with Node 22. */
interface NodeSqlite {
  readonly DatabaseSync: new (
    path: string,
    options: { readonly readOnly: boolean },
  ) => {
    exec(sql: string): void;
    prepare(sql: string): { all(...values: number[]): SqlRow[] };
    close(): void;
  };
}
/** The part of `node-sqlite3-wasm` that is used. */
interface WasmSqlite {
  readonly Database: new (
    path: string,
    options: { readonly readOnly: boolean },
  ) => {
    exec(sql: string): void;
    all(sql: string, values: readonly number[]): SqlRow[];
    close(): void;
  };
}

/** Libraries that read SQLite files with a write-ahead log, the one to prefer first. */
export interface SqliteLibraries {
  node(): unknown;
  wasm(): unknown;
}

const load = (name: string): unknown => {
  try {
    return createRequire(import.meta.url)(name);
  } catch {
    return undefined;
  }
};

const INSTALLED: SqliteLibraries = {
  // Not `import`: Node 20 has no such module, and a bundler would look for one.
  node: () => process.getBuiltinModule('node:sqlite'),
  wasm: () => load('node-sqlite3-wasm'),
};

/** Opens with a library: the file is locked against other writers, and is not written. */
type Opener = (path: string) => SqlDatabase;

/**
 * A database in mode WAL is read whole, its log included.
 *
 * Exclusive: without it both libraries want to share memory with other processes, which the one has
 * not, and for which the other writes a file beside the database.
 */
const LOCK = 'PRAGMA locking_mode = EXCLUSIVE';

function openWithNode({ DatabaseSync }: NodeSqlite, path: string): SqlDatabase {
  // Not read-only: a lock of the whole file is one of a writer. It is released by `close`, which
  // moves the log into the database, as the last process that closes one always does.
  const database = new DatabaseSync(path, { readOnly: false });
  try {
    database.exec(LOCK);
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    all: (sql, values) => database.prepare(sql).all(...values),
    close: () => database.close(),
  };
}

function openWithWasm({ Database }: WasmSqlite, path: string): SqlDatabase {
  const database = new Database(path, { readOnly: true });
  try {
    database.exec(LOCK);
  } catch (error) {
    database.close();
    throw error;
  }
  return { all: (sql, values) => database.all(sql, values), close: () => database.close() };
}

/**
 * Finds a library for SQLite: `node:sqlite`, else the package `node-sqlite3-wasm`.
 *
 * @throws SealcastError ERR_IMPORT_LIBRARY: there is none.
 */
export function findSqlite(libraries: SqliteLibraries = INSTALLED): Opener {
  const node = libraries.node() as NodeSqlite | undefined;
  if (node !== undefined) return (path) => openWithNode(node, path);
  const wasm = libraries.wasm() as WasmSqlite | undefined;
  if (wasm !== undefined) return (path) => openWithWasm(wasm, path);
  return fail(
    'ERR_IMPORT_LIBRARY',
    'there is no library for SQLite: run `npm install node-sqlite3-wasm`, or use Node 22.13 or newer',
  );
}
