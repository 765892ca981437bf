import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseServiceId } from '../util/addresses.js';
import { refuseUsage } from './exit-codes.js';

const PHONE_NUMBER = /^\+?[\d\s().-]{5,}$/;
const DIGEST_BITS = 256n;

/** Recipients of a file, as a first reading found them. */
export interface RecipientFacts {
  readonly count: number;
  /** SHA-256 values of the service ids, summed: the same in any order. 64 hex digits. */
  readonly digest: string;
}

/**
 * File of recipients, one service id a line. It is read twice, line by line: first all of it is
 * checked, then it is sent to, so that a fault in the last line stops the broadcast before the
 * first recipient.
 */
export class RecipientFile {
  readonly #path: string;

  /** @param path an `@` in front of it is left out */
  constructor(path: string) {
    this.#path = path.replace(/^@/, '');
  }

  get name(): string {
    return this.#path;
  }

  /** @throws CommandError, naming the first line that is no service id */
  async check(): Promise<RecipientFacts> {
    let count = 0;
    let sum = 0n;
    for await (const serviceId of this.read()) {
      count += 1;
      sum += BigInt(`0x${createHash('sha256').update(serviceId).digest('hex')}`);
    }
    if (count === 0) refuseUsage(`${this.#path} has no recipients`);
    const digest = (sum % (1n << DIGEST_BITS)).toString(16).padStart(64, '0');
    return { count, digest };
  }

  /** Iterates the service ids. @throws CommandError as `check` */
  async *read(): AsyncGenerator<string, void, void> {
    this.#assertFile();
    const lines = createInterface({
      input: createReadStream(this.#path, 'utf8'),
      crlfDelay: Infinity,
    });
    let number = 0;
    for await (const line of lines) {
      number += 1;
      const text = (number === 1 ? line.replace(/^\uFEFF/, '') : line).trim();
      if (text === '' || text.startsWith('#')) continue;
      yield this.#serviceIdOf(text, number);
    }
  }

  #assertFile(): void {
    if (this.#path === '-')
      refuseUsage('recipients come from a file: they are read twice', 'give --to FILE');
    let isFile: boolean;
    try {
      isFile = statSync(this.#path).isFile();
    } catch (error) {
      refuseUsage(`read the recipients: ${(error as Error).message}`);
    }
    if (!isFile) refuseUsage(`${this.#path} is no file: recipients are read twice`);
  }

  #serviceIdOf(text: string, number: number): string {
    const serviceId = parseServiceId(text);
    const where = `${this.#path}, line ${number}`;
    if (serviceId?.startsWith('PNI:') === true) {
      refuseUsage(
        `${where}: a phone number’s identity (PNI), and nothing can be sealed to it`,
        'use the service id that a message of the contact shows',
      );
    }
    if (serviceId !== null) return serviceId;
    if (PHONE_NUMBER.test(text)) {
      refuseUsage(
        `${where}: a phone number, and nothing can be sealed to it`,
        'let recipients write to you first; "sealcast contacts" lists their service ids',
      );
    }
    return refuseUsage(`${where}: not a service id (a UUID)`, hintFor(text));
  }
}

/** Advice about a line, without its text: it may be a name. */
function hintFor(text: string): string {
  if (/[\0\uFFFD]/.test(text)) return 'save the file as plain text in UTF-8';
  if (/[,;\t"']/.test(text)) return 'a line has one service id alone: no quotes, no other columns';
  return '"sealcast contacts" lists service ids';
}
