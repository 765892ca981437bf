import { JsonFile } from '../support/json-file.js';
import type { CaseList } from './hotline.js';

/** Case numbers in a file, from 1 on, in the order in which the callers first wrote. */
export class CaseFile implements CaseList {
  readonly #file: JsonFile<string[]>;
  readonly #callers: string[];

  private constructor(file: JsonFile<string[]>, callers: string[]) {
    this.#file = file;
    this.#callers = callers;
  }

  static async open(path: string): Promise<CaseFile> {
    const file = new JsonFile<string[]>(path);
    return new CaseFile(file, (await file.read()) ?? []);
  }

  async numberOf(caller: string): Promise<number> {
    const index = this.#callers.indexOf(caller);
    if (index >= 0) return index + 1;
    this.#callers.push(caller);
    await this.#file.save(this.#callers);
    return this.#callers.length;
  }

  callerOf(caseNumber: number): string | undefined {
    return this.#callers[caseNumber - 1];
  }
}
