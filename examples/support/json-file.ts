import { open, readFile, rename } from 'node:fs/promises';

const OWNER_ONLY = 0o600;

/**
 * A JSON value that survives a crash: each save is flushed beside the file, then renamed over it.
 *
 * The examples keep service ids in it, in the clear. A service should keep them in a database that
 * encrypts.
 */
export class JsonFile<Value> {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns undefined if nothing was saved yet. */
  async read(): Promise<Value | undefined> {
    try {
      return JSON.parse(await readFile(this.#path, 'utf8')) as Value;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async save(value: Value): Promise<void> {
    const newPath = `${this.#path}.new`;
    const file = await open(newPath, 'w', OWNER_ONLY);
    try {
      await file.writeFile(JSON.stringify(value));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(newPath, this.#path);
  }
}
