import { rmdir } from 'node:fs/promises';
import { exists } from './account-files.js';
import { fail } from './parts.js';
import { findSqlite, type SqlDatabase, type SqlRow, type SqlValue } from './sqlite.js';

/** Version of the schema of account.db (signal-cli 0.14.6, 2026-11). */
const SCHEMA_VERSION = 28;
/** Rows that are read together. */
const PAGE_ROWS = 500;

/** Which of our identities a row is of: `account_id_type`. */
const IDENTITIES = ['aci', 'pni'] as const;
export type RowIdentity = (typeof IDENTITIES)[number];

/** A table's columns that an import reads, in SQL. */
const TABLES = {
  recipient: [
    'aci',
    'pni',
    'profile_key',
    'expiration_time',
    'expiration_time_version',
    'blocked',
    'profile_unidentified_access_mode',
    'needs_pni_signature',
  ],
  identity: ['address', 'identity_key', 'trust_level'],
  session: ['account_id_type', 'address', 'device_id', 'record'],
  pre_key: ['account_id_type', 'key_id', 'public_key', 'private_key', 'stale_timestamp'],
  signed_pre_key: [
    'account_id_type',
    'key_id',
    'public_key',
    'private_key',
    'signature',
    'timestamp',
  ],
  kyber_pre_key: [
    'account_id_type',
    'key_id',
    'serialized',
    'is_last_resort',
    'stale_timestamp',
    'timestamp',
  ],
  key_value: ['key', 'value'],
} as const;
export type SourceTable = keyof typeof TABLES;

/** A row, whose values are checked as they are read: undefined for what is not of the type. */
export class SourceRow {
  readonly #row: SqlRow;

  constructor(row: SqlRow) {
    this.#row = row;
  }

  value(column: string): SqlValue {
    return this.#row[column] ?? null;
  }

  text(column: string): string | undefined {
    const value = this.value(column);
    return typeof value === 'string' ? value : undefined;
  }

  bytes(column: string): Uint8Array<ArrayBuffer> | undefined {
    const value = this.value(column);
    return value instanceof Uint8Array ? value : undefined;
  }

  /** A safe integer, not negative. */
  integer(column: string): number | undefined {
    const value = this.value(column);
    const number = typeof value === 'bigint' ? Number(value) : value;
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0
      ? number
      : undefined;
  }

  /** Booleans are stored as numbers; as texts in old rows. */
  flag(column: string): boolean {
    const value = this.value(column);
    if (typeof value === 'string') return value === 'true' || value === '1';
    return value !== null && Number(value) !== 0;
  }

  identity(): RowIdentity | undefined {
    return IDENTITIES[this.integer('account_id_type') ?? -1];
  }
}

/** An account's database, opened for an import. */
export class SourceDatabase {
  readonly #database: SqlDatabase;

  private constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /**
   * @throws SealcastError ERR_IMPORT_LIBRARY, ERR_IMPORT_VERSION, ERR_IMPORT_DAMAGED,
   *   ERR_IMPORT_IN_USE
   */
  static async open(path: string): Promise<SourceDatabase> {
    const open = findSqlite();
    // A library would make a new database.
    if (!(await exists(path))) fail('ERR_IMPORT_DAMAGED', 'there is no account.db', 'from');
    // Only node-sqlite3-wasm makes this folder, as its lock; an import that was killed leaves it.
    // signal-cli is known not to run, and two imports that read at once disturb each other nothing.
    await rmdir(`${path}.lock`).catch(() => undefined);
    const source = new SourceDatabase(attempt(() => open(path)));
    try {
      source.#checkVersion();
      return source;
    } catch (error) {
      source.close();
      throw error;
    }
  }

  #checkVersion(): void {
    const [row] = this.#all('PRAGMA user_version', []);
    const version = row?.['user_version'];
    if (version === SCHEMA_VERSION) return;
    fail(
      'ERR_IMPORT_VERSION',
      `account.db has schema ${String(version)}, and only schema ${SCHEMA_VERSION} can be read`,
    );
  }

  /** Iterates over a table's pages, in the order in which its rows were put in. */
  *pages(table: SourceTable): Generator<readonly SourceRow[], void, void> {
    const sql =
      `SELECT rowid AS row, ${TABLES[table].join(', ')} FROM ${table}` +
      ' WHERE rowid > ? ORDER BY rowid LIMIT ?';
    for (let after = 0; ;) {
      const rows = this.#all(sql, [after, PAGE_ROWS]);
      yield rows.map((row) => new SourceRow(row));
      if (rows.length < PAGE_ROWS) return;
      after = Number(rows.at(-1)?.['row']);
    }
  }

  *rows(table: SourceTable): Generator<SourceRow, void, void> {
    for (const page of this.pages(table)) yield* page;
  }

  #all(sql: string, values: readonly number[]): readonly SqlRow[] {
    return attempt(() => this.#database.all(sql, values));
  }

  close(): void {
    this.#database.close();
  }
}

/** Neither library tells more than a text by which a locked file is known. */
const BUSY = /\b(locked|busy)\b/i;

/** The error of a library has no values of rows in it, but a path: it is not passed on. */
function attempt<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (BUSY.test(text))
      fail('ERR_IMPORT_IN_USE', 'another process has account.db open: stop signal-cli');
    return fail('ERR_IMPORT_DAMAGED', `account.db cannot be read (${reasonOf(text)})`, 'from');
  }
}

/** SQLite's own words for the failure, without names of files. */
const reasonOf = (text: string): string =>
  /malformed|not a database|unable to open|no such (table|column): \w+|disk I\/O error/i.exec(
    text,
  )?.[0] ?? 'SQLite failed';

/** Settings of the account in the database (`key_value`). */
export class SourceSettings {
  /** Whether any account may send sealed to this one. */
  readonly isUnrestricted: boolean;
  /** Whether an account that knows the phone number finds this one. */
  readonly isDiscoverable: boolean;
  /** Undefined: never set. */
  readonly readReceipts: boolean | undefined;

  private constructor(rows: ReadonlyMap<string, SourceRow>) {
    const flag = (key: string): boolean => rows.get(key)?.flag('value') ?? false;
    this.isUnrestricted = flag('unrestricted-unidentified-access');
    this.isDiscoverable = !flag('config-phone-number-unlisted');
    this.readReceipts = rows.get('config-read-receipts')?.flag('value');
  }

  static read(database: SourceDatabase): SourceSettings {
    const rows = new Map<string, SourceRow>();
    for (const row of database.rows('key_value')) {
      const key = row.text('key');
      if (key !== undefined && row.value('value') !== null) rows.set(key, row);
    }
    return new SourceSettings(rows);
  }
}
