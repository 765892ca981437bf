/** Limits of a CSV text. */
export interface CsvLimits {
  /** Longest cell, UTF-16 units. */
  readonly cellLength: number;
  readonly columns: number;
}

/** Fault of a CSV text, after which the rest of it cannot be read. */
export class CsvError extends Error {
  override readonly name = 'CsvError';
  /** Number of the row, from 1. */
  readonly row: number;

  constructor(row: number, message: string) {
    super(message);
    this.row = row;
  }
}

const QUOTE = '"';
const BYTE_ORDER_MARK = '\uFEFF';
/** Separators of cells, in the order in which a first row with both is read. */
const DELIMITERS = [',', ';', '\t'] as const;

/**
 * Streaming reader of CSV (RFC 4180), with line ends of any system.
 *
 * The separator is the first of comma, semicolon and tab that the first row has outside of quotes.
 * A quote within a cell that does not begin with one is part of the cell. Empty lines, also those
 * before the first row, are skipped, and counted as rows, so that the numbers are those that a
 * spreadsheet shows.
 */
export class CsvReader {
  readonly #limits: CsvLimits;
  #row = 1;
  #cells: string[] = [];
  #cell = '';
  /** Of the cell: `bare` until its first character; `closed` after the second quote. */
  #state: 'start' | 'bare' | 'quoted' | 'closed' = 'start';
  #delimiter: string | undefined;
  /** Text of the first row, without the empty lines before it, until its separator is known. */
  #head = '';
  /** Whether the head ends within quotes. */
  #isHeadQuoted = false;
  /** Separators that the head has outside of quotes. */
  readonly #headDelimiters = new Set<string>();
  #isFirstText = true;
  #wasReturn = false;

  constructor(limits: CsvLimits) {
    this.#limits = limits;
  }

  /**
   * Takes the next part of the text.
   *
   * @returns the rows that end in it.
   * @throws CsvError
   */
  *push(text: string): Generator<{ readonly row: number; readonly cells: readonly string[] }> {
    let rest = text;
    if (this.#isFirstText && text !== '') {
      this.#isFirstText = false;
      if (rest.startsWith(BYTE_ORDER_MARK)) rest = rest.slice(1);
    }
    if (this.#delimiter === undefined) {
      if (this.#head === '') {
        const emptyLines = /^[\r\n]*/.exec(rest)?.[0] ?? '';
        yield* this.#read(emptyLines);
        rest = rest.slice(emptyLines.length);
      }
      const hasLineEnd = this.#scanHead(rest);
      this.#head += rest;
      if (!hasLineEnd) return;
      rest = this.#endHead();
    }
    yield* this.#read(rest);
  }

  /** Ends the text. @returns its last row, where no line end follows it. @throws CsvError */
  *end(): Generator<{ readonly row: number; readonly cells: readonly string[] }> {
    if (this.#delimiter === undefined) yield* this.#read(this.#endHead());
    if (this.#state === 'quoted') throw new CsvError(this.#row, 'a quote is not closed');
    if (this.#cells.length > 0 || this.#cell !== '' || this.#state === 'closed')
      yield* this.#endRow();
  }

  /**
   * Scans the text that follows the head, up to the first line end outside of quotes.
   *
   * @returns whether there is one.
   * @throws CsvError
   */
  #scanHead(text: string): boolean {
    let length = this.#head.length;
    for (const character of text) {
      length += character.length;
      if (length > this.#limits.cellLength * 4)
        throw new CsvError(this.#row, 'the first row is too long');
      if (character === QUOTE) this.#isHeadQuoted = !this.#isHeadQuoted;
      else if (this.#isHeadQuoted) continue;
      else if (character === '\n' || character === '\r') return true;
      else if (isDelimiter(character)) this.#headDelimiters.add(character);
    }
    return false;
  }

  #endHead(): string {
    this.#delimiter = DELIMITERS.find((delimiter) => this.#headDelimiters.has(delimiter)) ?? ',';
    const head = this.#head;
    this.#head = '';
    return head;
  }

  *#read(text: string): Generator<{ readonly row: number; readonly cells: readonly string[] }> {
    for (const character of text) {
      const isAfterReturn = this.#wasReturn;
      this.#wasReturn = false;
      if (this.#state === 'quoted') {
        if (character === QUOTE) this.#state = 'closed';
        else this.#append(character);
      } else if (character === QUOTE && this.#state === 'closed') {
        // Two quotes within quotes are one.
        this.#append(character);
        this.#state = 'quoted';
      } else if (character === QUOTE && this.#state === 'start') this.#state = 'quoted';
      else if (character === this.#delimiter) this.#endCell();
      else if (character === '\n' && isAfterReturn) continue;
      else if (character === '\n' || character === '\r') {
        this.#wasReturn = character === '\r';
        yield* this.#endRow();
      } else if (this.#state === 'closed') {
        throw new CsvError(this.#row, 'text follows a closed quote');
      } else {
        this.#state = 'bare';
        this.#append(character);
      }
    }
  }

  #append(character: string): void {
    if (this.#cell.length >= this.#limits.cellLength)
      throw new CsvError(this.#row, `a cell is longer than ${this.#limits.cellLength} characters`);
    this.#cell += character;
  }

  #endCell(): void {
    if (this.#cells.length >= this.#limits.columns)
      throw new CsvError(this.#row, `it has more than ${this.#limits.columns} cells`);
    this.#cells.push(this.#cell);
    this.#cell = '';
    this.#state = 'start';
  }

  *#endRow(): Generator<{ readonly row: number; readonly cells: readonly string[] }> {
    const isEmpty = this.#cells.length === 0 && this.#cell === '' && this.#state === 'start';
    this.#endCell();
    if (!isEmpty) yield { row: this.#row, cells: this.#cells };
    this.#cells = [];
    this.#row += 1;
  }
}

const isDelimiter = (character: string): boolean =>
  (DELIMITERS as readonly string[]).includes(character);

/** One row of CSV with its line end, CRLF, as RFC 4180 has it. */
export const csvRow = (cells: readonly string[]): string => `${cells.map(csvCell).join(',')}\r\n`;

/** A cell that a reader could take for another one is quoted. */
const csvCell = (cell: string): string =>
  /[",;\t\r\n]|^\s|\s$|^\uFEFF/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
