import { SealcastError } from '../errors.js';
import { csvRow } from '../util/csv.js';
import { MAX_FIELD_COLUMNS, RECIPIENT_COLUMN, TAGS_COLUMN, TAG_SEPARATOR } from './csv-columns.js';
import type { ListMember } from './member-input.js';

/** Length of the text that comes together, UTF-16 units. */
const PART_LENGTH = 16_384;

/**
 * Writes members as CSV, in two passes: the first finds the fields that they have.
 *
 * A member that joins between the two is in the text, without fields that no other has.
 */
export async function* exportRows(
  members: () => AsyncIterable<ListMember>,
): AsyncGenerator<string, void, void> {
  const found = new Set<string>();
  for await (const { fields } of members()) {
    for (const name of Object.keys(fields)) found.add(name);
    if (found.size > MAX_FIELD_COLUMNS) {
      const message = `export the list: its members have more than ${MAX_FIELD_COLUMNS} different fields`;
      throw new SealcastError('ERR_INVALID_ARGUMENT', message, { field: 'fields' });
    }
  }
  const names = [...found].sort();
  let part = csvRow([RECIPIENT_COLUMN, TAGS_COLUMN, ...names]);
  for await (const { serviceId, tags, fields } of members()) {
    const values = names.map((name) => (Object.hasOwn(fields, name) ? (fields[name] ?? '') : ''));
    part += csvRow([serviceId, tags.join(TAG_SEPARATOR), ...values]);
    if (part.length < PART_LENGTH) continue;
    yield part;
    part = '';
  }
  if (part !== '') yield part;
}
