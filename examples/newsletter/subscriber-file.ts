import { JsonFile } from '../support/json-file.js';
import type { SubscriberList } from './newsletter.js';

/** A list of subscribers in a file. */
export class SubscriberFile implements SubscriberList {
  readonly #file: JsonFile<string[]>;
  readonly #serviceIds: Set<string>;

  private constructor(file: JsonFile<string[]>, serviceIds: Set<string>) {
    this.#file = file;
    this.#serviceIds = serviceIds;
  }

  static async open(path: string): Promise<SubscriberFile> {
    const file = new JsonFile<string[]>(path);
    return new SubscriberFile(file, new Set(await file.read()));
  }

  async add(serviceId: string): Promise<void> {
    this.#serviceIds.add(serviceId);
    await this.#file.save([...this.#serviceIds]);
  }

  async delete(serviceId: string): Promise<void> {
    this.#serviceIds.delete(serviceId);
    await this.#file.save([...this.#serviceIds]);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#serviceIds.values();
  }
}
