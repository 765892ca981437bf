import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RootDatabase } from 'lmdb';
import { storeFailed } from '../checks.js';
import { WRITER_KEY, type Meta } from './meta.js';
import type { DataFileRoom, WriteSize } from './file-room.js';

interface Job {
  readonly size: WriteSize;
  readonly write: () => void;
  readonly resolve: (applied: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Finds the cause of a failed commit.
 *
 * lmdb rejects with an error that says nothing, and has the true one in a promise on it.
 */
async function trueCause(error: unknown): Promise<unknown> {
  const commitError = (error as { commitError?: Promise<unknown> } | null)?.commitError;
  if (commitError === undefined) return error;
  // That promise may stay pending: the race waits one turn at most. Its rejection has a listener.
  return Promise.race([commitError.catch((cause: unknown) => cause), nextTurn(error)]);
}

/**
 * Resolves when all that this callback of the event loop sets off at once has run: the results of
 * one worker's job come together, and their commits share a transaction.
 */
const restOfTurn = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

function totalOf(group: readonly Job[]): WriteSize {
  const total = { changes: 0, bytes: 0, overflowPages: 0 };
  for (const { size } of group) {
    total.changes += size.changes;
    total.bytes += size.bytes;
    total.overflowPages += size.overflowPages;
  }
  return total;
}

/**
 * Queue of writes, one LMDB transaction at a time.
 *
 * Jobs that arrive meanwhile go into the next transaction, and share its flush. Each job is a block
 * that LMDB's writing thread applies only if the writer record still has our epoch (lmdb's
 * `ifVersion`): the check and the changes are in one transaction, and the event loop waits for
 * neither lock nor disk.
 *
 * When a job resolves with true it is on the disk. With `overlappingSync: false` lmdb 3.5.6
 * resolves after `mdb_txn_commit` returned without MDB_NOSYNC (src/writer.cpp,
 * `WriteWorker::Write`: TXN_COMMITTED is set behind it), and that has by then written the pages,
 * called fdatasync, and written the meta page, which names the new tree, through a descriptor with
 * O_DSYNC (mdb.c: `mdb_txn_commit`, `mdb_env_sync0`, `mdb_env_write_meta`). (With
 * `overlappingSync: true`, lmdb's default, the same promise resolves once the changes can be seen,
 * before they are flushed.)
 */
export class CommitQueue {
  readonly #root: RootDatabase;
  readonly #meta: Meta;
  readonly #room: DataFileRoom;
  readonly #epoch: number;
  #waiting: Job[] = [];
  #draining: Promise<void> | undefined;
  /**
   * Whether a transaction failed.
   *
   * The next group then checks that another can begin, before lmdb's thread finds that none can (it
   * would never answer).
   */
  #isSuspect = false;

  constructor(root: RootDatabase, meta: Meta, room: DataFileRoom, epoch: number) {
    this.#root = root;
    this.#meta = meta;
    this.#room = room;
    this.#epoch = epoch;
  }

  /**
   * Queues the puts and removes that `write` makes, all or none. `size` is theirs.
   *
   * @returns false if another writer has taken the store over: nothing was written.
   * @throws SealcastError ERR_STORE_FAILED, with the underlying failure as its cause.
   */
  submit(size: WriteSize, write: () => void): Promise<boolean> {
    return new Promise<boolean>((resolve, reject) => {
      this.#waiting.push({ size, write, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Resolves when nothing is left to write. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await restOfTurn();
      const group = this.#waiting;
      this.#waiting = [];
      await this.#runGroup(group);
    }
    this.#draining = undefined;
  }

  async #runGroup(group: readonly Job[]): Promise<void> {
    try {
      await this.#room.reserve(totalOf(group));
      this.#checkUsable();
      const applied = await Promise.all(group.map((job) => this.#enqueue(job)));
      for (const [index, job] of group.entries()) job.resolve(applied[index] === true);
    } catch (error) {
      const cause = await trueCause(error);
      this.#isSuspect = true;
      const [first] = group;
      if (first !== undefined && group.length === 1)
        first.reject(storeFailed('the store could not be written', cause));
      // One job may be too large for the rest of the disk, and the others not.
      else for (const job of group) await this.#runGroup([job]);
    }
  }

  /** Asynchronous, so that a job that throws leaves no other's promise without a listener. */
  async #enqueue(job: Job): Promise<boolean> {
    return await this.#meta.ifVersion(WRITER_KEY, this.#epoch, job.write);
  }

  #checkUsable(): void {
    if (!this.#isSuspect) return;
    // LMDB refuses all transactions after it failed to write a meta page (MDB_PANIC).
    this.#root.transactionSync(() => undefined);
    this.#isSuspect = false;
  }
}
