import type { SourceDatabase, SourceRow } from './account-database.js';

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
