import type { Change, Store } from '../store/store.js';

interface Group {
  readonly changes: Change[];
  readonly done: Promise<void>;
  readonly settle: (commit: Promise<void>) => void;
}

/** What comes while a commit is being flushed goes into the next one together: a flush costs the same for one as for many. */
export class CommitQueue {
  readonly #store: Store;
  #waiting: Group | undefined;
  #flushing = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** As {@link Store.commit}. */
  commit(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return Promise.resolve();
    this.#waiting ??= newGroup();
    const group = this.#waiting;
    for (const change of changes) group.changes.push(change);
    if (!this.#flushing) void this.#flush();
    return group.done;
  }

  /** A store that throws instead of rejecting is one that failed, too. */
  async #commitOne(changes: readonly Change[]): Promise<void> {
    await this.#store.commit(changes);
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    for (let group = this.#waiting; group !== undefined; group = this.#waiting) {
      this.#waiting = undefined;
      const commit = this.#commitOne(group.changes);
      group.settle(commit);
      // Whoever waits for the group is told; those behind it try for themselves.
      await commit.catch(() => undefined);
    }
    this.#flushing = false;
  }
}

function newGroup(): Group {
  let settle!: (commit: Promise<void>) => void;
  const done = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { changes: [], done, settle };
}
