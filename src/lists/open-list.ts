import { checkStore } from '../runtime/options.js';
import { checkInteger, checkOptions } from '../sealer/options.js';
import type { Store } from '../store/store.js';
import type { NamesOf } from '../util/known-names.js';
import { checkListName } from './member-input.js';
import type { SubscriberList } from './subscriber-list.js';

const DEFAULT_UNREGISTERED_LIMIT = 3;
const MAX_UNREGISTERED_LIMIT = 1_000;

/** Options of {@link openList}. */
export interface OpenListOptions {
  /**
   * Broadcasts in a row that find a member unregistered before the member is removed; 0: never.
   * Kept with the list. Default: the number that the list has, else 3.
   *
   * Broadcasts to the list count, each once, when they have ended. One that reaches the member
   * begins the count again.
   */
  readonly unregisteredLimit?: number;
}

const NAMES = { unregisteredLimit: true } satisfies NamesOf<OpenListOptions>;

/**
 * Opens a list of subscribers in a store, and makes it if there is none of the name.
 *
 * A list has no end of its own: it can be used for as long as its store is open, with and without
 * an account on it. Give the account the same `Store` object.
 *
 * @param name 1 to 64 letters, digits, `_` and `-`
 * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
 * @example
 * const list = await openList(store, 'news');
 * await list.add(serviceId, { tags: ['ferry'], fields: { name: 'Ada' } });
 * await broadcaster.broadcast({ body: 'The ferry is back.' }, list).summary();
 */
export async function openList(
  store: Store,
  name: string,
  options: OpenListOptions = {},
): Promise<SubscriberList> {
  checkStore(store);
  checkListName(name);
  const { unregisteredLimit } = checkOptions(options, NAMES);
  const limit =
    unregisteredLimit === undefined
      ? undefined
      : checkInteger(unregisteredLimit, 'unregisteredLimit', 0, MAX_UNREGISTERED_LIMIT);
  // Loaded lazily, so that seal-only users never load the store's codec.
  const { SubscriberList: List } = await import('./subscriber-list.js');
  return List.open(store, name, {
    given: limit,
    fallback: DEFAULT_UNREGISTERED_LIMIT,
  });
}

/** List as the store has it. */
export interface ListSummary {
  readonly name: string;
  readonly members: number;
  /** ms since the epoch */
  readonly createdAtMs: number;
}

/**
 * Iterates the lists of a store, in the store's order.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
 * @example
 * for await (const { name, members } of listLists(store)) console.log(name, members);
 */
export async function* listLists(store: Store): AsyncGenerator<ListSummary, void, void> {
  checkStore(store);
  const { scanLists } = await import('../store/tables/lists.js');
  for await (const { list, record } of scanLists(store))
    yield { name: list, members: record.members, createdAtMs: record.createdAtMs };
}
