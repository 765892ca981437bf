import { SealcastError } from '../errors.js';
import { checkTransport } from '../runtime/options.js';
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  checkSignal,
  refuse,
} from '../sealer/options.js';
import type { MemberRecord } from '../store/tables/lists.js';
import type { Transport } from '../transport/transport.js';
import { CsvError, CsvReader } from '../util/csv.js';
import type { NamesOf } from '../util/known-names.js';
import { MAX_FIELD_COLUMNS, readColumns, type Columns } from './csv-columns.js';
import {
  checkFields,
  checkTags,
  MAX_FIELDS,
  MAX_TAGS,
  type AddOutcome,
  type Entry,
} from './member-input.js';
import { readRecipient } from './recipient-input.js';
import { UsernameLookUps } from './username-look-ups.js';

/** Rows that are committed together. */
const BATCH_ROWS = 256;
const DEFAULT_MAX_LOOK_UPS = 1_000;
const DEFAULT_MAX_RETRY_AFTER_MS = 60_000;

/** Options of {@link SubscriberList.importCsv}. */
export interface ImportOptions {
  /**
   * Looks up usernames and links. Without it, and where it has no `lookUpUsername`, rows with them
   * have errors.
   */
  readonly transport?: Transport;
  /** Tags that each person of the file gets, beside those of their row. */
  readonly tags?: readonly string[];
  /** Whether to add people who left by their own word. Default false. */
  readonly resubscribe?: boolean;
  /**
   * Most usernames and links that are looked up; further rows with them have errors. Default 1,000.
   * The service takes 100, and then one in 15 minutes (2026-11).
   */
  readonly maxLookUps?: number;
  /**
   * Longest wait that the service may ask for before a look-up. With a longer one, this row and
   * those that follow within that time have errors. Default 60,000.
   */
  readonly maxRetryAfterMs?: number;
  /** Stops the import; rows that were handed out are imported. */
  readonly signal?: AbortSignal;
}

const NAMES = {
  transport: true,
  tags: true,
  resubscribe: true,
  maxLookUps: true,
  maxRetryAfterMs: true,
  signal: true,
} satisfies NamesOf<ImportOptions>;

/** Outcome of a row of a file. */
export interface ImportedRow {
  /** Number of the row, from 1: that of the columns' names. */
  readonly row: number;
  /** `suppressed`: the person had left by their own word, and stays away. */
  readonly status: AddOutcome | 'failed';
  /** Absent where the row names no person that is known. */
  readonly serviceId?: string;
  /** Why it failed: `index` is the number of the row. */
  readonly error?: SealcastError;
}

