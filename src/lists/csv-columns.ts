import { SealcastError } from '../errors.js';
import { checkFieldName } from './member-input.js';

/** Most personal fields in the columns of a file. */
export const MAX_FIELD_COLUMNS = 256;

/** Names of the columns that an export has, and an import knows. */
export const RECIPIENT_COLUMN = 'recipient';
export const TAGS_COLUMN = 'tags';
export const TAG_SEPARATOR = ';';

/**
 * Names of the column with the recipient, in lower case, those of other programs included. A file
 * with several has its recipients in the first of this order: nothing can be sealed to a phone
 * number, and usernames and links cost a look-up each.
 */
const RECIPIENT_NAMES = [
  RECIPIENT_COLUMN,
  ...['serviceId'.toLowerCase(), 'service_id', 'aci', 'uuid'],
  ...['username', 'link'],
  ...['phone', 'number'],
] as const;

/** Columns of a file. */
export interface Columns {
  readonly recipient: number;
  readonly tags: number | undefined;
  readonly fields: readonly { readonly column: number; readonly name: string }[];
  readonly count: number;
}

/**
 * Reads the names of the columns.
 *
 * @param row number of the row that has them
 * @throws SealcastError ERR_INVALID_ARGUMENT, with the row as its `index`.
 */
export function readColumns(row: number, cells: readonly string[]): Columns {
  const names = cells.map((cell) => cell.trim());
  const lower = names.map((name) => name.toLowerCase());
  const recipientName = RECIPIENT_NAMES.find((name) => lower.includes(name));
  if (recipientName === undefined) throw headError(row, `no column is named ${RECIPIENT_COLUMN}`);
  const recipient = lower.indexOf(recipientName);
  const tags = lower.indexOf(TAGS_COLUMN);
  const fields = names.flatMap((name, column) =>
    column === recipient || column === tags ? [] : [{ column, name }],
  );
  const seen = new Set<string>();
  for (const { name } of fields) {
    try {
      checkFieldName(name);
    } catch {
      const reason = 'has 1 to 64 letters, digits, _ and -, and no other character';
      throw headError(row, `the name of a column ${reason}`);
    }
    if (seen.has(name)) throw headError(row, 'two columns have the same name');
    seen.add(name);
  }
  return { recipient, tags: tags === -1 ? undefined : tags, fields, count: names.length };
}

const headError = (row: number, reason: string): SealcastError =>
  new SealcastError('ERR_INVALID_ARGUMENT', `row ${row}: ${reason}`, {
    field: 'source',
    index: row,
  });