/** Source and options of an import, checked. */
export interface CheckedImport {
  readonly source: AsyncIterable<unknown> | Iterable<unknown>;
  readonly transport: Transport | undefined;
  readonly tags: readonly string[];
  readonly resubscribe: boolean;
  readonly maxLookUps: number;
  readonly maxRetryAfterMs: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws SealcastError ERR_INVALID_ARGUMENT */
export function checkImport(source: unknown, options: unknown): CheckedImport {
  const iterable = source as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined;
  if (
    typeof source === 'string' ||
    source instanceof Uint8Array ||
    (iterable?.[Symbol.iterator] ?? iterable?.[Symbol.asyncIterator]) === undefined
  ) {
    refuse('source', 'a stream, or another iterable of bytes or text');
  }
  const given = checkOptions(options, NAMES);
  const { transport, tags = [], maxLookUps, maxRetryAfterMs } = given;
  return {
    source: source as AsyncIterable<unknown> | Iterable<unknown>,
    transport: transport === undefined ? undefined : checkTransport(transport),
    tags: checkTags(tags),
    resubscribe: checkBoolean(given['resubscribe'], 'resubscribe', false),
    maxLookUps: checkInteger(
      maxLookUps ?? DEFAULT_MAX_LOOK_UPS,
      'maxLookUps',
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    maxRetryAfterMs: checkInteger(
      maxRetryAfterMs ?? DEFAULT_MAX_RETRY_AFTER_MS,
      'maxRetryAfterMs',
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    signal: checkSignal(given['signal']),
  };
}

type AddAll = (entries: readonly Entry[]) => Promise<readonly (AddOutcome | SealcastError)[]>;

/** Row that waits for its batch; `entry` is absent where the row has failed. */
type WaitingRow =
  | { readonly row: number; readonly entry: Entry }
  | { readonly row: number; readonly error: SealcastError };

/** Imports the rows of a file, some hundred in one commit. */
export async function* importRows(
  checked: CheckedImport,
  addAll: AddAll,
): AsyncGenerator<ImportedRow, void, void> {
  const lookUps = new UsernameLookUps(checked);
  let waiting: WaitingRow[] = [];
  let serviceIds = new Set<string>();
  const flush = async (): Promise<ImportedRow[]> => {
    const rows = waiting;
    waiting = [];
    serviceIds = new Set();
    const entries = rows.flatMap((row) => ('entry' in row ? [row.entry] : []));
    const outcomes = entries.length === 0 ? [] : await addAll(entries);
    let at = 0;
    return rows.map((row) =>
      'entry' in row
        ? rowOf(row.row, outcomes[at++] ?? 'suppressed', row.entry.serviceId)
        : rowOf(row.row, row.error),
    );
  };
  let columns: Columns | undefined;
  try {
    for await (const { row, cells } of readRows(checked)) {
      if (columns === undefined) {
        columns = readColumns(row, cells);
        continue;
      }
      const next = await readRow({ row, cells }, { columns, lookUps, tags: checked.tags });
      // One person twice: the later row changes what the earlier one has left.
      if ('entry' in next && serviceIds.has(next.entry.serviceId)) yield* await flush();
      waiting.push(next);
      if ('entry' in next) serviceIds.add(next.entry.serviceId);
      if (waiting.length >= BATCH_ROWS) yield* await flush();
    }
  } catch (error) {
    // The rows before a fault of the file are imported, and handed out.
    if (error instanceof SealcastError && error.field === 'source') yield* await flush();
    throw error;
  }
  yield* await flush();
}

function rowOf(row: number, outcome: AddOutcome | SealcastError, serviceId?: string): ImportedRow {
  const person = serviceId === undefined ? {} : { serviceId };
  if (!(outcome instanceof SealcastError)) return { row, status: outcome, ...person };
  const { code, field, retryAfterMs, cause } = outcome;
  const error = new SealcastError(code, `row ${row}: ${outcome.message}`, {
    index: row,
    cause,
    ...(field !== undefined && { field }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
  return { row, status: 'failed', ...person, error };
}

interface TextRow {
  readonly row: number;
  readonly cells: readonly string[];
}

/** Reads the rows of a text in UTF-8. @throws SealcastError ERR_INVALID_ARGUMENT, ERR_ABORTED */
async function* readRows({ source, signal }: CheckedImport): AsyncGenerator<TextRow, void, void> {
  const reader = new CsvReader({ cellLength: 65_536, columns: MAX_FIELD_COLUMNS + 2 });
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let row = 0;
  const noted = function* (rows: Iterable<TextRow>): Generator<TextRow> {
    for (const next of rows) {
      row = next.row;
      yield next;
    }
  };
  try {
    for await (const part of guarded(source)) {
      throwIfAborted(signal);
      const text =
        typeof part === 'string'
          ? part
          : part instanceof Uint8Array
            ? decoder.decode(part, { stream: true })
            : refuse('source', 'an iterable of bytes or text');
      for (const next of noted(reader.push(text))) {
        throwIfAborted(signal);
        yield next;
      }
    }
    yield* noted(reader.push(decoder.decode()));
    yield* noted(reader.end());
  } catch (error) {
    if (error instanceof CsvError) throw sourceError(error.row, error.message);
    if (error instanceof TypeError) throw sourceError(row + 1, 'the text is not UTF-8');
    throw error;
  }
}

const sourceError = (row: number, reason: string): SealcastError =>
  new SealcastError('ERR_INVALID_ARGUMENT', `row ${row}: ${reason}`, {
    field: 'source',
    index: row,
  });

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new SealcastError('ERR_ABORTED', 'the import was aborted', { cause: signal.reason });
}

/** Tells errors of the caller's stream from errors of this library. */
async function* guarded(source: CheckedImport['source']): AsyncGenerator {
  try {
    yield* source as AsyncIterable<unknown>;
  } catch (cause) {
    const message = 'the source could not be read to its end';
    throw new SealcastError('ERR_INVALID_ARGUMENT', message, { field: 'source', cause });
  }
}

interface RowScene {
  readonly columns: Columns;
  readonly lookUps: UsernameLookUps;
  readonly tags: readonly string[];
}

/** Reads what a row says, and looks its recipient up where that is necessary. */
async function readRow({ row, cells }: TextRow, scene: RowScene): Promise<WaitingRow> {
  const { columns, lookUps } = scene;
  if (cells.length !== columns.count)
    return { row, error: rowError(`it has ${cells.length} cells, and not ${columns.count}`) };
  const recipient = readRecipient(cells[columns.recipient] ?? '');
  if (recipient.kind === 'refused') return { row, error: rowError(recipient.reason, 'recipient') };
  let facts: RowFacts;
  try {
    facts = factsOf(cells, scene);
  } catch (error) {
    if (!(error instanceof SealcastError)) throw error;
    return { row, error: rowError(error.message, error.field) };
  }
  const serviceId = recipient.kind === 'aci' ? recipient.serviceId : await lookUps.find(recipient);
  return serviceId instanceof SealcastError
    ? { row, error: serviceId }
    : { row, entry: { serviceId, update: (known) => memberAfter(known, facts) } };
}

const rowError = (reason: string, field?: string): SealcastError =>
  new SealcastError('ERR_RECIPIENT_INVALID', reason, field === undefined ? {} : { field });

/** Tags and fields of a row; an empty cell says nothing. */
interface RowFacts {
  readonly tags: readonly string[] | undefined;
  readonly addedTags: readonly string[];
  readonly fields: Readonly<Record<string, string>>;
}

/** @throws SealcastError ERR_INVALID_ARGUMENT */
function factsOf(cells: readonly string[], { columns, tags: addedTags }: RowScene): RowFacts {
  const texts = (columns.tags === undefined ? '' : (cells[columns.tags] ?? ''))
    .split(/[;,]/)
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  const filled = columns.fields.flatMap(({ column, name }): [string, string][] => {
    const value = cells[column] ?? '';
    return value === '' ? [] : [[name, value]];
  });
  return {
    tags: texts.length === 0 ? undefined : checkTags(texts),
    addedTags,
    fields: checkFields(Object.fromEntries(filled)),
  };
}

function memberAfter(
  known: MemberRecord,
  { tags, addedTags, fields }: RowFacts,
): MemberRecord | SealcastError {
  const next = {
    ...known,
    tags: [...new Set([...(tags ?? known.tags), ...addedTags])],
    fields: { ...known.fields, ...fields },
  };
  if (next.tags.length > MAX_TAGS)
    return rowError(`the member would have more than ${MAX_TAGS} tags`, 'tags');
  if (Object.keys(next.fields).length > MAX_FIELDS)
    return rowError(`the member would have more than ${MAX_FIELDS} fields`, 'fields');
  return next;
}
